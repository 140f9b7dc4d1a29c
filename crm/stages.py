"""Moves projects through their stages, and says so to whoever waits for it (domain.md §1.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import project_reads
from crm.domain.customer_rules import MAX_REASON
from crm.domain.lines import maybe_line, one_line
from crm.domain.payments import Period, settled
from crm.domain.project import Stage
from crm.domain.stages import (
    ENDED,
    Course,
    Delivery,
    Reach,
    appraise,
    correct,
    end,
    move_delivery,
    next_paid_stage,
    reach,
    resume,
    suspend,
)
from crm.events_people import (
    ProjectEnded,
    ProjectResumed,
    ProjectSuspended,
    StageCorrected,
)
from crm.gates import HANDOVER, ProjectGates, check_gate
from crm.office import Office, project_for_change
from crm.people_tables import StageEventRow, SuspensionRow
from crm.project_views import ProjectRecord
from crm.stage_rows import delivery_moved, planned_day, reached
from crm.tables import Project
from crm.warranty_items import follow_stage
from kernel.access import Actor, Permission
from kernel.errors import Invalid
from kernel.events import Event
from kernel.ids import new_ulid
from kernel.outbox import add_fact

MAX_NOTE = 400
MAX_PHOTOS = 999
MAX_POINTS = 100
"""Of an appraisal, up and down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStage:
    """A stage to register.

    Attributes:
        concealed_planned, midterm_planned: the start of work asks for both.
        warranty_until: entering the warranty asks for it.
        sheet_ref: number of the acceptance sheet; ``photos``: how many belong to it.
    """

    stage: Stage
    happened_on: date
    planned_on: date | None = None
    concealed_planned: date | None = None
    midterm_planned: date | None = None
    warranty_until: date | None = None
    sheet_ref: str | None = None
    photos: int = 0
    note: str | None = None


