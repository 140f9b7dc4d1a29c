"""What is planned with repair points: visits, trainings, audits of parts and accounts (domain.md §1.13)."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select

from crm.cases import tidy_text
from crm.domain.lines import one_line
from crm.journal import Journal
from crm.repair_point_tables import PointVisit, RepairPoint
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.paging import MAX_PAGE, By, Page, cut, ordered

MAX_RESULT = 1000
MAX_LISTED = 200
LATEST = (By(PointVisit.planned_on, falling=True), By(PointVisit.id, falling=True))
FURTHEST = timedelta(days=366)


class VisitKind(StrEnum):
    """What it is."""

    VISIT = "visit"
    TRAINING = "training"
    AUDIT = "audit"
    """Parts and accounts are compared with the books 账务与配件审核."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPlanView:
    """Something planned, or done; ``sound`` says of an audit whether all agreed."""

    visit_id: str
    point_id: str
    kind: VisitKind
    planned_on: date
    topic: str
    planned_by: str
    late: bool
    done_on: date | None
    result: str
    sound: bool | None
    done_by: str | None
    version: int


class PointVisits:
    """Keeps the plan.

    Args:
        zone: the site's; days are its days.
    """

    def __init__(self, database: Database, clock: Clock, journal: Journal, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone

    async def of_point(self, actor: Actor, point_id: str) -> tuple[VisitPlanView, ...]:
        """Return what is planned and done with a point, the latest first. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(PointVisit).where(PointVisit.point_id == point_id)
        query = query.order_by(PointVisit.planned_on.desc(), PointVisit.id.desc()).limit(MAX_LISTED)
        async with self._database.session() as session:
            return tuple(self._view(row) for row in await session.scalars(query))

    async def page(
        self, actor: Actor, point_id: str, *, cursor: str | None = None, limit: int
    ) -> Page[VisitPlanView]:
        """Return a page of what is planned and done with a point. Raises Forbidden, Invalid."""
        actor.need(Permission.PROJECTS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(PointVisit).where(PointVisit.point_id == point_id).limit(limit + 1)
        async with self._database.session() as session:
            query = await ordered(session, query, PointVisit, LATEST, cursor=cursor)
            found = [self._view(row) for row in await session.scalars(query)]
        return cut(found, limit, lambda view: view.visit_id)

    async def plan(
        self, actor: Actor, point_id: str, kind: VisitKind, *, planned_on: date, topic: str
    ) -> VisitPlanView:
        """Plan something. Raises Forbidden, NotFound, Invalid."""
        actor.need(Permission.REPAIRS_WORK)
        if not self._today() <= planned_on <= self._today() + FURTHEST:
            raise Invalid("from today on, within a year", field="planned_on")
        row = PointVisit(
            id=new_ulid(),
            point_id=point_id,
            kind=kind.value,
            planned_on=planned_on,
            topic=one_line(topic, field="topic", limit=200),
            planned_at=self._clock.now(),
            planned_by=actor.name,
        )
        async with self._database.transaction() as session:
            if not is_ulid(point_id) or await session.get(RepairPoint, point_id) is None:
                raise NotFound("no such repair point", field="point_id")
            session.add(row)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "point_visit.plan",
                entity="repair_point",
                entity_id=point_id,
                after={"kind": row.kind, "planned_on": planned_on, "topic": row.topic},
            )
            return self._view(row)

    async def finish(
        self,
        actor: Actor,
        visit_id: str,
        expected: int,
        *,
        done_on: date,
        result: str,
        sound: bool | None = None,
    ) -> VisitPlanView:
        """Note what came of it; an audit says whether all agreed.

        Raises:
            Forbidden, NotFound, StaleVersion: as their names say.
            Conflict: that was noted already.
            Invalid: a day ahead, no result, or an audit without its verdict.
        """
        actor.need(Permission.REPAIRS_WORK)
        text = tidy_text(result, field="result", limit=MAX_RESULT)
        if done_on > self._today():
            raise Invalid("lies ahead", field="done_on")
        async with self._database.transaction() as session:
            query = select(PointVisit).where(PointVisit.id == visit_id).with_for_update()
            row = await session.scalar(query) if is_ulid(visit_id) else None
            if row is None:
                raise NotFound("nothing of this kind is planned", field="visit_id")
            if row.version != expected:
                raise StaleVersion("somebody else changed it; read it again", field="If-Match")
            if row.done_on is not None:
                raise Conflict("it was noted already", field="visit_id")
            if (row.kind == VisitKind.AUDIT) != (sound is not None):
                raise Invalid("say of an audit, and of nothing else, whether all agreed", field="sound")
            row.done_on, row.result, row.sound, row.done_by = done_on, text, sound, actor.name
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "point_visit.finish",
                entity="repair_point",
                entity_id=row.point_id,
                after={"kind": row.kind, "done_on": done_on, "sound": sound},
            )
            return self._view(row)

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    def _view(self, row: PointVisit) -> VisitPlanView:
        return VisitPlanView(
            visit_id=row.id,
            point_id=row.point_id,
            kind=VisitKind(row.kind),
            planned_on=row.planned_on,
            topic=row.topic,
            planned_by=row.planned_by,
            late=row.done_on is None and row.planned_on < self._today(),
            done_on=row.done_on,
            result=row.result or "",
            sound=row.sound,
            done_by=row.done_by,
            version=row.version,
        )
