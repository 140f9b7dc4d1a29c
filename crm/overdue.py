"""What of complaints stands in the six lists of what is late (domain.md §0; the words are G1's).

:mod:`crm.late_lists` shows the lists; repairs and tickets are added by :mod:`crm.late_others`.

======================== ======================================================= =====================
list                     what is in it                                           late since
======================== ======================================================= =====================
not accepted in time     lines that nobody has signed for or rejected            end of T1
visit later than planned lines with an agreed visit, or one that the department  end of the visit, or
                         planned when it accepted, that has not taken place      the planned time
plan later than planned  accepted lines without a plan                           planned time, else
                                                                                 end of T2 or T3
not solved as planned    accepted lines that are not reported done               planned time
not solved               lines that the customer says are not solved, or that    the callback, or the
                         are not done by when the customer wanted it             customer's time
not closed               complaints that nothing is left to do on but to call    end of T4, or the
                         back and close                                          callback
======================== ======================================================= =====================
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)

from crm.complaint_tables import Complaint, ComplaintLine
from crm.confidential import line_seen
from crm.domain.case import FINAL, CaseKind, CaseStatus
from crm.domain.complaint_line import BEFORE_PLAN, AcceptMode, LineStatus
from crm.limit_lists import OverdueList
from crm.tables import ServiceCase
from kernel.access import Actor, Permission

LIST_LABELS = {
    OverdueList.NOT_ACCEPTED: "未及时接收",
    OverdueList.VISIT_LATE: "未按计划出现场",
    OverdueList.PLAN_LATE: "未按计划出方案",
    OverdueList.NOT_SOLVED_AS_PLANNED: "未按计划解决",
    OverdueList.NOT_SOLVED: "未解决",
    OverdueList.NOT_CLOSED: "未结案",
}

_L = ComplaintLine
NO_LINE: Any = cast(null(), String(26))
"""For rows about a whole case; typed, since PostgreSQL joins no NULL of unknown type to a text."""
_BEFORE_RECEIPT = (LineStatus.REGISTERED.value, LineStatus.HANDED_OFF.value)
_AT_WORK = tuple(
    sorted(
        status.value
        for status in LineStatus
        if status.is_open
        and status not in {LineStatus.REGISTERED, LineStatus.HANDED_OFF, LineStatus.REJECTED, LineStatus.DONE}
    )
)
_UNPLANNED = tuple(sorted(status.value for status in BEFORE_PLAN))
_UNSOLVED = _L.status == LineStatus.UNSOLVED.value
_OPEN_LINE = _L.status != literal_column("'closed'")
"""As the index of open lines has it, word for word."""
# By its state, not by «no time of closing»: SQLite takes that for rare, and would begin with all open cases.
_OPEN_CASE = ServiceCase.status.not_in(sorted(status.value for status in FINAL))


def _earlier(*times: Any) -> Any:
    """Return the earliest of the times that are there."""
    found: Any = times[0]
    for time in times[1:]:
        found = case((found.is_(None), time), (time.is_(None), found), (time < found, time), else_=found)
    return found


def _line_since(which: OverdueList) -> tuple[Any, list[ColumnElement[bool]]]:
    """Return since when a line is late in a list, and which lines the list is about."""
    match which:
        case OverdueList.NOT_ACCEPTED:
            return _L.accept_due_at, [_L.status.in_(_BEFORE_RECEIPT)]
        case OverdueList.VISIT_LATE:
            agreed = case((_L.visit_until.is_not(None), _L.visit_until), else_=_L.planned_visit_at)
            return agreed, [_L.status.in_(_AT_WORK), _L.visited_at.is_(None)]
        case OverdueList.PLAN_LATE:
            limit = _earlier(_L.verify_due_at, _L.plan_due_at)
            owed = or_(_UNSOLVED, _L.mode == AcceptMode.NO_PLAN.value, _L.planned_plan_at.is_(None))
            return case((owed, limit), else_=_L.planned_plan_at), [_L.status.in_(_UNPLANNED)]
        case OverdueList.NOT_SOLVED_AS_PLANNED:
            return _L.planned_solve_at, [_L.status.in_(_AT_WORK)]
        case _:
            since = case((_UNSOLVED, _earlier(_L.unsolved_at, Complaint.want_by)), else_=Complaint.want_by)
            return since, [_L.status.in_((*_BEFORE_RECEIPT, LineStatus.REJECTED.value, *_AT_WORK))]


def late_complaints(actor: Actor, which: OverdueList, now: datetime) -> Select[*tuple[Any, ...]]:
    """Return what of complaints is late, in the columns of :mod:`crm.late_lists`."""
    if which is OverdueList.NOT_CLOSED:
        return _not_closed(actor, now)
    since, about = _line_since(which)
    query = (
        select(
            _L.id.label("key"),
            _L.case_id.label("case_id"),
            _L.id.label("line_id"),
            _L.department_code.label("department"),
            _L.person.label("person"),
            _L.status.label("status"),
            since.label("since"),
            literal("").label("code"),
        )
        .join(Complaint, Complaint.case_id == _L.case_id)
        .join(ServiceCase, ServiceCase.id == _L.case_id)
        .where(_OPEN_LINE, _OPEN_CASE, since < now, *about)
    )
    if not actor.can(Permission.CASES_VIEW_ALL):
        own = _L.department_code == (actor.department or "")
        query = query.where(own)
    return query.where(line_seen(actor))


def _not_closed(actor: Actor, now: datetime) -> Select[*tuple[Any, ...]]:
    due = (
        select(func.min(_L.callback_due_at))
        .where(_L.case_id == ServiceCase.id)
        .correlate(ServiceCase)
        .scalar_subquery()
    )
    since = case((Complaint.called_back_at.is_not(None), Complaint.called_back_at), else_=due)
    query = (
        select(
            ServiceCase.id.label("key"),
            ServiceCase.id.label("case_id"),
            NO_LINE.label("line_id"),
            ServiceCase.department_code.label("department"),
            ServiceCase.specialist_name.label("person"),
            ServiceCase.status.label("status"),
            since.label("since"),
            literal("").label("code"),
        )
        .join(Complaint, Complaint.case_id == ServiceCase.id)
        .where(
            ServiceCase.kind == CaseKind.COMPLAINT.value,
            ServiceCase.status.in_((CaseStatus.DONE.value, CaseStatus.CALLBACK.value)),
            since < now,
        )
    )
    if not actor.can(Permission.CASES_VIEW_ALL):
        own = exists().where(
            _L.case_id == ServiceCase.id,
            _L.department_code == (actor.department or ""),
            _L.confidential.is_(False),
        )
        query = query.where(own)
    return query
