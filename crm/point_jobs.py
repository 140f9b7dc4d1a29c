"""Repairs that the captain gives to a repair point 特约维修点 (domain.md §1.13): which, from when until when.

The repair stays the captain's: limits, visits and costs are written down as before. What happened while a
point had it counts for the point (:mod:`crm.point_figures`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import tidy_text
from crm.domain.case import CaseStatus
from crm.domain.repair import Route
from crm.domain.repair_point import agreement_holds
from crm.repair_point_tables import PointJob, RepairPoint
from crm.repair_read import RepairReader
from crm.repair_store import OpenedRepair, RepairStore
from kernel.access import Actor, Permission
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_NOTE = 200
MAX_LISTED = 50
GIVEN_IN = frozenset(
    {
        CaseStatus.ROUTED,
        CaseStatus.NOTIFIED,
        CaseStatus.CONTACTED,
        CaseStatus.APPOINTED,
        CaseStatus.VISITED,
    }
)


class JobEnd(StrEnum):
    """Why a point does not have a repair any more."""

    TAKEN_BACK = "taken_back"
    GIVEN_ON = "given_on"
    """To another point."""
    REROUTED = "rerouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointJobView:
    """A repair that a point has, or had."""

    job_id: str
    case_id: str
    point_id: str
    point: str
    phone: str
    given_at: datetime
    given_by: str
    note: str
    ended_at: datetime | None
    ended_by: str | None
    ended_how: JobEnd | None
    end_reason: str


class PointJobs:
    """Gives repairs to points, and takes them back.

    Args:
        zone: the site's; agreements hold on its days.
    """

    def __init__(self, store: RepairStore, reader: RepairReader, *, zone: ZoneInfo) -> None:
        self._store = store
        self._reader = reader
        self._zone = zone

    async def give(
        self, actor: Actor, case_id: str, *, expected: int, point_id: str, note: str = ""
    ) -> tuple[PointJobView, ...]:
        """Give a repair of the captain's to a point; one that another point has goes on with a reason.

        Raises:
            Forbidden: the role does not route repairs, or it is not the actor's.
            NotFound: no such repair or point.
            Conflict: it is not the captain's, is done, or somebody is on the way; the point has it already,
                or its agreement does not hold today.
            Invalid: it is taken from another point without a word why.
            StaleVersion: somebody changed it since.
        """
        actor.need(Permission.REPAIRS_ROUTE)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            _check_given(opened)
            point = await opened.session.get(RepairPoint, point_id) if is_ulid(point_id) else None
            if point is None:
                raise NotFound("no such repair point", field="point_id")
            today = opened.now.astimezone(self._zone).date()
            if not (point.active and agreement_holds(point.valid_from, point.valid_to, today)):
                raise Conflict("the point's agreement does not hold today", field="point_id")
            before = await _open_job(opened.session, case_id)
            why = tidy_text(note, field="note", limit=MAX_NOTE, required=before is not None)
            if before is not None:
                if before.point_id == point_id:
                    raise Conflict("the point has this repair already", field="point_id")
                _end(before, opened, JobEnd.GIVEN_ON, why)
                await opened.session.flush()
            opened.session.add(
                PointJob(
                    id=new_ulid(),
                    case_id=case_id,
                    point_id=point_id,
                    open_key=case_id,
                    given_at=opened.now,
                    given_by=actor.name,
                    note=why,
                )
            )
            opened.note(
                "repair.point_given",
                before={"point_id": before.point_id if before else None},
                after={"point_id": point_id, "point": point.name},
                why=why,
            )
        return await self.of_case(actor, case_id)

    async def take_back(
        self, actor: Actor, case_id: str, *, expected: int, why: str
    ) -> tuple[PointJobView, ...]:
        """Take a repair back from its point. Raises as :meth:`give`; Conflict: no point has it."""
        actor.need(Permission.REPAIRS_ROUTE)
        reason = tidy_text(why, field="why", limit=MAX_NOTE)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_works()
            _check_given(opened)
            job = await _open_job(opened.session, case_id)
            if job is None:
                raise Conflict("no repair point has it", field="point_id")
            _end(job, opened, JobEnd.TAKEN_BACK, reason)
            opened.note("repair.point_taken_back", before={"point_id": job.point_id}, why=reason)
        return await self.of_case(actor, case_id)

    async def of_case(self, actor: Actor, case_id: str) -> tuple[PointJobView, ...]:
        """Return which points have, or had, a repair; the latest first.

        Raises:
            NotFound: no such repair, or none that the actor may see.
        """
        await self._reader.get(actor, case_id)
        query = (
            select(PointJob, RepairPoint.name, RepairPoint.phone)
            .join(RepairPoint, RepairPoint.id == PointJob.point_id)
            .where(PointJob.case_id == case_id)
            .order_by(PointJob.id.desc())
            .limit(MAX_LISTED)
        )
        async with self._store.database.session() as session:
            return tuple(_view(*row) for row in (await session.execute(query)).all())


async def end_on_reroute(opened: OpenedRepair) -> None:
    """End what a point has of a repair that is routed anew, in the same transaction."""
    job = await _open_job(opened.session, opened.header.id)
    if job is not None:
        _end(job, opened, JobEnd.REROUTED, "")


def _check_given(opened: OpenedRepair) -> None:
    if opened.row.route != Route.CAPTAIN.value:
        raise Conflict("only what is routed to the captain goes to a repair point", field="route")
    if CaseStatus(opened.header.status) not in GIVEN_IN:
        raise Conflict("the repair is done: nobody else gets it", field="status")
    if opened.visit is not None:
        raise Conflict("somebody is on the way: finish that visit first", field="status")


async def _open_job(session: AsyncSession, case_id: str) -> PointJob | None:
    return await session.scalar(select(PointJob).where(PointJob.open_key == case_id))


def _end(job: PointJob, opened: OpenedRepair, how: JobEnd, why: str) -> None:
    job.open_key = None
    job.ended_at, job.ended_by = opened.now, opened.actor.name
    job.ended_how, job.end_reason = how.value, why


def _view(row: PointJob, point: str, phone: str) -> PointJobView:
    return PointJobView(
        job_id=row.id,
        case_id=row.case_id,
        point_id=row.point_id,
        point=point,
        phone=phone,
        given_at=row.given_at,
        given_by=row.given_by,
        note=row.note,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        ended_how=JobEnd(row.ended_how) if row.ended_how else None,
        end_reason=row.end_reason,
    )
