"""Which agent calls a customer: the same one through a project of level A (domain.md §3.0).

A task is somebody's, or nobody's. A new one of level A goes to whoever finished the last talk of its project,
as long as they work here. By hand, everybody takes tasks on and gives their own back; who leads the shift
gives them to anybody.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.result import check_reader
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Task
from callback_campaigns.talk_tables import CallbackTalkRow, CallbackTalkSetRow
from callback_campaigns.task_store import add_step, locked_one, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep
from crm.members import Members
from crm.office import Office
from kernel.access import Actor, Permission
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid

NAME = 80


class AssignedElsewhere(Forbidden):
    """Another agent is to call about the task; take it on first."""

    code = "assigned_elsewhere"


async def to_same_agent(
    session: AsyncSession, row: CallbackTaskRow, replaced: CallbackTaskRow | None, members: Members | None
) -> None:
    """Give a new task to whom the project knows.

    Args:
        replaced: the task whose place it takes; whoever was to call about that one goes on.
    """
    if replaced is not None and replaced.assignee_id is not None:
        row.assignee_id, row.assignee_name = replaced.assignee_id, replaced.assignee_name
        return
    if row.level != Level.A.value or row.project_id is None:
        return
    query = (
        select(CallbackTalkRow.by_id, CallbackTalkRow.by)
        .join(CallbackTalkSetRow, CallbackTalkSetRow.talk_id == CallbackTalkRow.id)
        .join(CallbackTaskRow, CallbackTaskRow.id == CallbackTalkSetRow.task_id)
        .where(
            CallbackTaskRow.project_id == row.project_id,
            CallbackTalkRow.by_id.is_not(None),
            CallbackTalkRow.ending == TalkEnding.FINISHED.value,
        )
        .order_by(CallbackTalkRow.ended_at.desc(), CallbackTalkRow.id.desc())
        .limit(1)
    )
    led = (await session.execute(query)).one_or_none()
    if led is None or led.by_id is None:
        return
    if members is not None:
        person = await members.actor(session, led.by_id)
        if person is None or not person.can(Permission.CALLBACKS_WORK):
            return
    row.assignee_id, row.assignee_name = led.by_id, led.by


def may_call(actor: Actor, assignee_id: str | None) -> bool:
    """Tell whether somebody may call about a task: it is theirs, or nobody's, or they lead the shift."""
    return assignee_id in {None, actor.user_id} or actor.can(Permission.BOARD_VIEW)


def check_caller(actor: Actor, assignee_id: str | None) -> None:
    """Refuse a call about somebody else's task. Raises AssignedElsewhere."""
    if not may_call(actor, assignee_id):
        raise AssignedElsewhere("another agent calls about this; take it on first", field="task_id")


class Assignments:
    """Says whose a task is."""

    def __init__(self, office: Office, members: Members) -> None:
        self._office = office
        self._members = members

    async def take(self, actor: Actor, task_id: str, *, expected: int | None) -> None:
        """Take a task on, somebody else's too; told twice it is done once.

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such task.
            StaleVersion: somebody changed it since.
            IllegalStep: it is over.
        """
        check_reader(actor)
        async with self._office.database.transaction() as session:
            row, task = await self._open(session, task_id, expected)
            await self._give(session, actor, row, task, actor.user_id, actor.name, "taken")

    async def give_back(self, actor: Actor, task_id: str, *, expected: int | None) -> None:
        """Leave a task to whoever is free. Raises as :meth:`take`; Forbidden for somebody else's task."""
        check_reader(actor)
        async with self._office.database.transaction() as session:
            row, task = await self._open(session, task_id, expected)
            if row.assignee_id not in {None, actor.user_id}:
                actor.need(Permission.BOARD_VIEW)
            await self._give(session, actor, row, task, None, "", "given_back")

    async def assign(self, actor: Actor, task_id: str, user_id: str, *, expected: int | None) -> None:
        """Give a task to an agent. Raises as :meth:`take`.

        Raises:
            Forbidden: only who leads the shift may.
            Invalid: no active user who calls customers back.
        """
        actor.need(Permission.BOARD_VIEW)
        check_reader(actor)
        async with self._office.database.transaction() as session:
            row, task = await self._open(session, task_id, expected)
            person = await self._members.actor(session, user_id) if is_ulid(user_id) else None
            if person is None or not person.can(Permission.CALLBACKS_WORK):
                raise Invalid("is nobody who calls customers back", field="user_id")
            await self._give(session, actor, row, task, person.user_id, person.name, "assigned")

    @staticmethod
    async def _open(
        session: AsyncSession, task_id: str, expected: int | None
    ) -> tuple[CallbackTaskRow, Task]:
        row = await locked_one(session, task_id) if is_ulid(task_id) else None
        if row is None:
            raise NotFound("no such callback task", field="task_id")
        if expected is not None and row.version != expected:
            raise StaleVersion("the task was changed by somebody else; read it again", field="If-Match")
        task = to_task(row)
        if not task.status.is_open:
            raise IllegalStep("it is over", field="task_id")
        return row, task

    async def _give(
        self,
        session: AsyncSession,
        actor: Actor,
        row: CallbackTaskRow,
        task: Task,
        user_id: str | None,
        name: str,
        step: str,
    ) -> None:
        if row.assignee_id == user_id:
            return
        was = row.assignee_name
        row.assignee_id, row.assignee_name = user_id, name[:NAME]
        now = self._office.now()
        add_step(session, task, step, by=actor.name, now=now, was=task.status, detail={"to": name})
        await self._office.journal.note(
            session,
            actor,
            f"callback_{step}",
            entity="callback_task",
            entity_id=row.id,
            before={"assignee": was},
            after={"assignee": name},
        )