class ProjectStages:
    """Registers, corrects, suspends, ends."""

    def __init__(self, office: Office, gates: ProjectGates | None = None) -> None:
        self._office = office
        self._gates = gates

    async def register(
        self, actor: Actor, project_id: str, new: NewStage, *, expected: int | None
    ) -> ProjectRecord:
        """Register that a stage was reached. A payment that is there in full brings its stage at once.

        Raises:
            Forbidden: the role registers no stages.
            NotFound: no such project.
            StaleVersion: somebody changed it since.
            IllegalStep: the stage is not above the present one, or the project stands still.
            GateShut: handed over, it needs a completion callback that succeeded.
            Invalid: a day is out of order, or the stage asks for what is missing.
        """
        actor.need(Permission.PROJECTS_EDIT)
        if not 0 <= new.photos <= MAX_PHOTOS:
            raise Invalid(f"0 to {MAX_PHOTOS}", field="photos")
        sheet = maybe_line(new.sheet_ref, field="sheet_ref", limit=60)
        note = maybe_line(new.note, field="note", limit=MAX_NOTE)
        office = self._office
        async with office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            paid_up = settled(await project_reads.entries(session, row.id))
            step = Reach(
                stage=new.stage,
                on=new.happened_on,
                today=office.today(),
                concealed_planned=new.concealed_planned,
                midterm_planned=new.midterm_planned,
                warranty_until=new.warranty_until,
                settled=paid_up,
            )
            after = reach(course, step)
            if new.stage is Stage.DELIVERED:
                await check_gate(self._gates, session, row, HANDOVER)
            planned = new.planned_on or planned_day(course, new.stage)
            event = StageEventRow(
                id=new_ulid(), sheet_ref=sheet, photos=new.photos, note=note, planned_on=planned
            )
            reached(session, office, actor, row, event, new.stage, new.happened_on)
            if course.delivery is not after.delivery:
                delivery_moved(session, office, row, course.delivery, after.delivery)
            after = self.advance_paid(session, actor, row, after, paid_up, on=new.happened_on)
            project_reads.store_course(row, after)
            await follow_stage(session, office, actor, row, new.stage, new.happened_on)
            return await self._done(session, actor, row, course, after, "stage_registered")

    def advance_paid(
        self,
        session: AsyncSession,
        actor: Actor,
        row: Project,
        course: Course,
        paid_up: frozenset[Period],
        *,
        on: date,
    ) -> Course:
        """Enter the stage that payments in full bring (P10, P12), if they bring one."""
        stage = next_paid_stage(course, paid_up)
        if stage is None:
            return course
        today = self._office.today()
        after = reach(course, Reach(stage=stage, on=on, today=today, settled=paid_up))
        event = StageEventRow(id=new_ulid(), photos=0)
        reached(session, self._office, actor, row, event, stage, on)
        return after

    async def correct(
        self, actor: Actor, project_id: str, stage: Stage, *, reason: str, expected: int | None
    ) -> ProjectRecord:
        """Take a project back to a lower stage, or open an ended one again; later stages are voided.

        Raises:
            Forbidden: only the manager corrects.
            NotFound, StaleVersion: see :meth:`register`.
            IllegalStep: the stage is not below the present one.
            Invalid: no reason.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        office, now = self._office, self._office.now()
        async with office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            after = correct(course, stage)
            gone = select(StageEventRow).where(
                StageEventRow.project_id == row.id,
                StageEventRow.voided_at.is_(None),
                StageEventRow.stage > int(stage),
            )
            voided = (await session.execute(gone)).scalars().all()
            for event in voided:
                event.voided_at, event.voided_by, event.void_reason = now, actor.name, why
            row.cancelled_at, row.ended_reason = None, None
            add_fact(
                session,
                StageCorrected(
                    at=now,
                    project_id=row.id,
                    customer_id=row.customer_id,
                    contract_no=row.contract_no,
                    stage_was=int(course.stage),
                    stage=int(stage),
                    voided=tuple(sorted(event.stage for event in voided)),
                    reason=why,
                ),
            )
            return await self._done(session, actor, row, course, after, "stage_corrected", why=why)

    async def suspend(
        self, actor: Actor, project_id: str, *, since: date, reason: str, expected: int | None
    ) -> ProjectRecord:
        """Let the work stand still since a day 停工.

        Raises:
            Forbidden, NotFound, StaleVersion, IllegalStep, Invalid: see :meth:`register`.
        """
        actor.need(Permission.PROJECTS_EDIT)
        why = one_line(reason, field="reason", limit=MAX_REASON)

        def step(course: Course) -> Course:
            return suspend(course, on=since, today=self._office.today())

        def write(session: AsyncSession, row: Project) -> Event:
            session.add(
                SuspensionRow(id=new_ulid(), project_id=row.id, since=since, reason=why, by=actor.name)
            )
            return ProjectSuspended(
                at=self._office.now(),
                project_id=row.id,
                customer_id=row.customer_id,
                contract_no=row.contract_no,
                since=since,
                reason=why,
            )

        return await self._simple(actor, project_id, expected, step, write, "project_suspended", why)

    async def resume(
        self, actor: Actor, project_id: str, *, until: date, expected: int | None
    ) -> ProjectRecord:
        """Let the work go on where it stood; ``until`` is the first day of work again.

        Raises:
            Forbidden, NotFound, StaleVersion, IllegalStep, Invalid: see :meth:`register`.
        """
        actor.need(Permission.PROJECTS_EDIT)
        office = self._office
        async with office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            after = resume(course, on=until, today=office.today())
            query = select(SuspensionRow).where(
                SuspensionRow.project_id == row.id, SuspensionRow.until.is_(None)
            )
            for still in (await session.execute(query)).scalars():
                still.until, still.resumed_by = until, actor.name
            add_fact(
                session,
                ProjectResumed(
                    at=office.now(),
                    project_id=row.id,
                    customer_id=row.customer_id,
                    contract_no=row.contract_no,
                    stage=int(after.stage),
                    since=course.suspended_on or until,
                    until=until,
                ),
            )
            return await self._done(session, actor, row, course, after, "project_resumed")

    async def end(
        self, actor: Actor, project_id: str, stage: Stage, *, reason: str, expected: int | None
    ) -> ProjectRecord:
        """Cancel the contract 退单 (-1) or write down that it was terminated 合同异常终止 (-3).

        Raises:
            Forbidden: only the manager ends a project.
            NotFound, StaleVersion, IllegalStep, Invalid: see :meth:`register`.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        if stage not in ENDED:
            raise Invalid("-1 cancelled or -3 terminated", field="stage")
        why = one_line(reason, field="reason", limit=MAX_REASON)

        def write(session: AsyncSession, row: Project) -> Event:
            row.cancelled_at, row.ended_reason = self._office.now(), why
            return ProjectEnded(
                at=self._office.now(),
                project_id=row.id,
                customer_id=row.customer_id,
                contract_no=row.contract_no,
                stage=int(stage),
                reason=why,
            )

        async with self._office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            after = end(course, stage)
            query = select(SuspensionRow).where(
                SuspensionRow.project_id == row.id, SuspensionRow.until.is_(None)
            )
            for still in (await session.execute(query)).scalars():
                still.until, still.resumed_by = max(self._office.today(), still.since), actor.name
            add_fact(session, write(session, row))
            return await self._done(session, actor, row, course, after, "project_ended", why=why)

    async def move_delivery(
        self, actor: Actor, project_id: str, to: Delivery, *, expected: int | None
    ) -> ProjectRecord:
        """Set the next state of the hand-over; ``W`` is what registering stage 90 does.

        Raises:
            Forbidden, NotFound, StaleVersion, IllegalStep, GateShut: see :meth:`register`.
        """
        actor.need(Permission.PROJECTS_EDIT)
        async with self._office.database.transaction() as session:
            return await self.move_delivery_in(session, actor, project_id, to, expected=expected)

    async def move_delivery_in(
        self,
        session: AsyncSession,
        actor: Actor,
        project_id: str,
        to: Delivery,
        *,
        expected: int | None,
        why: str = "",
    ) -> ProjectRecord:
        """Do :meth:`move_delivery` in the caller's transaction."""
        actor.need(Permission.PROJECTS_EDIT)
        row = await project_for_change(session, project_id, expected)
        course = await project_reads.course_of(session, row)
        after = move_delivery(course, to)
        if to is Delivery.CALLED and actor.role is not None:
            # By hand nobody says that the callback succeeded when it did not; its own result says so itself.
            await check_gate(self._gates, session, row, HANDOVER)
        delivery_moved(session, self._office, row, course.delivery, after.delivery)
        return await self._done(session, actor, row, course, after, "delivery_moved", why=why)

    async def appraise(
        self, actor: Actor, project_id: str, points: int | None, note: str | None, *, expected: int | None
    ) -> ProjectRecord:
        """Post the project's appraisal 绩效考核, which the hand-over waits for (P13).

        Args:
            points: what the project's people gain or lose; ``None``: the manager goes without an appraisal,
                and ``note`` says why.

        Raises:
            Forbidden: only the manager does.
            NotFound, StaleVersion: see :meth:`register`.
            IllegalStep: it is posted already.
            Invalid: the callback has not passed, the points cannot be, or there is no reason.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        if points is not None and not -MAX_POINTS <= points <= MAX_POINTS:
            raise Invalid(f"-{MAX_POINTS} to {MAX_POINTS}", field="points")
        if points is None:
            note = one_line(note or "", field="note", limit=MAX_NOTE)
        note = maybe_line(note, field="note", limit=MAX_NOTE)
        async with self._office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            after = appraise(course)
            row.appraised_at, row.appraised_by = self._office.now(), actor.name
            row.appraisal_points, row.appraisal_note = points, note
            action = "appraisal_posted" if points is not None else "appraisal_waived"
            return await self._done(session, actor, row, course, after, action, why=note or "")

    async def expire_warranties(self, actor: Actor) -> int:
        """Move projects whose warranty has run out to stage 99 (P15); return how many."""
        actor.need(Permission.PROJECTS_EDIT)
        office = self._office
        query = select(Project.id).where(
            Project.stage == int(Stage.IN_WARRANTY), Project.warranty_until < office.today()
        )
        async with office.database.session() as session:
            due = (await session.execute(query.order_by(Project.id).limit(500))).scalars().all()
        moved = 0
        for project_id in due:
            async with office.database.transaction() as session:
                row = await project_for_change(session, project_id, None)
                course = await project_reads.course_of(session, row)
                if course.stage is not Stage.IN_WARRANTY:
                    continue
                on = office.today()
                after = reach(course, Reach(stage=Stage.OUT_OF_WARRANTY, on=on, today=on))
                event = StageEventRow(id=new_ulid(), photos=0)
                reached(session, office, actor, row, event, Stage.OUT_OF_WARRANTY, on)
                await self._done(session, actor, row, course, after, "stage_registered")
                moved += 1
        return moved

    async def _simple(
        self,
        actor: Actor,
        project_id: str,
        expected: int | None,
        step: Callable[[Course], Course],
        write: Callable[[AsyncSession, Project], Event],
        action: str,
        why: str,
    ) -> ProjectRecord:
        async with self._office.database.transaction() as session:
            row = await project_for_change(session, project_id, expected)
            course = await project_reads.course_of(session, row)
            after = step(course)
            add_fact(session, write(session, row))
            return await self._done(session, actor, row, course, after, action, why=why)

    async def _done(
        self,
        session: AsyncSession,
        actor: Actor,
        row: Project,
        before: Course,
        after: Course,
        action: str,
        *,
        why: str = "",
    ) -> ProjectRecord:
        project_reads.store_course(row, after)
        row.updated_at, row.updated_by = self._office.now(), actor.name
        await session.flush()
        await self._office.journal.note(
            session,
            actor,
            action,
            entity="project",
            entity_id=row.id,
            before={"stage": before.stage, "delivery_state": before.delivery},
            after={"stage": after.stage, "delivery_state": after.delivery},
            why=why,
        )
        return await project_reads.record(session, actor, row.id)
