"""What repair points did, month by month, counted from the records (domain.md §1.13).

Whatever happened to a repair counts for the point that had it at that moment (:mod:`crm.point_jobs`), in the
site's month in which it happened. A repair comes back when the same place of the same home is registered
again within :data:`crm.crew_repairs.AGAIN`; that counts for the point that had it last, in the month of the
new registration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from crm.crew_repairs import AGAIN, NOTHING
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import Verdict
from crm.domain.repair_point import CENT, PartKind
from crm.domain.warranty import RepairClass
from crm.months import month_of, month_period
from crm.repair_point_tables import MonthlyAccount, PartIssue, PointJob, RepairPoint
from crm.repair_tables import RepairCallbackRow, RepairCostRow, RepairRow, RepairVisitRow
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid

LONGEST = 12
"""Months read at once."""


@dataclass(slots=True, kw_only=True)
class PointFigures:
    """A point in a month.

    Attributes:
        repairs: given to it.
        visits: finished; ``on_time`` of the ``appointed`` ones began before their time was over.
        costed, cost: repairs whose cost was computed, and what it is altogether.
        budget, actual: of the month's account, ``None`` where there is none.
        parts: spare parts it got, less those it gave back.
        repeats: its repairs that came back; ``repeats_warranted`` of them under the home's warranty.
        closed, first_time: repairs closed of which it is known whether one visit was enough, and those.
        answered, satisfied: callbacks with an answer about satisfaction, and the satisfied ones.
    """

    point_id: str
    point: str
    month: str
    repairs: int = 0
    visits: int = 0
    appointed: int = 0
    on_time: int = 0
    costed: int = 0
    cost: Decimal = NOTHING
    budget: Decimal | None = None
    actual: Decimal | None = None
    parts: Decimal = NOTHING
    repeats: int = 0
    repeats_warranted: int = 0
    closed: int = 0
    first_time: int = 0
    answered: int = 0
    satisfied: int = 0


class PointFigureReader:
    """Counts.

    Args:
        zone: the site's; months are its months.
    """

    def __init__(self, database: Database, *, zone: ZoneInfo) -> None:
        self._database = database
        self._zone = zone

    async def month(self, actor: Actor, month: str) -> tuple[PointFigures, ...]:
        """Return every point in a month, also those that did nothing; by name.

        Raises:
            Forbidden: the role does not see what points cost.
            Invalid: no month.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        month_period(month, self._zone)
        async with self._database.session() as session:
            names = await _names(session)
            found = await _Count(session, self._zone, names, [month]).read()
        return tuple(sorted(found.values(), key=lambda one: (one.point, one.point_id)))

    async def of_point(
        self, actor: Actor, point_id: str, *, until: str, months: int = LONGEST
    ) -> tuple[PointFigures, ...]:
        """Return the months of a point up to ``until``, the latest first. Raises as above, and NotFound."""
        actor.need(Permission.DEPOSITS_VIEW)
        if not 0 < months <= LONGEST:
            raise Invalid(f"between 1 and {LONGEST}", field="months")
        month_period(until, self._zone)
        async with self._database.session() as session:
            names = {key: name for key, name in (await _names(session)).items() if key == point_id}
            if not is_ulid(point_id) or not names:
                raise NotFound("no such repair point", field="point_id")
            found = await _Count(session, self._zone, names, _before(until, months)).read()
        return tuple(sorted(found.values(), key=lambda one: one.month, reverse=True))

    async def stock(self, actor: Actor, point_id: str) -> tuple[tuple[str, Decimal], ...]:
        """Return what a point still has of which part, of all that it ever got. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        sign = case((PartIssue.kind == PartKind.ISSUE.value, 1), else_=-1)
        left = func.sum(sign * PartIssue.quantity)
        query = select(PartIssue.part, left).where(PartIssue.point_id == point_id).group_by(PartIssue.part)
        async with self._database.session() as session:
            rows = (await session.execute(query.order_by(PartIssue.part))).all()
        found = ((str(part), Decimal(str(count)).quantize(CENT)) for part, count in rows)
        return tuple((part, count) for part, count in found if count)


async def _names(session: AsyncSession) -> dict[str, str]:
    rows = await session.execute(select(RepairPoint.id, RepairPoint.name))
    return {str(key): str(name) for key, name in rows}


def _before(last: str, many: int) -> list[str]:
    """Return months up to ``last``, in order."""
    number = int(last[:4]) * 12 + int(last[5:]) - 1
    return [f"{one // 12:04d}-{one % 12 + 1:02d}" for one in range(number - many + 1, number + 1)]


def had_it(moment: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return that the point of the joined job had the repair at a moment."""
    return and_(PointJob.given_at <= moment, or_(PointJob.ended_at.is_(None), moment < PointJob.ended_at))


