"""Ending a talk: its tasks move by what was answered, in the same transaction (domain.md §1.2)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.appointing import check_callable
from callback_campaigns.contact_hours import ContactHours, asks_hours, keep_hours
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.planning import NextSetting
from callback_campaigns.domain.questionnaire import BY_PEOPLE
from callback_campaigns.domain.result import check_recordable, is_entered_late, is_kept
from callback_campaigns.domain.talk import TalkEnding, TalkSet, conclusion
from callback_campaigns.domain.task import WAITING, Effect, Moved, RetryTimes, TalkEnd, Task, TaskStatus
from callback_campaigns.domain.terms import Channel
from callback_campaigns.events import TalkEnded
from callback_campaigns.next_setting import set_next
from callback_campaigns.talk_facts import complaints_unaccepted
from callback_campaigns.talk_store import CURRENT, WRONG_PERSON, Talk
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow, CallbackTalkSetRow
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks, Step
from crm.office import Office
from kernel.access import Actor
from kernel.errors import Invalid
from kernel.outbox import add_fact

OPEN_STATUS = WAITING | {TaskStatus.UNREACHED}
REFUSABLE = WAITING | {TaskStatus.TALKING}
DECLINED = frozenset({TalkEnding.REFUSED, TalkEnding.DO_NOT_CALL})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a talk is said to have ended."""

    how: TalkEnding
    by: str
    actor: Actor | None
    now: datetime
    heard_at: datetime
    appointed: datetime | None = None
    explanation: str = ""
    setting: NextSetting | None = None
    hours: ContactHours | None = None


