"""The six work lists of what is late with complaints (domain.md §0, breach chain; the words are G1's).

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

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, read_cursor, write_cursor
from crm.complaint_tables import Complaint, ComplaintLine
from crm.complaint_views import OverdueCount, OverduePage, OverdueRow, OverdueSummary
from crm.domain.case import STATUS_LABELS, CaseKind, CaseStatus
from crm.domain.complaint_line import BEFORE_PLAN, LINE_LABELS, AcceptMode, LineStatus
from crm.limit_lists import OverdueList
from crm.tables import Customer, Department, Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database

LIST_LABELS = {
    OverdueList.NOT_ACCEPTED: "未及时接收",
    OverdueList.VISIT_LATE: "未按计划出现场",
    OverdueList.PLAN_LATE: "未按计划出方案",
    OverdueList.NOT_SOLVED_AS_PLANNED: "未按计划解决",
    OverdueList.NOT_SOLVED: "未解决",
    OverdueList.NOT_CLOSED: "未结案",
}

_L = ComplaintLine
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


class OverdueLists:
    """Shows the lists: everybody's to customer service, their own department's to its people."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def overdue_lists(self, actor: Actor) -> tuple[OverdueSummary, ...]:
        """Return all six with how many are whose. Raises Forbidden when the role sees no cases."""
        actor.need(Permission.CASES_VIEW)
        now = self._clock.now()
        async with self._database.session() as session:
            return tuple([await self._count(session, actor, which, now) for which in OverdueList])

    async def overdue_page(
        self,
        actor: Actor,
        which: OverdueList,
        *,
        department: str | None = None,
        specialist_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OverduePage:
        """Return a page of a list, the longest late first.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit, now = max(1, min(limit, MAX_PAGE)), self._clock.now()
        late = self._late(actor, which, now).subquery()
        query = (
            select(late, ServiceCase, Customer.name, Project.address, Department.name)
            .join(ServiceCase, ServiceCase.id == late.c.case_id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .outerjoin(Project, Project.id == ServiceCase.project_id)
            .outerjoin(Department, Department.code == late.c.department)
        )
        if department is not None:
            query = query.where(late.c.department == department)
        if specialist_id is not None:
            query = query.where(ServiceCase.specialist_id == specialist_id)
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(late.c.since > at, and_(late.c.since == at, late.c.key > key)))
        query = query.order_by(late.c.since, late.c.key).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return OverduePage(
            items=tuple(_row(row, which, now) for row in rows[:limit]),
            next_cursor=write_cursor(last.since, last.key) if last is not None else None,
        )

    async def _count(
        self, session: AsyncSession, actor: Actor, which: OverdueList, now: datetime
    ) -> OverdueSummary:
        late = self._late(actor, which, now).subquery()
        query = (
            select(late.c.department, Department.name, late.c.person, func.count())
            .outerjoin(Department, Department.code == late.c.department)
            .group_by(late.c.department, Department.name, late.c.person)
            .order_by(func.count().desc(), late.c.department, late.c.person)
        )
        counts: Sequence[OverdueCount] = [
            OverdueCount(department=code, department_name=name, person=person, count=count)
            for code, name, person, count in (await session.execute(query)).all()
        ]
        return OverdueSummary(
            which=which.value,
            label=LIST_LABELS[which],
            total=sum(count.count for count in counts),
            counts=tuple(counts),
        )

    def _late(self, actor: Actor, which: OverdueList, now: datetime) -> Select[*tuple[Any, ...]]:
        """Return key, case, line, department, person, status and the moment since when it is late."""
        if which is OverdueList.NOT_CLOSED:
            return self._not_closed(actor, now)
        since, about = _line_since(which)
        query = (
            select(
                _L.id.label("key"),
                _L.case_id.label("case_id"),
                _L.id.label("line_id"),
                _L.department_code.label("department"),
                _L.person.label("person"),
                _L.status.label("line_status"),
                since.label("since"),
            )
            .join(Complaint, Complaint.case_id == _L.case_id)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(ServiceCase.closed_at.is_(None), since < now, *about)
        )
        if not actor.can(Permission.CASES_VIEW_ALL):
            own = _L.department_code == (actor.department or "")
            query = query.where(own, _L.confidential.is_(False))
        return query

    def _not_closed(self, actor: Actor, now: datetime) -> Select[*tuple[Any, ...]]:
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
                null().label("line_id"),
                ServiceCase.department_code.label("department"),
                ServiceCase.specialist_name.label("person"),
                literal("").label("line_status"),
                since.label("since"),
            )
            .join(Complaint, Complaint.case_id == ServiceCase.id)
            .where(
                ServiceCase.kind == CaseKind.COMPLAINT.value,
                ServiceCase.status.in_((CaseStatus.DONE.value, CaseStatus.CALLBACK.value)),
                ServiceCase.closed_at.is_(None),
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


def _row(row: Any, which: OverdueList, now: datetime) -> OverdueRow:
    header: ServiceCase = row.ServiceCase
    if which is OverdueList.NOT_CLOSED:
        label = STATUS_LABELS[CaseStatus(header.status)]
        status = header.status
    else:
        status = row.line_status
        label = LINE_LABELS[LineStatus(status)]
    return OverdueRow(
        case_id=header.id,
        no=header.no,
        line_id=row.line_id,
        department=row.department,
        department_name=row[-1],
        person=row.person,
        specialist=header.specialist_name,
        customer_name=row[-3],
        address=row.address,
        summary=header.summary,
        severity=header.severity,
        status=status,
        status_label=label,
        due_at=row.since,
        late_seconds=(now - row.since).total_seconds(),
    )
