"""An attempt that an agent made from another telephone, and that brought nothing (domain.md §1.2, CB-8).

It is a row beside all other attempts, so that it is found with them, counts for the number's limits, and an
empty number is marked. Our exchange placed no call: it has neither node nor trunk.
"""

from datetime import datetime

from callback_campaigns.assignment import check_caller
from callback_campaigns.dial_queries import numbers_of
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.attempt import CHANNEL_PREFIX, AttemptState
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.result import check_reader
from callback_campaigns.domain.task import Moved, RetryTimes, Task
from callback_campaigns.domain.terms import Category, Outcome
from callback_campaigns.task_store import locked_one, to_task
from callback_campaigns.task_tables import DialAttemptRow
from callback_campaigns.tasks import CallbackTasks
from crm.domain.lines import choice, one_line
from crm.office import Office
from kernel.access import Actor
from kernel.errors import Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid

BROUGHT_NOTHING = (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.REJECTED, Outcome.OFF, Outcome.EMPTY)
MAX_REMARK = 200


class ManualAttempts:
    """Writes such attempts down; they count as any other, and the task is tried again by the rules."""

    def __init__(self, office: Office, tasks: CallbackTasks, dialling: DialFile) -> None:
        self._office = office
        self._tasks = tasks
        self._dialling = dialling

    async def record(
        self, actor: Actor, task_id: str, outcome: str, *, reason: str, expected: int | None
    ) -> None:
        """Write an attempt down.

        Raises:
            Forbidden: the role works no callbacks, or another agent calls about it.
            NotFound: no such task.
            StaleVersion: somebody changed it since.
            Invalid: no reason, or an outcome that brought something.
            IllegalStep: it is not to be called about now.
        """
        check_reader(actor)
        ended = choice(Outcome, outcome, field="outcome")
        if ended not in BROUGHT_NOTHING:
            raise Invalid("not one that brought nothing", field="outcome")
        why, now = one_line(reason, field="reason", limit=MAX_REMARK), self._office.now()
        async with self._office.database.transaction() as session:
            row = await locked_one(session, task_id) if is_ulid(task_id) else None
            if row is None:
                raise NotFound("no such callback task", field="task_id")
            if expected is not None and row.version != expected:
                raise StaleVersion("the task was changed by somebody else; read it again", field="If-Match")
            check_caller(actor, row.assignee_id)
            task, attempt_id = to_task(row), new_ulid()
            times = await self._tasks.retry_times(session, task, self._dialling)
            number = next(iter(await numbers_of(session, row.customer_id)), "")
            session.add(
                DialAttemptRow(
                    id=attempt_id,
                    channel_id=CHANNEL_PREFIX + attempt_id,
                    task_id=task_id,
                    campaign_id=None,
                    customer_id=row.customer_id,
                    number=number,
                    node="",
                    trunk="",
                    agent=actor.name,
                    state=AttemptState.ENDED.value,
                    outcome=ended.value,
                    survey=task.category is not Category.CASE,
                    began_at=now,
                    since=now,
                    ended_at=now,
                )
            )
            await session.flush()
            await self._tasks.apply_to(
                session,
                row,
                "tried_elsewhere",
                lambda one: _tried(one, attempt_id, ended, times, now, actor.name, why),
                by=actor.name,
            )
            await self._office.journal.note(
                session,
                actor,
                "callback_tried_elsewhere",
                entity="callback_task",
                entity_id=task_id,
                after={"outcome": ended.value},
                why=why,
            )


def _tried(
    task: Task,
    attempt_id: str,
    outcome: Outcome,
    times: RetryTimes,
    now: datetime,
    agent: str,
    remark: str,
) -> Moved:
    calling = task_steps.dialled(task, attempt_id, now=now).task
    return task_steps.not_reached(calling, outcome, times, now=now, agent=agent, remark=remark)
