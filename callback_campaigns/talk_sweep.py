"""What nobody ended: talks whose call is over, and calls that were answered and brought no talk.

A process that dies in the middle of a talk, a caller who hangs up on the way to a person, a survey that could
not begin: all of them leave a task behind in TALKING. The sweep ends each as broken off, so that what was
answered counts or is gone on with at the next attempt.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.answer_watch import tell_unheard
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.questionnaire import BY_PEOPLE
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Moved, Task, TaskStatus
from callback_campaigns.domain.terms import Channel, Outcome
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.talks import Talks
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from callback_campaigns.tasks import TIMERS, CallbackTasks
from crm.office import Office
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

MACHINE_GRACE = timedelta(minutes=1)
"""After the call; its last answers may still be on their way."""
PERSON_GRACE = timedelta(minutes=30)
"""After the call, and after the last word: people write on when the customer has hung up."""
WITHOUT_CALL = timedelta(hours=4)
"""After the last word of a talk that has no call of ours."""
FORM_LASTS = timedelta(days=7)
AT_ONCE = 100
IN_A_CALL = (TaskStatus.DIALLING.value, TaskStatus.TALKING.value)


class TalkSweep:
    """Ends what nobody ended. Two processes that sweep do nothing twice.

    Attributes:
        waiting: the talks of which something waits on the disk: they are whole only when that is kept.
    """

    def __init__(self, office: Office, tasks: CallbackTasks, talks: Talks, dialling: DialFile) -> None:
        self.waiting: Callable[[], Collection[str]] = tuple
        self._office = office
        self._tasks = tasks
        self._talks = talks
        self._dialling = dialling

    async def run_once(self) -> int:
        """Look once; return how many talks and calls were ended."""
        ended = 0
        await tell_unheard(self._office)
        waiting = await asyncio.to_thread(self.waiting)
        for talk_id in await self._left_open():
            if talk_id in waiting:
                continue
            try:
                await self._talks.end(talk_id, TalkEnding.BROKEN_OFF, by=TIMERS)
            except HuifangError as error:
                log.warning("talk_not_ended", talk_id=talk_id, error=error.code)
            else:
                ended += 1
        for task_id, attempt_id in await self._without_talk():
            ended += await self._not_talked(task_id, attempt_id)
        return ended

    async def _left_open(self) -> Sequence[str]:
        now = self._office.now()
        people = CallbackTalkRow.channel.in_([channel.value for channel in BY_PEOPLE])
        over = and_(DialAttemptRow.state == AttemptState.ENDED.value, DialAttemptRow.id.is_not(None))
        machine_done = and_(~people, over, DialAttemptRow.ended_at < now - MACHINE_GRACE)
        person_done = and_(
            people,
            over,
            DialAttemptRow.ended_at < now - PERSON_GRACE,
            CallbackTalkRow.last_at < now - PERSON_GRACE,
        )
        form = CallbackTalkRow.channel == Channel.SMS_FORM.value
        alone = and_(
            CallbackTalkRow.attempt_id.is_(None),
            or_(
                and_(form, CallbackTalkRow.opened_at < now - FORM_LASTS),
                and_(~form, CallbackTalkRow.last_at < now - WITHOUT_CALL),
            ),
        )
        query = (
            select(CallbackTalkRow.id)
            .outerjoin(DialAttemptRow, DialAttemptRow.id == CallbackTalkRow.attempt_id)
            .where(CallbackTalkRow.ended_at.is_(None), or_(machine_done, person_done, alone))
            .order_by(CallbackTalkRow.last_at)
            .limit(AT_ONCE)
        )
        async with self._office.database.session() as session:
            return (await session.scalars(query)).all()

    async def _without_talk(self) -> Sequence[tuple[str, str]]:
        now = self._office.now()
        by_agent = or_(DialAttemptRow.agent.is_not(None), DialAttemptRow.connect_seconds.is_not(None))
        query = (
            select(CallbackTaskRow.id, DialAttemptRow.id)
            .join(DialAttemptRow, DialAttemptRow.id == CallbackTaskRow.attempt_id)
            .where(
                CallbackTaskRow.status.in_(IN_A_CALL),
                DialAttemptRow.state == AttemptState.ENDED.value,
                or_(
                    and_(~by_agent, DialAttemptRow.ended_at < now - MACHINE_GRACE),
                    and_(by_agent, DialAttemptRow.ended_at < now - PERSON_GRACE),
                ),
                ~exists().where(CallbackTalkRow.attempt_id == DialAttemptRow.id),
            )
            .limit(AT_ONCE)
        )
        async with self._office.database.session() as session:
            return [(task_id, attempt_id) for task_id, attempt_id in await session.execute(query)]

    async def _not_talked(self, task_id: str, attempt_id: str) -> int:
        """Tell a task that whoever answered was not asked anything; it is called again."""
        now = self._office.now()
        async with self._office.database.transaction() as session:
            (row,) = await locked(session, CallbackTaskRow.id == task_id)
            if row.status not in IN_A_CALL or row.attempt_id != attempt_id:
                return 0
            return await self._again(session, to_task(row), now)

    async def _again(self, session: AsyncSession, task: Task, now: datetime) -> int:
        times = await self._tasks.retry_times(session, task, self._dialling)

        def step(one: Task) -> Moved:
            return task_steps.not_reached(one, Outcome.ANSWERED, times, now=now, remark="not_asked")

        await self._tasks.apply(session, task.task_id, "not_asked", step, by=TIMERS)
        return 1
