"""The lists that customer service works by: the board of cases by what is due first, a specialist's day.

A day (domain.md §2.1): overdue red, due today, appointments by time, cases that wait for a callback, returned
hand-offs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, CaseFilter, CaseRegister, CaseView, conditions, seen_by
from crm.complaint_tables import ComplaintLine
from crm.confidential import line_seen
from crm.domain.case import CaseStatus
from crm.domain.complaint_line import LINE_FINAL, LineStatus
from crm.handoff_calls import CallOwed, calls_owed
from crm.limit_tables import LimitTimerRow
from crm.limit_views import TimerState, TimerView
from crm.limits import LimitBook
from crm.tables import CaseParty, Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database, UtcDateTime
from kernel.errors import Forbidden

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""Stands for «no limit runs» where cases are sorted by when they are due."""
MAX_DAY = 200
APPOINTMENT_DAYS = 3
_WAIT_FOR_CALLBACK = (
    CaseStatus.DONE.value,
    CaseStatus.CALLBACK.value,
    CaseStatus.SOLVED.value,
    CaseStatus.VISITED.value,
)
_FINAL_LINE = tuple(sorted(status.value for status in LINE_FINAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """A case on the board; ``limit`` is the open limit that ends first."""

    case: CaseView
    limit: TimerView | None
    departments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPage:
    """A page of the board; ``next_cursor`` leads on."""

    items: tuple[BoardRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLimit:
    """A limit that is over, ends today, or whose end is not known for want of a calendar."""

    case: CaseView
    limit: TimerView


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """A line that waits for the specialist, or whose visit is near; ``at`` is the visit's begin there."""

    case: CaseView
    line_id: str
    status: LineStatus
    department: str
    reason: str | None
    at: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a specialist has before them.

    Attributes:
        returned: lines that departments sent back, and lines that were never handed off.
        unsigned: hand-offs whose department is to be called: nobody has signed for two hours.
        unfinished: cases about which something is to be done today.
    """

    overdue: tuple[DayLimit, ...]
    today: tuple[DayLimit, ...]
    callbacks: tuple[BoardRow, ...]
    returned: tuple[DayLine, ...]
    appointments: tuple[DayLine, ...]
    unsigned: tuple[CallOwed, ...]
    unfinished: int


class CaseLists:
    """Reads the lists. Everybody sees in them what they may see of cases."""

    def __init__(
        self, database: Database, clock: Clock, register: CaseRegister, book: LimitBook, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._book = book
        self._zone = zone

    async def board(
        self,
        actor: Actor,
        wanted: CaseFilter,
        *,
        overdue: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> BoardPage:
        """Return a page of cases: what is due first stands first, what has no limit last.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        key = _due(actor, wanted)
        query = select(ServiceCase.id, key).where(*conditions(wanted), seen_by(actor))
        if overdue:
            query = query.where(key < self._clock.now())
        if cursor is not None:
            at, case_id = read_cursor(cursor)
            query = query.where(or_(key > at, and_(key == at, ServiceCase.id < case_id)))
        order = () if wanted.is_open is False else (key,)
        query = query.order_by(*order, ServiceCase.id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            found = (await session.execute(query)).all()
            ids = [row[0] for row in found[:limit]]
            rows = await self._rows(session, actor, ids)
        more = len(found) > limit
        return BoardPage(
            items=rows, next_cursor=write_cursor(found[limit - 1][1], found[limit - 1][0]) if more else None
        )

    async def count(self, actor: Actor, wanted: CaseFilter, *, overdue: bool = False) -> int:
        """Return how many cases a board has, all its pages together. Raises Forbidden."""
        actor.need(Permission.CASES_VIEW)
        query = select(func.count()).select_from(ServiceCase).where(*conditions(wanted), seen_by(actor))
        if overdue:
            query = query.where(_due(actor, wanted) < self._clock.now())
        async with self._database.session() as session:
            return int(await session.scalar(query) or 0)

    async def counts(self, actor: Actor, wanted: CaseFilter) -> dict[str, int]:
        """Return how many cases are in each state, of those that fulfil the rest of the filter."""
        actor.need(Permission.CASES_VIEW)
        query = (
            select(ServiceCase.status, func.count())
            .where(*conditions(wanted), seen_by(actor))
            .group_by(ServiceCase.status)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return {str(status): int(count) for status, count in rows}

    async def specialists(self, actor: Actor) -> dict[str, str]:
        """Return user id → name of who has open cases. Raises Forbidden when the role sees only its own."""
        actor.need(Permission.CASES_VIEW_ALL)
        query = (
            select(ServiceCase.specialist_id, func.max(ServiceCase.specialist_name))
            .where(ServiceCase.closed_at.is_(None), ServiceCase.specialist_id.is_not(None))
            .group_by(ServiceCase.specialist_id)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        named = [(str(key), str(name or key)) for key, name in rows]
        return dict(sorted(named, key=lambda item: item[1]))

    async def day(self, actor: Actor, specialist_id: str) -> Day:
        """Return the day of a specialist; of another one only to who leads them.

        Raises:
            Forbidden: the role has no cases of its own, or it is somebody else's day.
        """
        actor.need(Permission.CASES_REGISTER)
        if specialist_id != actor.user_id and not actor.can(Permission.BOARD_VIEW):
            raise Forbidden("this is somebody else's day", field="who")
        now = self._clock.now()
        tomorrow = self._midnight(now, 1)
        mine = (ServiceCase.specialist_id == specialist_id, ServiceCase.closed_at.is_(None))
        async with self._database.session() as session:
            timers = (
                await session.scalars(
                    select(LimitTimerRow)
                    .join(ServiceCase, ServiceCase.id == LimitTimerRow.record_id)
                    .where(
                        *mine,
                        or_(
                            # Nobody knows when these end: their year's calendar is not loaded.
                            LimitTimerRow.state == TimerState.CALENDAR_MISSING.value,
                            and_(
                                LimitTimerRow.state == TimerState.RUNNING.value,
                                LimitTimerRow.deadline_at < tomorrow,
                            ),
                        ),
                    )
                    .order_by(
                        LimitTimerRow.deadline_at.is_not(None), LimitTimerRow.deadline_at, LimitTimerRow.id
                    )
                    .limit(MAX_DAY)
                )
            ).all()
            limits = await self._book.views(session, timers)
            asked = exists().where(
                ComplaintLine.case_id == ServiceCase.id,
                ComplaintLine.callback_from <= now,
                ComplaintLine.status.not_in(_FINAL_LINE),
                ComplaintLine.status != LineStatus.UNSOLVED.value,
            )
            waiting = (
                await session.scalars(
                    select(ServiceCase.id)
                    .where(*mine, or_(ServiceCase.status.in_(_WAIT_FOR_CALLBACK), asked))
                    .order_by(ServiceCase.opened_at)
                    .limit(MAX_DAY)
                )
            ).all()
            returned = await self._lines(
                session,
                actor,
                mine,
                ComplaintLine.status.in_([LineStatus.REJECTED.value, LineStatus.REGISTERED.value]),
            )
            appointments = await self._lines(
                session,
                actor,
                mine,
                and_(
                    ComplaintLine.visit_from >= self._midnight(now, 0),
                    ComplaintLine.visit_from < self._midnight(now, APPOINTMENT_DAYS),
                    ComplaintLine.visited_at.is_(None),
                    ComplaintLine.status.not_in(_FINAL_LINE),
                ),
            )
            unsigned = await calls_owed(session, actor, specialist_id, now)
            rows = {row.case.case_id: row for row in await self._rows(session, actor, waiting)}
            ids = {timer.record.record_id for timer in limits} | {
                row[0].case_id for row in returned + appointments
            }
            views = await self._register.views(
                session, actor, ServiceCase.id.in_(sorted(ids)), limit=len(ids) or 1
            )
        cases = {view.case_id: view for view in views}
        known = [DayLimit(case=cases[item.record.record_id], limit=item) for item in limits]
        back = tuple(_line(row, name, cases) for row, name in returned)
        todo = {item.case.case_id for item in known} | set(rows) | {item.case.case_id for item in back}
        todo |= {item.case_id for item in unsigned}
        return Day(
            overdue=tuple(item for item in known if item.limit.overdue),
            today=tuple(item for item in known if not item.limit.overdue),
            callbacks=tuple(rows[case_id] for case_id in waiting if case_id in rows),
            returned=back,
            appointments=tuple(_line(row, name, cases, visit=True) for row, name in appointments),
            unsigned=unsigned,
            unfinished=len(todo),
        )

    def _midnight(self, now: datetime, days: int) -> datetime:
        today = now.astimezone(self._zone).date() + timedelta(days=days)
        return datetime.combine(today, time(), self._zone).astimezone(UTC)

    async def _lines(
        self, session: AsyncSession, actor: Actor, mine: Sequence[ColumnElement[bool]], chosen: Any
    ) -> list[tuple[ComplaintLine, str]]:
        query = (
            select(ComplaintLine, Department.name)
            .join(ServiceCase, ServiceCase.id == ComplaintLine.case_id)
            .join(Department, Department.code == ComplaintLine.department_code)
            .where(*mine, chosen, line_seen(actor))
            .order_by(ComplaintLine.visit_from, ComplaintLine.registered_at)
            .limit(MAX_DAY)
        )
        return [(line, name) for line, name in (await session.execute(query)).all()]

    async def _rows(self, session: AsyncSession, actor: Actor, ids: Sequence[str]) -> tuple[BoardRow, ...]:
        if not ids:
            return ()
        views = await self._register.views(session, actor, ServiceCase.id.in_(ids), limit=len(ids))
        cases = {view.case_id: view for view in views}
        timers = await self._book.timers(session, ids)
        parties = await session.execute(
            select(CaseParty.case_id, Department.name)
            .join(Department, Department.code == CaseParty.department_code)
            .where(CaseParty.case_id.in_(ids))
            .order_by(Department.name)
        )
        secret = await _secret_lines(session, actor, ids)
        departments: dict[str, list[str]] = {}
        for case_id, name in parties:
            departments.setdefault(case_id, []).append(name)
        return tuple(
            BoardRow(
                case=cases[case_id],
                limit=_first(actor, timers.get(case_id, ()), secret),
                departments=tuple(departments.get(case_id, ())),
            )
            for case_id in ids
            if case_id in cases
        )


async def _secret_lines(session: AsyncSession, actor: Actor, ids: Sequence[str]) -> frozenset[str]:
    """Return the lines of cases that the actor is not to know of."""
    query = select(ComplaintLine.id).where(ComplaintLine.case_id.in_(ids), not_(line_seen(actor)))
    return frozenset((await session.scalars(query)).all())


def _first(actor: Actor, timers: Sequence[TimerView], secret: frozenset[str]) -> TimerView | None:
    whole = actor.can(Permission.CASES_VIEW_ALL)
    running = [
        (timer.due_at is not None, timer.due_at or timer.started_at, timer.timer_id, timer)
        for timer in timers
        if timer.state in {TimerState.RUNNING, TimerState.CALENDAR_MISSING}
        and (whole or timer.owner.department == actor.department)
        and timer.record.line_id not in secret
    ]
    # First what nobody knows the end of.
    return min(running, key=lambda found: found[:3])[3] if running else None


def _due(actor: Actor, wanted: CaseFilter) -> Any:
    """Return when the first limit of a case ends; :data:`NEVER` where none runs, as in closed cases."""
    never = literal(NEVER, UtcDateTime())
    if wanted.is_open is False:
        return never
    # A limit that waits for a calendar stands where its start does: before those that are still to come.
    first = func.min(func.coalesce(LimitTimerRow.deadline_at, LimitTimerRow.started_at))
    query = select(first).where(
        LimitTimerRow.record_id == ServiceCase.id,
        LimitTimerRow.state.in_((TimerState.RUNNING.value, TimerState.CALENDAR_MISSING.value)),
    )
    if not actor.can(Permission.CASES_VIEW_ALL):
        query = query.where(LimitTimerRow.department == (actor.department or ""))
    due = query.correlate(ServiceCase).scalar_subquery()
    return func.coalesce(case((ServiceCase.closed_at.is_(None), due)), never, type_=UtcDateTime())


def _line(row: ComplaintLine, department: str, cases: dict[str, CaseView], *, visit: bool = False) -> DayLine:
    return DayLine(
        case=cases[row.case_id],
        line_id=row.id,
        status=LineStatus(row.status),
        department=department,
        reason=row.reject_reason,
        at=row.visit_from if visit else None,
        until=row.visit_until if visit else None,
    )
