"""Lists of overdue limits, the manager's red list, and what they need for paging (domain.md §0)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.limit_tables import LimitBreachRow, LimitTimerRow
from crm.limit_views import RecordRef
from crm.limits import LimitBook, TimerState, TimerView
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Invalid

MAX_PAGE = 200
_WAITING = "calendar~"
"""Begins a cursor that is still among those without a calendar."""


class OverdueList(StrEnum):
    """The six work lists of a department that is late."""

    NOT_ACCEPTED = "not_accepted"
    """未及时接收."""
    VISIT_LATE = "visit_late"
    """未按计划出现场."""
    PLAN_LATE = "plan_late"
    """未按计划出方案."""
    NOT_SOLVED_AS_PLANNED = "not_solved_as_planned"
    """未按计划解决."""
    NOT_SOLVED = "not_solved"
    """未解决."""
    NOT_CLOSED = "not_closed"
    """未结案."""


LIST_CODES: dict[OverdueList, tuple[str, ...]] = {
    OverdueList.NOT_ACCEPTED: ("TS.T1", "TD.T1", "BX.R2", "ES.REVIEW"),
    OverdueList.VISIT_LATE: ("ES.VISIT",),
    OverdueList.PLAN_LATE: ("TS.T2", "TS.T3", "BX.R3"),
    OverdueList.NOT_SOLVED_AS_PLANNED: (),
    OverdueList.NOT_SOLVED: ("TD.T2",),
    OverdueList.NOT_CLOSED: ("TS.T4", "BX.R6", "BX.K0", "FO.REPLY", "RQ.ANSWER"),
}
"""The limits behind each list. What is late against a line's own planned times (visit, solving) has no limit
of its own and comes from the lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerPage:
    """Limits; ``cursor`` leads to the next page, ``None`` at the end.

    Those that wait for a calendar come first, since nobody knows how late they are; then the longest overdue.
    """

    timers: tuple[TimerView, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnBreach:
    """A breach that was taken back: what ended the limit was written down late, as having been in time.

    Attributes:
        breached_at: when the limit was over.
        happened_at: when, so the person wrote, it was done.
        withdrawn_by: who wrote that; empty for what earlier versions wrote.
        why: an action of the journal.
    """

    timer_id: str
    record: RecordRef
    code: str
    department: str | None
    specialist: str | None
    breached_at: datetime
    happened_at: datetime | None
    withdrawn_at: datetime
    withdrawn_by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnPage:
    """Breaches that were taken back, the latest first."""

    items: tuple[WithdrawnBreach, ...]
    next_cursor: str | None


class LimitLists:
    """Reads the lists.

    Whoever may see cases sees the lists; people of a department only their own department's limits.
    """

    def __init__(self, clock: Clock, book: LimitBook) -> None:
        self._clock = clock
        self._book = book

    async def overdue(
        self,
        session: AsyncSession,
        actor: Actor,
        *,
        which: OverdueList | None = None,
        codes: Sequence[str] = (),
        department: str | None = None,
        specialist: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TimerPage:
        """Return the open limits that are past, of one list, of some codes, or all.

        Overdue is what is past now, whether or not the worker has come to it. Those whose calendar is missing
        are shown too, first.

        Raises:
            Forbidden: the actor may not see cases.
            Invalid: the limit or the cursor cannot be.
        """
        actor.need(Permission.CASES_VIEW)
        wanted = (*codes, *(LIST_CODES[which] if which else ()))
        if which is not None and not wanted:
            return TimerPage(timers=(), cursor=None)
        query = select(LimitTimerRow)
        if wanted:
            query = query.where(LimitTimerRow.code.in_(wanted))
        if specialist is not None:
            query = query.where(LimitTimerRow.specialist == specialist)
        return await self._page(session, actor, query, department, cursor, limit)

    async def red_list(
        self,
        session: AsyncSession,
        actor: Actor,
        *,
        department: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TimerPage:
        """Return the open limits that are on the manager's red list, and first those without a calendar.

        Raises as :meth:`overdue` does.
        """
        actor.need(Permission.RED_LIST_VIEW)
        query = select(LimitTimerRow)
        return await self._page(
            session, actor, query, department, cursor, limit, LimitTimerRow.red_at.is_not(None)
        )

    async def red_counts(self, session: AsyncSession, actor: Actor) -> dict[str | None, int]:
        """Return how many open limits on the red list are whose, the most first. Raises Forbidden."""
        actor.need(Permission.RED_LIST_VIEW)
        red = and_(
            LimitTimerRow.state == TimerState.RUNNING,
            LimitTimerRow.deadline_at < self._clock.now(),
            LimitTimerRow.red_at.is_not(None),
        )
        many = func.count()
        query = (
            select(LimitTimerRow.department, many)
            .where(or_(LimitTimerRow.state == TimerState.CALENDAR_MISSING, red))
            .group_by(LimitTimerRow.department)
            .order_by(many.desc(), LimitTimerRow.department)
        )
        if not actor.can(Permission.CASES_VIEW_ALL):
            query = query.where(LimitTimerRow.department == (actor.department or ""))
        return {row[0]: int(row[1]) for row in (await session.execute(query)).all()}

    async def withdrawn(
        self,
        session: AsyncSession,
        actor: Actor,
        *,
        department: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> WithdrawnPage:
        """Return the breaches that were taken back, for the manager. Raises as :meth:`red_list` does."""
        actor.need(Permission.RED_LIST_VIEW)
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"limit: 1 to {MAX_PAGE}", field="limit")
        breach = LimitBreachRow
        query = (
            select(breach, LimitTimerRow.stopped_at)
            .join(LimitTimerRow, LimitTimerRow.id == breach.timer_id)
            .where(breach.withdrawn_at.is_not(None))
        )
        if department is not None:
            query = query.where(breach.department == department)
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(breach.withdrawn_at == at, breach.timer_id < key)
            query = query.where(or_(breach.withdrawn_at < at, same))
        query = query.order_by(breach.withdrawn_at.desc(), breach.timer_id.desc()).limit(limit + 1)
        rows = (await session.execute(query)).all()
        items = tuple(_withdrawn(row, stopped_at) for row, stopped_at in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return WithdrawnPage(
            items=items, next_cursor=write_cursor(last.withdrawn_at, last.timer_id) if last else None
        )

    async def _page(
        self,
        session: AsyncSession,
        actor: Actor,
        query: Select[LimitTimerRow],
        department: str | None,
        cursor: str | None,
        limit: int,
        *late: ColumnElement[bool],
    ) -> TimerPage:
        """Read on after ``cursor``; ``late`` is what else must be so of those that are past."""
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"limit: 1 to {MAX_PAGE}", field="limit")
        if not actor.can(Permission.CASES_VIEW_ALL):
            # Also those of nobody: a person without a department sees none.
            query = query.where(LimitTimerRow.department == (actor.department or ""))
        if department is not None:
            query = query.where(LimitTimerRow.department == department)
        past = query.where(
            LimitTimerRow.state == TimerState.RUNNING, LimitTimerRow.deadline_at < self._clock.now(), *late
        )
        waiting = query.where(LimitTimerRow.state == TimerState.CALENDAR_MISSING)
        parts = [(waiting, LimitTimerRow.started_at), (past, LimitTimerRow.deadline_at)]
        if cursor is not None and not cursor.startswith(_WAITING):
            del parts[0]
        rows: list[LimitTimerRow] = []
        for part, moment in parts:
            if cursor is not None:
                at, timer_id = read_cursor(cursor.removeprefix(_WAITING))
                part = part.where(or_(moment > at, and_(moment == at, LimitTimerRow.id > timer_id)))
                cursor = None
            part = part.order_by(moment, LimitTimerRow.id).limit(limit + 1 - len(rows))
            rows += (await session.scalars(part)).all()
            if len(rows) > limit:
                break
        shown = rows[:limit]
        return TimerPage(
            timers=await self._book.views(session, shown),
            cursor=_cursor(shown[-1]) if len(rows) > limit else None,
        )


def _withdrawn(row: LimitBreachRow, stopped_at: datetime | None) -> WithdrawnBreach:
    return WithdrawnBreach(
        timer_id=row.timer_id,
        record=RecordRef(row.record_kind, row.record_id, row.line_id, row.record_no),
        code=row.code,
        department=row.department,
        specialist=row.specialist,
        breached_at=row.breached_at,
        happened_at=stopped_at,
        withdrawn_at=row.withdrawn_at or row.noted_at,
        withdrawn_by=row.withdrawn_by or "",
        why=row.withdrawn_why or "",
    )


def _cursor(row: LimitTimerRow) -> str:
    if row.deadline_at is None:
        return _WAITING + write_cursor(row.started_at, row.id)
    return write_cursor(row.deadline_at, row.id)
