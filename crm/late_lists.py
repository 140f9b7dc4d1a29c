"""The six work lists of what is late, whatever kind of case it is (domain.md §0).

What is late is a query for each kind, all with the same columns: ``key`` (by which pages go on), ``case_id``,
``line_id``, ``department``, ``person``, ``status``, ``since`` and the ``code`` of the limit, if it is one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.complaint_views import OverdueCount, OverduePage, OverdueRow, OverdueSummary
from crm.confidential import address_for, hide, name_for, texts_hidden
from crm.domain.case import STATUS_LABELS, CaseKind, CaseStatus
from crm.domain.complaint_line import LINE_LABELS, LineStatus
from crm.domain.ticket import PART_LABELS, PartStatus
from crm.late_others import late_others
from crm.limit_lists import LIST_CODES, OverdueList
from crm.limit_tables import LimitTimerRow
from crm.limit_views import TimerState
from crm.overdue import LIST_LABELS, late_complaints
from crm.tables import Customer, Department, Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database


class LateLists:
    """Shows the lists: everybody's to customer service, their own department's to its people."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def overdue_lists(self, actor: Actor) -> tuple[OverdueSummary, ...]:
        """Return all six with how many are whose. Raises Forbidden when the role sees no cases."""
        actor.need(Permission.CASES_VIEW)
        now = self._clock.now()
        async with self._database.session() as session:
            waiting = await _waiting(session, actor)
            return tuple([await self._count(session, actor, which, now, waiting) for which in OverdueList])

    async def overdue_page(
        self,
        actor: Actor,
        which: OverdueList,
        *,
        kind: CaseKind | None = None,
        department: str | None = None,
        specialist_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OverduePage:
        """Return a page of a list, the longest late first.

        Args:
            kind: only complaints, repairs or tickets.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit, now = max(1, min(limit, MAX_PAGE)), self._clock.now()
        chosen = _chosen(_late(actor, which, now), kind, department, specialist_id)
        if cursor is not None:
            at, key = read_cursor(cursor)
            since = chosen.selected_columns.since
            chosen = chosen.where(or_(since > at, (since == at) & (chosen.selected_columns.key > key)))
        # What a page shows is read for its rows alone, not for all that is late.
        late = chosen.order_by("since", "key").limit(limit + 1).subquery()
        query = (
            select(late, ServiceCase, texts_hidden(actor), Customer.name, Project.address, Department.name)
            .join(ServiceCase, ServiceCase.id == late.c.case_id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .outerjoin(Project, Project.id == ServiceCase.project_id)
            .outerjoin(Department, Department.code == late.c.department)
            .order_by(late.c.since, late.c.key)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return OverduePage(
            items=tuple(_row(actor, row, now) for row in rows[:limit]),
            next_cursor=write_cursor(last.since, last.key) if last is not None else None,
        )

    async def _count(
        self,
        session: AsyncSession,
        actor: Actor,
        which: OverdueList,
        now: datetime,
        waiting: dict[str, int],
    ) -> OverdueSummary:
        late = _late(actor, which, now)
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
            calendar_missing=sum(waiting.get(code, 0) for code in LIST_CODES[which]),
        )


def _late(actor: Actor, which: OverdueList, now: datetime) -> Any:
    return union_all(late_complaints(actor, which, now), *late_others(actor, which, now)).subquery()


def _chosen(
    late: Any, kind: CaseKind | None, department: str | None, specialist_id: str | None
) -> Select[*tuple[Any, ...]]:
    """Return those that a filter lets through."""
    query = select(late)
    if kind is not None or specialist_id is not None:
        query = query.join(ServiceCase, ServiceCase.id == late.c.case_id)
    if kind is not None:
        query = query.where(ServiceCase.kind == kind.value)
    if department is not None:
        query = query.where(late.c.department == department)
    if specialist_id is not None:
        query = query.where(ServiceCase.specialist_id == specialist_id)
    return query


async def _waiting(session: AsyncSession, actor: Actor) -> dict[str, int]:
    """Return by code how many limits nobody knows to be late or not, for want of a calendar."""
    query = (
        select(LimitTimerRow.code, func.count().label("many"))
        .where(LimitTimerRow.state == TimerState.CALENDAR_MISSING.value)
        .group_by(LimitTimerRow.code)
    )
    if not actor.can(Permission.CASES_VIEW_ALL):
        query = query.where(LimitTimerRow.department == (actor.department or ""))
    return {row.code: row.many for row in (await session.execute(query)).all()}


def _label(kind: CaseKind, status: str, line_id: str | None) -> str:
    if line_id is None:
        return STATUS_LABELS[CaseStatus(status)]
    return PART_LABELS[PartStatus(status)] if kind is CaseKind.TICKET else LINE_LABELS[LineStatus(status)]


def _row(actor: Actor, row: Any, now: datetime) -> OverdueRow:
    header: ServiceCase = row.ServiceCase
    kind = CaseKind(header.kind)
    # The columns that follow the header.
    hidden, customer_name, address, department_name = row[-4:]
    return OverdueRow(
        case_id=header.id,
        no=header.no,
        kind=kind,
        line_id=row.line_id,
        department=row.department,
        department_name=department_name,
        person=row.person,
        specialist=header.specialist_name,
        customer_name=name_for(actor, header, customer_name),
        address=address_for(actor, header, address),
        summary=hide(header.summary, hidden=bool(hidden)),
        severity=header.severity,
        status=row.status,
        status_label=_label(kind, row.status, row.line_id),
        code=row.code or None,
        due_at=row.since,
        late_seconds=(now - row.since).total_seconds(),
    )
