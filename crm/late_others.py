"""What of repairs, tickets and other limits stands in the six lists of what is late (domain.md §0, §1.5).

======================== ============================================================ =====================
list                     what is in it                                                late since
======================== ============================================================ =====================
not accepted in time     repairs whose repairer nobody told; tickets not signed for;  end of R2, TD.T1,
                         major complaints that the manager did not look into          ES.REVIEW
visit later than planned repairs that nobody came to; a major complaint's visit       end of the appointment,
                                                                                      of ES.VISIT
plan later than planned  repairs whose customer nobody called to agree on a visit     end of R3
not solved as planned    repairs that a visit did not mend, without another agreed    the visit
not solved               repairs that the customer called unsolved and nobody has     the callback,
                         mended since; tickets in hand                                end of TD.T2
not closed               repairs not called back, not closed after it, not costed;    end of R6, the
                         forwarded orders not replied to; tickets only to be closed   callback, K0, FO.REPLY
======================== ============================================================ =====================
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, exists, func, literal, select

from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint_line import ProblemStatus
from crm.domain.ticket import PartStatus
from crm.escalation_tables import EscalationRow
from crm.limit_lists import OverdueList
from crm.limit_tables import LimitTimerRow
from crm.limit_views import TimerState
from crm.overdue import NO_LINE
from crm.repair_tables import RepairCallbackRow, RepairRow, RepairVisitRow
from crm.tables import Crew, ServiceCase
from crm.ticket_tables import TicketPart, TicketRow
from kernel.access import Actor, Permission

Late = Select[*tuple[Any, ...]]
_C, _T, _S = ServiceCase, LimitTimerRow, CaseStatus
_BY_LIMIT = {
    OverdueList.NOT_ACCEPTED: ("BX.R2",),
    OverdueList.PLAN_LATE: ("BX.R3",),
    OverdueList.NOT_CLOSED: ("BX.R6", "BX.K0", "FO.REPLY"),
}
_OF_THE_CREW = ("BX.R3",)


def late_others(actor: Actor, which: OverdueList, now: datetime) -> Iterator[Late]:
    """Yield the queries of what is late besides complaints, in the columns of :mod:`crm.late_lists`."""
    if which in _BY_LIMIT:
        yield _own(actor, _limits(_BY_LIMIT[which], now), _department())
    match which:
        case OverdueList.NOT_ACCEPTED:
            yield _own(actor, _parts(PartStatus.OPEN, now), TicketPart.department_code)
            yield _own(actor, _major("ES.REVIEW", now), _department())
        case OverdueList.VISIT_LATE:
            yield _own(actor, _not_visited(now), _C.department_code)
            yield _own(actor, _major("ES.VISIT", now), _department())
        case OverdueList.NOT_SOLVED_AS_PLANNED:
            yield _own(actor, _not_mended(now), _C.department_code)
        case OverdueList.NOT_SOLVED:
            yield _own(actor, _called_unsolved(now), _C.department_code)
            yield _own(actor, _parts(PartStatus.IN_HAND, now), TicketPart.department_code)
        case OverdueList.NOT_CLOSED:
            yield _own(actor, _only_to_close(now), _C.department_code)
            yield _own(actor, _tickets_to_close(now), _C.department_code)
        case _:
            pass


def _own(actor: Actor, query: Late, department: Any) -> Late:
    if actor.can(Permission.CASES_VIEW_ALL):
        return query
    return query.where(department == (actor.department or ""))


def _columns(key: Any, since: Any, *, person: Any, department: Any = None, **other: Any) -> tuple[Any, ...]:
    return (
        key.label("key"),
        _C.id.label("case_id"),
        other.get("line", NO_LINE).label("line_id"),
        (_C.department_code if department is None else department).label("department"),
        person.label("person"),
        other.get("status", _C.status).label("status"),
        since.label("since"),
        other.get("code", literal("")).label("code"),
    )


def _department() -> Any:
    return func.coalesce(_T.department, _C.department_code)


def _limits(codes: tuple[str, ...], now: datetime) -> Late:
    crew = select(Crew.name).join(RepairRow, RepairRow.crew_id == Crew.id).where(RepairRow.case_id == _C.id)
    person = case((_T.code.in_(_OF_THE_CREW), crew.correlate(_C).scalar_subquery()), else_=_C.specialist_name)
    return (
        select(*_columns(_T.id, _T.deadline_at, person=person, department=_department(), code=_T.code))
        .join(_C, _C.id == _T.record_id)
        .where(_T.state == TimerState.RUNNING.value, _T.deadline_at < now, _T.code.in_(codes))
    )


def _major(limit: str, now: datetime) -> Late:
    code, department = _T.code, _department()
    return (
        select(
            *_columns(
                _T.id, _T.deadline_at, person=EscalationRow.reviewed_by, department=department, code=code
            )
        )
        .join(EscalationRow, EscalationRow.id == _T.record_id)
        .join(_C, _C.id == EscalationRow.case_id)
        .where(_T.state == TimerState.RUNNING.value, _T.deadline_at < now, _T.code == limit)
    )


def _repairs(since: Any, *statuses: CaseStatus) -> Late:
    return (
        select(*_columns(_C.id, since, person=Crew.name))
        .join(RepairRow, RepairRow.case_id == _C.id)
        .outerjoin(Crew, Crew.id == RepairRow.crew_id)
        .where(
            _C.kind == CaseKind.REPAIR.value,
            _C.status.in_([status.value for status in statuses]),
        )
    )


def _not_visited(now: datetime) -> Late:
    there = exists().where(RepairVisitRow.open_key == _C.id, RepairVisitRow.arrived_at.is_not(None))
    return _repairs(RepairRow.appointed_until, _S.APPOINTED).where(RepairRow.appointed_until < now, ~there)


def _not_mended(now: datetime) -> Late:
    # Visits of an earlier round, or before it was routed anew, are not what this one had planned.
    visited = RepairRow.last_visit_at >= RepairRow.chain_at
    return _repairs(RepairRow.last_visit_at, _S.CONTACTED, _S.VISITED).where(
        RepairRow.fixed.is_(False), visited, RepairRow.last_visit_at < now
    )


def _called(*problems: ProblemStatus) -> Any:
    query = select(func.max(RepairCallbackRow.at)).where(
        RepairCallbackRow.case_id == _C.id,
        RepairCallbackRow.problem.in_([problem.value for problem in problems]),
    )
    return query.correlate(_C).scalar_subquery()


def _called_unsolved(now: datetime) -> Late:
    since = _called(ProblemStatus.NOT_CONTACTED, ProblemStatus.NOT_HANDLED, ProblemStatus.IN_HAND)
    at_work = (_S.ROUTED, _S.NOTIFIED, _S.CONTACTED, _S.APPOINTED, _S.VISITED)
    return _repairs(since, *at_work).where(RepairRow.fixed.is_(False), _C.round > 1, since < now)


def _only_to_close(now: datetime) -> Late:
    since = _called(ProblemStatus.SOLVED)
    columns = _columns(_C.id, since, person=_C.specialist_name)
    return select(*columns).where(
        _C.kind == CaseKind.REPAIR.value, _C.status == _S.CALLBACK.value, since < now
    )


def _parts(status: PartStatus, now: datetime) -> Late:
    columns = _columns(
        TicketPart.id,
        TicketPart.due_at,
        person=TicketPart.signed_by,
        department=TicketPart.department_code,
        line=TicketPart.id,
        status=TicketPart.status,
    )
    return (
        select(*columns)
        .join(_C, _C.id == TicketPart.case_id)
        .where(
            _C.kind == CaseKind.TICKET.value,
            _C.status.in_((_S.OPEN.value, _S.IN_HAND.value)),
            TicketPart.status == status.value,
            TicketPart.due_at < now,
        )
    )


def _tickets_to_close(now: datetime) -> Late:
    since = TicketRow.verified_at
    return (
        select(*_columns(_C.id, since, person=_C.specialist_name))
        .join(TicketRow, TicketRow.case_id == _C.id)
        .where(
            _C.kind == CaseKind.TICKET.value,
            _C.status == _S.VERIFIED.value,
            since < now,
        )
    )
