"""What people see of callback tasks, and the stop of a node for a project (domain.md §1.2, CB-9, CB-10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from callback_campaigns.appointing import check_callable
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.plan_rules import TriggerKind, When
from callback_campaigns.domain.planning import Trigger
from callback_campaigns.domain.result import check_reader
from callback_campaigns.domain.task import CancelWhy, InvalidAttempt, Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.task_store import invalid_of, to_task
from callback_campaigns.task_tables import (
    CallbackStepRow,
    CallbackStopRow,
    CallbackTaskRow,
    DialAttemptRow,
)
from callback_campaigns.tasks import CallbackTasks
from crm.domain.customer import Level
from crm.domain.lines import choice, one_line
from crm.office import Office, current_id, project_for_change
from crm.tables import Customer, Project
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_PAGE = 200
MAX_REASON = 200


class Whose(StrEnum):
    """Whose tasks to list, as whoever asks sees it."""

    OWN = "own"
    """Mine, and those that are nobody's: what I may take on."""
    MINE = "mine"
    NOBODY = "nobody"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to list; what is ``None`` does not matter.

    Attributes:
        store_id: of the project, or of the customer where there is none.
        tried: whether somebody was called about it already.
    """

    status: TaskStatus | None = None
    kind: CallbackType | None = None
    level: Level | None = None
    channel: Channel | None = None
    store_id: str | None = None
    tried: bool | None = None
    customer_id: str | None = None
    project_id: str | None = None
    open_only: bool = False
    until: datetime | None = None
    whose: Whose = Whose.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask:
    """A task with the names that a list shows."""

    task: Task
    customer_name: str
    contract_no: str | None
    first_by: datetime | None
    version: int
    assignee_id: str | None = None
    assignee_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of tasks, the one that is due first at the top."""

    items: tuple[ListedTask, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStep:
    """One line of a task's history."""

    at: datetime
    by: str
    step: str
    status_was: TaskStatus | None
    status: TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """A task with what happened to it."""

    listed: ListedTask
    steps: tuple[TaskStep, ...]
    invalid: tuple[InvalidAttempt, ...]


class CallbackDesk:
    """Lists and shows tasks; stops and enables a node of a project."""

    def __init__(self, office: Office, tasks: CallbackTasks) -> None:
        self._office = office
        self._tasks = tasks

    async def page(
        self, actor: Actor, wanted: TaskFilter, *, cursor: str | None = None, limit: int = 50
    ) -> TaskPage:
        """Return a page of tasks.

        Raises:
            Forbidden: the role works no callbacks.
            Invalid: the cursor is not one of ours.
        """
        check_reader(actor)
        limit = max(1, min(limit, MAX_PAGE))
        chosen = _chosen(wanted, actor)
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(CallbackTaskRow.call_at == at, CallbackTaskRow.id > key)
            chosen.append(or_(CallbackTaskRow.call_at > at, same))
        async with self._office.database.session() as session:
            found = await _listed(session, chosen, limit + 1)
        shown = found[:limit]
        last = shown[-1].task if len(found) > limit else None
        return TaskPage(
            items=tuple(shown), next_cursor=write_cursor(last.due_at, last.task_id) if last else None
        )

    async def get(self, actor: Actor, task_id: str) -> TaskDetail:
        """Return a task with its history; that it was opened goes into the audit log (CB-10).

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such task.
        """
        check_reader(actor)
        if not is_ulid(task_id):
            raise NotFound("no such callback task", field="task_id")
        async with self._office.database.transaction() as session:
            found = await _listed(session, [CallbackTaskRow.id == task_id], 1)
            if not found:
                raise NotFound("no such callback task", field="task_id")
            mine, order = CallbackStepRow.task_id == task_id, (CallbackStepRow.at, CallbackStepRow.id)
            steps = (await session.scalars(select(CallbackStepRow).where(mine).order_by(*order))).all()
            task = to_task(
                await session.get_one(CallbackTaskRow, task_id), await invalid_of(session, task_id)
            )
            await self._office.journal.note(
                session, actor, "callback_opened", entity="callback_task", entity_id=task_id
            )
        return TaskDetail(listed=found[0], steps=tuple(_step(row) for row in steps), invalid=task.invalid)

    async def of_call(self, actor: Actor, call_id: str) -> str | None:
        """Return the task that a call is about; ``None`` for any other call.

        Raises:
            Forbidden: the role works no callbacks.
        """
        check_reader(actor)
        if not is_ulid(call_id):
            return None
        query = select(DialAttemptRow.task_id).where(DialAttemptRow.id == call_id)
        async with self._office.database.session() as session:
            return await session.scalar(query)

    async def plan(
        self, actor: Actor, kind: str, *, on: date, customer_id: str, project_id: str | None = None
    ) -> TaskDetail:
        """Plan a callback for a day by hand; it takes the place of the one of its type that waits (CB-1).

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such customer.
            Invalid: no such type, the day has passed, or the project is not the customer's.
            IllegalStep: the customer is just being called about the other one.
            CalendarYearMissing: the day's year is not loaded.
        """
        check_reader(actor)
        wanted, now = choice(CallbackType, kind, field="kind"), self._office.now()
        async with self._office.database.transaction() as session:
            customer_id = await current_id(session, customer_id)
            if project_id is not None:
                project = await session.get(Project, project_id) if is_ulid(project_id) else None
                if project is None or project.customer_id != customer_id:
                    raise Invalid("no project of this customer", field="project_id")
            trigger = Trigger(
                when=When(TriggerKind.MANUAL),
                ref=f"hand:{new_ulid()}",
                at=now,
                on=on,
                customer_id=customer_id,
                project_id=project_id,
            )
            task = await self._tasks.plan_by_hand(session, wanted, trigger)
            assert task is not None
            after = {"kind": wanted.value, "on": on}
            await self._office.journal.note(
                session,
                actor,
                "callback_planned",
                entity="callback_task",
                entity_id=task.task_id,
                after=after,
            )
        return await self.get(actor, task.task_id)

    async def appoint(self, actor: Actor, task_id: str, at: datetime, *, expected: int | None) -> TaskDetail:
        """Write down the time that the customer named.

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such task.
            StaleVersion: somebody changed it since.
            IllegalStep: it is over, or the phone is ringing.
            Invalid: the time has passed, or nobody is called then.
        """
        check_reader(actor)
        now = self._office.now()
        async with self._office.database.transaction() as session:
            row = await session.get(CallbackTaskRow, task_id) if is_ulid(task_id) else None
            if row is not None:
                await check_callable(session, self._tasks, to_task(row), at, field="at")
            await self._tasks.apply(
                session,
                task_id,
                "appointed",
                lambda task: task_steps.appoint(task, at, now=now),
                by=actor.name,
                expected=expected,
            )
            await self._office.journal.note(
                session,
                actor,
                "callback_appointed",
                entity="callback_task",
                entity_id=task_id,
                after={"at": at},
            )
        return await self.get(actor, task_id)

    async def cancel(self, actor: Actor, task_id: str, *, reason: str, expected: int | None) -> TaskDetail:
        """Do without a callback; a call in progress ends as it would.

        Raises:
            Forbidden: only the manager may.
            NotFound: no such task.
            StaleVersion: somebody changed it since.
            Invalid: no reason.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        why, now = one_line(reason, field="reason", limit=MAX_REASON), self._office.now()
        async with self._office.database.transaction() as session:
            await self._tasks.apply(
                session,
                task_id,
                "cancelled",
                lambda task: task_steps.cancel(task, CancelWhy.BY_HAND, now=now),
                by=actor.name,
                expected=expected,
            )
            await self._office.journal.note(
                session, actor, "callback_cancelled", entity="callback_task", entity_id=task_id, why=why
            )
        return await self.get(actor, task_id)

    async def stops(self, actor: Actor, project_id: str) -> dict[str, str]:
        """Return the types that are stopped for a project, with the reason. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        mine = CallbackStopRow.project_id == project_id
        query = select(CallbackStopRow).where(mine).order_by(CallbackStopRow.kind)
        async with self._office.database.session() as session:
            return {row.kind: row.reason for row in await session.scalars(query)}

    async def stop(self, actor: Actor, project_id: str, kind: str, *, reason: str, expected: int) -> int:
        """Stop the callbacks of a type for a project; what waits is cancelled, a call in progress ends.

        Args:
            expected: the project's version as whoever decides saw it; the new one is returned.

        Raises:
            Forbidden: only the manager may.
            NotFound: no such project.
            StaleVersion: somebody changed the project, or stopped or enabled another type, since.
            Conflict: they are stopped already.
            Invalid: no such type, no reason.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        wanted = choice(CallbackType, kind, field="kind")
        why = one_line(reason, field="reason", limit=MAX_REASON)
        async with self._office.database.transaction() as session:
            project = await project_for_change(session, project_id, expected)
            if await session.get(CallbackStopRow, (project_id, wanted.value)) is not None:
                raise Conflict("stopped already", field="kind")
            now = self._office.now()
            session.add(
                CallbackStopRow(project_id=project_id, kind=wanted.value, reason=why, by=actor.name, at=now)
            )
            mine = (CallbackTaskRow.project_id == project_id, CallbackTaskRow.kind == wanted.value)
            query = select(CallbackTaskRow.id).where(*mine, CallbackTaskRow.current_key.is_not(None))
            for task_id in (await session.scalars(query)).all():
                await self._tasks.apply(
                    session,
                    task_id,
                    "stopped",
                    lambda task: task_steps.cancel(task, CancelWhy.STOPPED, now=now),
                    by=actor.name,
                )
            await self._changed(session, project, actor)
            await self._note(session, actor, "callbacks_stopped", project_id, wanted, why)
            return project.version

    async def enable(self, actor: Actor, project_id: str, kind: str, *, reason: str, expected: int) -> int:
        """Let the callbacks of a type be planned again for a project, from the next event on.

        Args:
            expected: see :meth:`stop`.

        Raises:
            Forbidden, NotFound, StaleVersion, Invalid: see :meth:`stop`.
            Conflict: they are not stopped.
        """
        actor.need(Permission.PROJECTS_CORRECT)
        wanted = choice(CallbackType, kind, field="kind")
        why = one_line(reason, field="reason", limit=MAX_REASON)
        async with self._office.database.transaction() as session:
            project = await project_for_change(session, project_id, expected)
            if await session.get(CallbackStopRow, (project_id, wanted.value)) is None:
                raise Conflict("they are not stopped", field="kind")
            mine = (CallbackStopRow.project_id == project_id, CallbackStopRow.kind == wanted.value)
            await session.execute(delete(CallbackStopRow).where(*mine))
            await self._changed(session, project, actor)
            await self._note(session, actor, "callbacks_enabled", project_id, wanted, why)
            return project.version

    async def _changed(self, session: AsyncSession, project: Project, actor: Actor) -> None:
        """Give the project another version, so that what was decided from the one before is refused."""
        project.updated_at, project.updated_by = self._office.now(), actor.name
        flag_modified(project, "updated_at")
        await session.flush()

    async def _note(
        self, session: AsyncSession, actor: Actor, action: str, project_id: str, kind: CallbackType, why: str
    ) -> None:
        await self._office.journal.note(
            session,
            actor,
            action,
            entity="project",
            entity_id=project_id,
            after={"kind": kind.value},
            why=why,
        )


def _chosen(wanted: TaskFilter, actor: Actor) -> list[ColumnElement[bool]]:
    row, chosen = CallbackTaskRow, []
    if wanted.status is not None:
        chosen.append(row.status == wanted.status.value)
    if wanted.kind is not None:
        chosen.append(row.kind == wanted.kind.value)
    if wanted.level is not None:
        chosen.append(row.level == wanted.level.value)
    if wanted.channel is not None:
        chosen.append(row.channel == wanted.channel.value)
    if wanted.store_id is not None:
        chosen.append(func.coalesce(Project.store_id, Customer.store_id) == wanted.store_id)
    if wanted.tried is not None:
        called = exists().where(DialAttemptRow.task_id == row.id)
        chosen.append(called if wanted.tried else ~called)
    if wanted.customer_id is not None:
        chosen.append(row.customer_id == wanted.customer_id)
    if wanted.project_id is not None:
        chosen.append(row.project_id == wanted.project_id)
    if wanted.open_only:
        chosen.append(row.current_key.is_not(None))
    if wanted.until is not None:
        chosen.append(row.call_at <= wanted.until)
    mine, nobodys = row.assignee_id == actor.user_id, row.assignee_id.is_(None)
    match wanted.whose:
        case Whose.OWN:
            chosen.append(or_(mine, nobodys))
        case Whose.MINE:
            chosen.append(mine)
        case Whose.NOBODY:
            chosen.append(nobodys)
        case Whose.ALL:
            pass
    return chosen


async def _listed(
    session: AsyncSession, chosen: Sequence[ColumnElement[bool]], limit: int
) -> list[ListedTask]:
    query = (
        select(CallbackTaskRow, Customer.name, Project.contract_no)
        .join(Customer, Customer.id == CallbackTaskRow.customer_id)
        .outerjoin(Project, Project.id == CallbackTaskRow.project_id)
        .where(*chosen)
        .order_by(CallbackTaskRow.call_at, CallbackTaskRow.id)
        .limit(limit)
    )
    return [
        ListedTask(
            task=to_task(row),
            customer_name=name,
            contract_no=contract_no,
            first_by=row.first_by,
            version=row.version,
            assignee_id=row.assignee_id,
            assignee_name=row.assignee_name,
        )
        for row, name, contract_no in (await session.execute(query)).all()
    ]


def _step(row: CallbackStepRow) -> TaskStep:
    return TaskStep(
        at=row.at,
        by=row.by,
        step=row.step,
        status_was=TaskStatus(row.status_was) if row.status_was else None,
        status=TaskStatus(row.status),
    )
