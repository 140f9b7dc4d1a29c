"""Callback tasks: planned, held, released and cancelled by facts, moved by steps (domain.md §1.2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.asked_again import ask_again
from callback_campaigns.assignment import to_same_agent
from callback_campaigns.domain import planning, task_steps
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.plan_rules import PlanRules, TriggerKind, When
from callback_campaigns.domain.planning import Calendar, Plan, PlanContext, Planned, Trigger
from callback_campaigns.domain.task import CancelWhy, Effect, Hold, Moved, RetryTimes, Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Origin, is_frozen_by
from callback_campaigns.domain.windows import CallingWindows, CallWish
from callback_campaigns.invalid_attempts import note_invalid
from callback_campaigns.number_fixes import carry_out_now, numbers_changed
from callback_campaigns.regrading import regrade
from callback_campaigns.task_facts import About, is_past, trigger_of
from callback_campaigns.task_hours import openings, preferred_hours, store_of
from callback_campaigns.task_notices import callback_due, work_goes_on
from callback_campaigns.task_store import (
    add_step,
    current_key,
    locked,
    locked_one,
    new_row,
    put,
    tell,
    to_task,
)
from callback_campaigns.task_tables import CallbackStopRow, CallbackTaskRow
from crm import people_reads
from crm.calendar_book import CalendarBook
from crm.domain.customer import Level
from crm.domain.freeze import FreezeScope
from crm.domain.project import Stage
from crm.events_cases import CaseClosed, LineDone, SeverityRaised
from crm.events_people import (
    CustomerFrozen,
    CustomerThawed,
    LevelSet,
    NumbersChanged,
    ProjectEnded,
    ProjectResumed,
    ProjectSuspended,
    StageCorrected,
    ThawAnswered,
)
from crm.events_repairs import RepairClosed, RepairVisitFinished
from crm.events_tickets import RevisitWanted
from crm.members import Members
from crm.office import Office, current_id
from crm.people_tables import FreezeRow, StageEventRow
from crm.tables import Customer, Project, ServiceCase, Store
from crm.warranty_items import ends_of
from kernel.errors import NotFound, StaleVersion
from kernel.events import Event
from kernel.ids import is_ulid, new_ulid

log = structlog.get_logger(__name__)

OPEN = CallbackTaskRow.current_key.is_not(None)
TIMERS = "timers"
Step = Callable[[Task], Moved]


class CallbackTasks:
    """Keeps the tasks. What takes a session works inside the caller's transaction.

    Args:
        rules: which event makes which callback.
        dialling: the hours that a plan looks for a moment in.
        members: knows who works here still; without it, whoever led a talk is taken to.
    """

    def __init__(
        self,
        office: Office,
        rules: PlanRules,
        dialling: DialFile,
        calendar: CalendarBook,
        members: Members | None = None,
    ) -> None:
        self._office = office
        self.rules = rules
        self._dialling = dialling
        self._book = calendar
        self._members = members

    async def calendar(self, session: AsyncSession) -> Calendar:
        """Return the clocks that plans are made by."""
        clocks = await self._book.clocks(session)
        windows = CallingWindows(self._dialling.calling, clocks.calendar, self._office.zone)
        return Calendar(windows, clocks)

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Do what a fact means for tasks. Told twice, it is done once: keys and states see to that.

        Raises:
            CalendarYearMissing: a callback would lie in a year that is not loaded; try again once it is.
            IllegalStep: the customer is just being called about the task that would be replaced or changed.
        """
        now = self._office.now()
        match fact:
            case StageCorrected():
                kinds = [kind for kind, rule in self.rules.types.items() if rule.when.stage in fact.voided]
                mine = CallbackTaskRow.project_id == fact.project_id
                chosen = CallbackTaskRow.kind.in_([kind.value for kind in kinds])
                await self._cancel(session, CancelWhy.STAGE_CORRECTED, mine, chosen)
            case ProjectSuspended():
                await self._site(session, fact.project_id, lambda task: task_steps.hold(task, Hold.PROJECT))
            case ProjectResumed():
                await self._site(
                    session,
                    fact.project_id,
                    lambda task: task_steps.release(task, Hold.PROJECT, now=now),
                )
            case ProjectEnded():
                mine = CallbackTaskRow.project_id == fact.project_id
                about = CallbackTaskRow.category.in_([Category.SITE.value, Category.WARRANTY.value])
                await self._cancel(session, CancelWhy.PROJECT_ENDED, mine, about)
                await self.plan_from(session, fact)
            case CustomerFrozen() | CustomerThawed():
                await self._freeze(session, fact.customer_id)
            case ThawAnswered():
                await self._answer(session, fact)
            case CaseClosed() | RepairClosed():
                await self._cancel(session, CancelWhy.CASE_CLOSED, CallbackTaskRow.case_id == fact.case_id)
            case NumbersChanged():
                await numbers_changed(session, self, fact.customer_id, now=now)
            case RevisitWanted():
                await ask_again(session, self, fact, by=TIMERS)
            case SeverityRaised() | LevelSet():
                await regrade(session, self, fact)
            case _:
                await self.plan_from(session, fact)

    async def plan_from(self, session: AsyncSession, fact: Event) -> Plan:
        """Plan the callbacks that a fact makes due; see :meth:`take`."""
        about = None
        if isinstance(fact, LineDone | RepairVisitFinished):
            case = await session.get(ServiceCase, fact.case_id)
            about = About(case.customer_id, case.project_id) if case is not None else None
        trigger = trigger_of(fact, today=self._office.today(), about=about)
        return await self.plan_for(session, trigger) if trigger is not None else Plan()

    async def plan_by_hand(
        self, session: AsyncSession, kind: CallbackType, trigger: Trigger, *, origin: Origin = Origin.MANUAL
    ) -> Task | None:
        """Plan a callback for the day of ``trigger``; ``None`` when the same was planned before.

        Raises:
            Invalid: the day has passed.
            CalendarYearMissing: its year is not loaded.
            IllegalStep: the customer is just being called about the task that would be replaced.
        """
        context = await self.context(session, trigger, None)
        if planning.key_of(kind, trigger) in context.known_keys:
            return None
        made = planning.by_hand(
            self.rules,
            kind,
            trigger,
            context,
            await self.calendar(session),
            now=self._office.now(),
            new_id=new_ulid,
            origin=origin,
        )
        return await self.add(session, made)

    async def apply(
        self,
        session: AsyncSession,
        task_id: str,
        name: str,
        step: Step,
        *,
        by: str,
        expected: int | None = None,
    ) -> Moved:
        """Move a task by a step of the rules, and write it down; return what follows from it.

        When a point of a plan is over, the next one is planned in the same transaction.

        Raises:
            NotFound: no such task.
            IllegalStep: it is not in a state for this step.
            StaleVersion: somebody changed it since ``expected`` was read.
        """
        row = await locked_one(session, task_id) if is_ulid(task_id) else None
        if row is None:
            raise NotFound("no such callback task", field="task_id")
        if expected is not None and row.version != expected:
            raise StaleVersion("the task was changed by somebody else; read it again", field="If-Match")
        return await self.apply_to(session, row, name, step, by=by)

    async def apply_to(
        self, session: AsyncSession, row: CallbackTaskRow, name: str, step: Step, *, by: str
    ) -> Moved:
        """Do :meth:`apply` to a task that the caller has locked; its older records are not read."""
        task = to_task(row)
        moved = step(task)
        await self._store(session, row, task, moved, name, by)
        if task.status.is_open and not moved.task.status.is_open:
            await self._follow(session, moved.task)
        return moved

    async def follow_up(self, session: AsyncSession, task_id: str, *effects: Effect) -> None:
        """Tell what follows from a talk besides what the task's own step says."""
        row = await session.get_one(CallbackTaskRow, task_id)
        await self._tell(session, to_task(row), effects, row.attempt_id)

    async def _tell(
        self, session: AsyncSession, task: Task, effects: Sequence[Effect], attempt_id: str | None
    ) -> None:
        other, owed = await carry_out_now(session, self._office, task, effects, attempt_id)
        tell(session, task, owed, now=self._office.now(), attempt_id=attempt_id)
        if other:
            await numbers_changed(session, self, task.customer_id, now=self._office.now())

    async def bring_due(self, rows: Sequence[CallbackTaskRow]) -> None:
        """Make the tasks whose time has come ready; a handler of :class:`kernel.due.DueWorker`."""
        now = self._office.now()
        ids = [row.id for row in rows]
        async with self._office.database.transaction() as session:
            waiting = CallbackTaskRow.due_at.is_not(None)
            for row in await locked(session, CallbackTaskRow.id.in_(ids), waiting):
                task = to_task(row)
                moved = task_steps.due(task, now=now)
                await self._store(session, row, task, moved, "due", TIMERS)
                if moved.task.status is TaskStatus.READY and task.status is not TaskStatus.READY:
                    callback_due(session, row, moved.task, self.rules.types[task.kind].name, now=now)

    async def plan_for(
        self, session: AsyncSession, trigger: Trigger, *, point_after: date | None = None
    ) -> Plan:
        """Plan what an event makes due; see :meth:`take`."""
        try:
            trigger = replace(trigger, customer_id=await current_id(session, trigger.customer_id))
        except NotFound:
            log.warning("callback_customer_unknown", ref=trigger.ref)
            return Plan()
        if await is_past(session, trigger):
            log.info("callback_no_longer_due", ref=trigger.ref, kind=trigger.when.kind.value)
            return Plan()
        context = await self.context(session, trigger, point_after)
        made = planning.plan(
            self.rules,
            trigger,
            context,
            await self.calendar(session),
            now=self._office.now(),
            new_id=new_ulid,
        )
        for one in made.tasks:
            await self.add(session, one)
        if made.warnings:
            event = await session.get(StageEventRow, trigger.ref)
            by = event.recorded_by if event is not None else ""
            work_goes_on(session, self.rules, made.warnings, trigger, by, now=self._office.now())
        return made

    async def add(self, session: AsyncSession, made: Planned) -> Task:
        """Write a planned task down; it takes the place of the one of its type that waits (CB-1)."""
        now, new = self._office.now(), made.task
        rows = await locked(session, CallbackTaskRow.current_key == current_key(new))
        old = to_task(rows[0]) if rows else None
        replaced, new = task_steps.take_place(old, new, now=now)
        if replaced is not None and old is not None:
            await self._store(session, rows[0], old, Moved(replaced), "replaced", TIMERS)
            await session.flush()
        row = new_row(new, first_by=made.first_by, now=now)
        session.add(row)
        add_step(session, new, "planned", by=TIMERS, now=now, was=None, detail={"origin": new.origin.value})
        await session.flush()
        await to_same_agent(session, row, rows[0] if rows else None, self._members)
        return new

    async def context(self, session: AsyncSession, trigger: Trigger, point_after: date | None) -> PlanContext:
        """Return what the plan has to know of customer and project."""
        customer = await session.get_one(Customer, trigger.customer_id)
        project = await session.get(Project, trigger.project_id) if trigger.project_id else None
        store_id = (project.store_id if project else None) or customer.store_id
        store = await session.get(Store, store_id) if store_id else None
        known = select(CallbackTaskRow.key).where(CallbackTaskRow.origin_ref == trigger.ref)
        severe = select(ServiceCase.severity).where(ServiceCase.id == trigger.case_id)
        stopped, open_types = list[str](), list[str]()
        if trigger.project_id:
            stops = select(CallbackStopRow.kind).where(CallbackStopRow.project_id == trigger.project_id)
            stopped = list(await session.scalars(stops))
            mine = CallbackTaskRow.project_id == trigger.project_id
            open_types = list(await session.scalars(select(CallbackTaskRow.kind).where(mine, OPEN)))
        return PlanContext(
            store=store.name if store else None,
            level=Level(customer.level),
            preferred=preferred_hours(customer),
            stopped=frozenset(CallbackType(kind) for kind in stopped),
            freezes=await self.freezes(session, trigger.customer_id),
            suspended=project is not None and project.stage == Stage.SUSPENDED,
            known_keys=frozenset(await session.scalars(known)),
            open_types=frozenset(CallbackType(kind) for kind in open_types),
            warranty_ends=await ends_of(session, project) if project else (),
            point_after=point_after,
            severity=await session.scalar(severe),
        )

    async def freezes(self, session: AsyncSession, customer_id: str) -> frozenset[FreezeScope]:
        """Return the scopes of a customer's freezes in force."""
        mine = (FreezeRow.customer_id == customer_id, FreezeRow.thawed_at.is_(None))
        views = await people_reads.freezes(session, self._office.today(), *mine)
        return frozenset(view.scope for view in views if view.active)

    async def _freeze(self, session: AsyncSession, customer_id: str) -> None:
        """Hold or release a customer's tasks by the freezes in force now: facts may come late or twice."""
        try:
            customer_id = await current_id(session, customer_id)
        except NotFound:
            return
        scopes, now = await self.freezes(session, customer_id), self._office.now()
        for row in await locked(session, CallbackTaskRow.customer_id == customer_id, OPEN):
            task = to_task(row)
            if any(is_frozen_by(task.category, scope) for scope in scopes):
                if Hold.CUSTOMER not in task.holds:
                    await self._store(
                        session, row, task, task_steps.hold(task, Hold.CUSTOMER), "frozen", TIMERS
                    )
            elif Hold.CUSTOMER in task.holds:
                moved = task_steps.release(task, Hold.CUSTOMER, now=now)
                await self._store(session, row, task, moved, "thawed", TIMERS)

    async def _answer(self, session: AsyncSession, fact: ThawAnswered) -> None:
        await self._freeze(session, fact.customer_id)
        customer_id = await current_id(session, fact.customer_id)
        now, on = self._office.now(), self._office.today()
        needed: CallbackType | None = None
        if fact.callback_needed and fact.callback_kind and fact.callback_on:
            needed = CallbackType(fact.callback_kind)
            on = max(fact.callback_on, on)
        asked = False
        for row in await locked(session, CallbackTaskRow.customer_id == customer_id, OPEN):
            task = to_task(row)
            if Hold.QUESTION in task.holds:
                wanted = task.kind is needed
                at = await self._opening(session, task, on) if wanted else None
                moved = task_steps.answer_thaw(task, needed_at=at, now=now)
                await self._store(session, row, task, moved, "thaw_answered", TIMERS)
                if not moved.task.status.is_open:
                    await self._follow(session, moved.task)
            # One of the kind that waits already is the one that was asked for.
            asked = asked or task.kind is needed
        if needed is None or asked:
            return
        trigger = Trigger(
            when=When(TriggerKind.MANUAL),
            ref=f"thaw:{fact.freeze_id}",
            at=now,
            on=on,
            customer_id=customer_id,
        )
        await self.plan_by_hand(session, needed, trigger, origin=Origin.THAW)

    async def wish(self, session: AsyncSession, task: Task) -> CallWish:
        """Return what a call about a task asks of the hours."""
        customer = await session.get_one(Customer, task.customer_id)
        rule = self.rules.of(task.kind, await store_of(session, task))
        return planning.wish_for(task, rule, preferred_hours(customer))

    async def retry_times(self, session: AsyncSession, task: Task, dialling: DialFile) -> RetryTimes:
        """Return when a task may be tried again: in the hours of an ordinary call, appointed or not."""
        windows = (await self.calendar(session)).windows
        wish = await self.wish(session, replace(task, appointed=False))
        return RetryTimes(opens=openings(windows, wish), policy=dialling.retry)

    async def opening_today(self, session: AsyncSession, task: Task) -> datetime:
        """Return when a call about a task may begin from now on."""
        return await self._opening(session, task, self._office.today())

    async def _opening(self, session: AsyncSession, task: Task, on: date) -> datetime:
        windows = (await self.calendar(session)).windows
        since = max(windows.midnight(on), self._office.now())
        wish = await self.wish(session, replace(task, appointed=False))
        return windows.opens(since, wish) or since

    async def _site(self, session: AsyncSession, project_id: str, step: Step) -> None:
        mine = (CallbackTaskRow.project_id == project_id, CallbackTaskRow.category == Category.SITE.value)
        for row in await locked(session, *mine, OPEN):
            task = to_task(row)
            moved = step(task)
            if moved.task != task:
                await self._store(session, row, task, moved, "standstill", TIMERS)

    async def _cancel(self, session: AsyncSession, why: CancelWhy, *chosen: ColumnElement[bool]) -> None:
        now = self._office.now()
        for row in await locked(session, *chosen, OPEN):
            task = to_task(row)
            moved = task_steps.cancel(task, why, now=now)
            await self._store(session, row, task, moved, "cancelled", TIMERS)

    async def _store(
        self, session: AsyncSession, row: CallbackTaskRow, task: Task, moved: Moved, name: str, by: str
    ) -> None:
        if moved.task == task:
            return
        put(row, moved.task)
        await note_invalid(session, moved, self.rules)
        detail: dict[str, object] = {"effects": [effect.value for effect in moved.effects]}
        if moved.task.cancelled_why is not None:
            detail["why"] = moved.task.cancelled_why.value
        add_step(session, moved.task, name, by=by, now=self._office.now(), was=task.status, detail=detail)
        await self._tell(session, moved.task, moved.effects, task.attempt_id)

    async def _follow(self, session: AsyncSession, task: Task) -> None:
        """Plan the next point when one is over, unless the customer or the project is done with it."""
        rule = self.rules.of(task.kind, await store_of(session, task))
        dropped = task.cancelled_why not in {None, CancelWhy.BY_HAND, CancelWhy.NOT_NEEDED}
        if not rule.points or not task.point or task.project_id is None or dropped:
            return
        reached = (
            StageEventRow.project_id == task.project_id,
            StageEventRow.stage == rule.when.stage,
            StageEventRow.voided_at.is_(None),
        )
        since = await session.scalar(select(StageEventRow.happened_on).where(*reached))
        if since is None:
            return
        project = await session.get_one(Project, task.project_id)
        days = planning.days_of(rule, since, await ends_of(session, project))
        trigger = Trigger(
            when=rule.when,
            ref=task.origin_ref,
            at=self._office.now(),
            on=since,
            customer_id=task.customer_id,
            project_id=task.project_id,
        )
        await self.plan_for(session, trigger, point_after=days.get(task.point))