class TalkClosing:
    """Ends talks."""

    def __init__(self, office: Office, tasks: CallbackTasks, dialling: DialFile) -> None:
        self._office = office
        self._tasks = tasks
        self._dialling = dialling

    async def close(self, session: AsyncSession, row: CallbackTalkRow, talk: Talk, ending: Ending) -> None:
        """End a talk that goes on. Raises as ``Talks.end``."""
        ids = [one.task_id for one in talk.sets]
        tasks = {one.id: to_task(one) for one in await locked(session, CallbackTaskRow.id.in_(ids))}
        row.ending, row.ended_at, row.ended_by = ending.how.value, ending.now, ending.by[:80]
        row.appointed_at, row.heard_at = ending.appointed, ending.heard_at
        row.late = is_entered_late(ending.heard_at, ending.now, self._office.zone)
        row.explanation, row.last_at = ending.explanation, ending.now
        channel = await self._judged_as(session, row)
        kept: list[str] = []
        if ending.how is TalkEnding.WRONG_PERSON:
            await self._not_theirs(session, talk, ending.now)
            await self._wrong_person(session, tasks[talk.task_id], ending)
        else:
            for one in talk.sets:
                end = conclusion(
                    one,
                    channel,
                    talk.answers,
                    heard_at=ending.heard_at,
                    explanation=ending.explanation if one is talk.sets[0] else "",
                )
                task = tasks[one.task_id]
                if one is talk.sets[0]:
                    moved = await self._first(session, task, end, ending, channel)
                else:
                    moved = await self._joined(session, task, end, ending, channel)
                if moved is not None and moved.task.status in {TaskStatus.DONE, TaskStatus.PARTIAL}:
                    kept.append(one.task_id)
                    await self._result(session, talk.talk_id, one, end, channel, talk)
        await session.flush()
        theirs = ending.how is not TalkEnding.WRONG_PERSON and asks_hours(talk)
        if theirs and ending.hours is not None and ending.actor is not None:
            journal, whose = self._office.journal, row.customer_id
            await keep_hours(session, journal, ending.actor, row.id, whose, ending.hours)
        first = await session.get_one(CallbackTaskRow, talk.task_id)
        if ending.setting is not None:
            made = await set_next(
                self._office, self._tasks, session, to_task(first), ending.setting, by=ending.by
            )
            row.next_action, row.next_task_id = ending.setting.action.value, made
        add_fact(
            session,
            TalkEnded(
                at=ending.now,
                talk_id=talk.talk_id,
                customer_id=row.customer_id,
                attempt_id=row.attempt_id,
                channel=channel.value,
                ending=ending.how.value,
                task_ids=tuple(ids),
                kept_ids=tuple(kept),
                verdict=first.verdict if talk.task_id in kept else None,
            ),
        )

    async def _first(
        self, session: AsyncSession, task: Task, end: TalkEnd, ending: Ending, channel: Channel
    ) -> Moved | None:
        """Move the task that the talk was about."""
        how, now = ending.how, ending.now
        if ending.actor is not None and how is TalkEnding.FINISHED:
            waiting = await complaints_unaccepted(session, task.customer_id)
            check_recordable(task.category, complaints_unaccepted=waiting)
        whole = end.answered > 0 and is_kept(end.answered, end.required)
        if how is TalkEnding.APPOINTED:
            at = ending.appointed
            if at is None:
                raise Invalid("when do they want to be called?", field="appointed")
            await check_callable(session, self._tasks, task, at, field="appointed")
            return await self._move(session, task, "appointed", ending, lambda one: _appoint(one, at, now))
        if how in DECLINED and not whole:
            return await self._declined(session, task, ending)
        moved = await self._told(session, task, end, ending, channel)
        if how is TalkEnding.DO_NOT_CALL:
            # They answered enough for a result, and want no more calls.
            await self._tasks.follow_up(session, task.task_id, Effect.DO_NOT_CALL)
        return moved

    async def decline(self, session: AsyncSession, row: CallbackTalkRow, ending: Ending) -> None:
        """Heed a refusal that reached us when the sweep had ended the talk and its task had gone on."""
        row.ending, row.last_at = ending.how.value, ending.now
        (task,) = await locked(session, CallbackTaskRow.id == row.task_id)
        await self._declined(session, to_task(task), ending)
        await session.flush()

    async def _declined(self, session: AsyncSession, task: Task, ending: Ending) -> Moved | None:
        """Heed a refusal, whatever became of the task since the customer was asked."""
        never, now = ending.how is TalkEnding.DO_NOT_CALL, ending.now
        if task.status in REFUSABLE:
            return await self._move(session, task, "refused", ending, lambda one: _refuse(one, now, never))
        if never:
            await self._tasks.follow_up(session, task.task_id, Effect.DO_NOT_CALL)
        return None

    async def _told(
        self, session: AsyncSession, task: Task, end: TalkEnd, ending: Ending, channel: Channel
    ) -> Moved | None:
        if task.status is not TaskStatus.TALKING:
            return await self._joined(session, task, end, ending, channel)
        times: RetryTimes = await self._tasks.retry_times(session, task, self._dialling)
        agent = ending.by if channel in BY_PEOPLE else None
        return await self._move(
            session,
            task,
            "talked",
            ending,
            lambda one: task_steps.talked(one, end, times, now=ending.now, agent=agent),
        )

    async def _joined(
        self, session: AsyncSession, task: Task, end: TalkEnd, ending: Ending, channel: Channel
    ) -> Moved | None:
        """Move a task without a call of its own; what is over by now stays as it is."""
        if task.status not in OPEN_STATUS or not end.answered:
            return None
        return await self._move(
            session,
            task,
            "asked_otherwise",
            ending,
            lambda one: task_steps.asked_otherwise(one, end, now=ending.now, channel=channel),
        )

    async def _wrong_person(self, session: AsyncSession, task: Task, ending: Ending) -> None:
        agent = ending.by if ending.actor is not None else None
        await self._move(
            session,
            task,
            "wrong_person",
            ending,
            lambda one: task_steps.wrong_person(one, now=ending.now, agent=agent),
        )

    async def _move(self, session: AsyncSession, task: Task, name: str, ending: Ending, step: Step) -> Moved:
        return await self._tasks.apply(session, task.task_id, name, step, by=ending.by)

    async def _not_theirs(self, session: AsyncSession, talk: Talk, now: datetime) -> None:
        """Take back what somebody answered who was not the customer."""
        mine = (CallbackAnswerRow.talk_id == talk.talk_id, CURRENT)
        gone = update(CallbackAnswerRow).where(*mine)
        await session.execute(gone.values(replaced_at=now, replaced_why=WRONG_PERSON))

    async def _judged_as(self, session: AsyncSession, row: CallbackTalkRow) -> Channel:
        """Return by which channel's questions it is judged.

        Of a person who was to go on, and whom the customer did not wait for, nothing was asked.
        """
        now, began = Channel(row.channel), Channel(row.began_channel)
        if now is began:
            return now
        asked = select(CallbackAnswerRow.id).where(
            CallbackAnswerRow.talk_id == row.id, CallbackAnswerRow.channel == now.value
        )
        return now if await session.scalar(asked.limit(1)) is not None else began

    async def _result(
        self,
        session: AsyncSession,
        talk_id: str,
        one: TalkSet,
        end: TalkEnd,
        channel: Channel,
        talk: Talk,
    ) -> None:
        """Write down what a set came to."""
        judgement, found = one.judged(channel, talk.answers), end.finding
        query = select(CallbackTalkSetRow).where(
            CallbackTalkSetRow.talk_id == talk_id, CallbackTalkSetRow.task_id == one.task_id
        )
        row = (await session.scalars(query)).one()
        row.kept = True
        row.completeness = judgement.completeness
        row.decided_by = list(judgement.decided_by)
        if found is not None:
            row.verdict, row.score = found.verdict.value, found.score
            row.departments = list(found.departments)


def _appoint(task: Task, at: datetime, now: datetime) -> Moved:
    return task_steps.appoint(task, at, now=now)


def _refuse(task: Task, now: datetime, never: bool) -> Moved:
    return task_steps.refuse_calls(task, now=now, do_not_call=never)