class _Count:
    """One reading: each query adds to the months of the points."""

    def __init__(
        self, session: AsyncSession, zone: ZoneInfo, names: Mapping[str, str], months: list[str]
    ) -> None:
        self._session = session
        self._zone = zone
        self._months = months
        self._since, self._until = month_period(months[0], zone)[0], month_period(months[-1], zone)[1]
        self._only = next(iter(names)) if len(names) == 1 else None
        self.found = {
            (key, month): PointFigures(point_id=key, point=name, month=month)
            for key, name in names.items()
            for month in months
        }

    async def read(self) -> dict[tuple[str, str], PointFigures]:
        await self._jobs()
        await self._visits()
        await self._costs()
        await self._callbacks()
        await self._closed()
        await self._repeats()
        await self._accounts()
        return self.found

    def _of(self, point_id: str, at: datetime | str) -> PointFigures:
        month = at if isinstance(at, str) else month_of(at, self._zone)
        return self.found[point_id, month]

    def _when(self, moment: InstrumentedAttribute[Any]) -> list[ColumnElement[bool]]:
        chosen = [moment >= self._since, moment < self._until]
        return chosen if self._only is None else [*chosen, PointJob.point_id == self._only]

    async def _jobs(self) -> None:
        query = select(PointJob.point_id, PointJob.case_id, PointJob.given_at)
        seen: set[tuple[str, str, str]] = set()
        for row in await self._session.execute(query.where(*self._when(PointJob.given_at))):
            key = (row.point_id, row.case_id, month_of(row.given_at, self._zone))
            self._of(row.point_id, row.given_at).repairs += key not in seen
            seen.add(key)

    async def _visits(self) -> None:
        query = (
            select(
                PointJob.point_id,
                RepairVisitRow.arrived_at,
                RepairVisitRow.done_at,
                RepairVisitRow.appointed_until,
            )
            .join(PointJob, PointJob.case_id == RepairVisitRow.case_id)
            .where(had_it(RepairVisitRow.done_at), *self._when(RepairVisitRow.done_at))
        )
        for row in await self._session.execute(query):
            one = self._of(row.point_id, row.done_at)
            one.visits += 1
            if row.appointed_until is not None and row.arrived_at is not None:
                one.appointed += 1
                one.on_time += row.arrived_at <= row.appointed_until

    async def _costs(self) -> None:
        query = (
            select(PointJob.point_id, RepairCostRow.costed_at, RepairCostRow.total)
            .join(PointJob, PointJob.case_id == RepairCostRow.case_id)
            .where(had_it(RepairCostRow.costed_at), *self._when(RepairCostRow.costed_at))
        )
        for row in await self._session.execute(query):
            one = self._of(row.point_id, row.costed_at)
            one.costed += 1
            one.cost += row.total

    async def _callbacks(self) -> None:
        asked = (Verdict.SATISFIED.value, Verdict.NEUTRAL.value, Verdict.DISSATISFIED.value)
        query = (
            select(PointJob.point_id, RepairCallbackRow.at, RepairCallbackRow.verdict)
            .join(PointJob, PointJob.case_id == RepairCallbackRow.case_id)
            .where(
                RepairCallbackRow.verdict.in_(asked),
                had_it(RepairCallbackRow.at),
                *self._when(RepairCallbackRow.at),
            )
        )
        for row in await self._session.execute(query):
            one = self._of(row.point_id, row.at)
            one.answered += 1
            one.satisfied += row.verdict == Verdict.SATISFIED.value

    async def _closed(self) -> None:
        query = (
            select(PointJob.point_id, ServiceCase.closed_at, RepairRow.first_time_fix)
            .join(PointJob, PointJob.case_id == ServiceCase.id)
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .where(
                ServiceCase.status == CaseStatus.CLOSED.value,
                RepairRow.first_time_fix.is_not(None),
                had_it(ServiceCase.closed_at),
                *self._when(ServiceCase.closed_at),
            )
        )
        for row in await self._session.execute(query):
            one = self._of(row.point_id, row.closed_at)
            one.closed += 1
            one.first_time += bool(row.first_time_fix)

    async def _repeats(self) -> None:
        had = (
            select(ServiceCase.customer_id)
            .join(PointJob, PointJob.case_id == ServiceCase.id)
            .where(ServiceCase.opened_at >= self._since - AGAIN)
        )
        if self._only is not None:
            had = had.where(PointJob.point_id == self._only)
        query = (
            select(
                ServiceCase.project_id,
                ServiceCase.customer_id,
                ServiceCase.opened_at,
                RepairRow.place,
                RepairRow.repair_class,
                PointJob.point_id,
            )
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .outerjoin(PointJob, and_(PointJob.case_id == ServiceCase.id, PointJob.ended_at.is_(None)))
            .where(
                ServiceCase.kind == CaseKind.REPAIR.value,
                # Homes that no point had anything of need not be read.
                ServiceCase.customer_id.in_(had),
                ServiceCase.opened_at >= self._since - AGAIN,
                ServiceCase.opened_at < self._until,
            )
            .order_by(ServiceCase.opened_at, ServiceCase.id)
        )
        last: dict[tuple[str, str], tuple[datetime, str | None]] = {}
        for row in await self._session.execute(query):
            place = (row.project_id or row.customer_id, row.place.strip().casefold())
            before, last[place] = last.get(place), (row.opened_at, row.point_id)
            if before is None or row.opened_at < self._since or row.opened_at - before[0] > AGAIN:
                continue
            point_id = before[1]
            if point_id is None or (self._only is not None and point_id != self._only):
                continue
            one = self._of(point_id, row.opened_at)
            one.repeats += 1
            one.repeats_warranted += row.repair_class == RepairClass.IN_WARRANTY.value

    async def _accounts(self) -> None:
        accounts = select(MonthlyAccount).where(MonthlyAccount.month.in_(self._months))
        parts = select(PartIssue).where(PartIssue.month.in_(self._months))
        if self._only is not None:
            accounts = accounts.where(MonthlyAccount.point_id == self._only)
            parts = parts.where(PartIssue.point_id == self._only)
        for account in await self._session.scalars(accounts):
            one = self._of(account.point_id, account.month)
            one.budget, one.actual = account.budget, account.actual
        for part in await self._session.scalars(parts):
            worth = (part.quantity * part.price).quantize(CENT)
            one = self._of(part.point_id, part.month)
            one.parts += worth if part.kind == PartKind.ISSUE.value else -worth
