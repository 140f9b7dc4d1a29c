"""Opening a talk: the task that the call is about, the others that join it, and what each of them asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.dial_attempts import was_answered
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.merging import JOINING, joining
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.questionnaire_plan import ChannelRefused, refusal
from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.domain.windows import Span
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.questionnaire_views import Published
from callback_campaigns.questions_of import questions_of
from callback_campaigns.talk_facts import carried_to, facts_of
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow, CallbackTalkSetRow
from callback_campaigns.task_hours import store_of, time_left
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from crm.domain.machine import IllegalStep
from kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that is to be asked about, with what it asks."""

    task: Task
    published: Published


async def talk_there(
    session: AsyncSession, task_id: str, attempt_id: str | None, channel: Channel
) -> CallbackTalkRow | None:
    """Return the talk that is there already: of the call, or without one by the same channel.

    Raises:
        Conflict: the call is about another task.
    """
    if attempt_id is not None:
        row = await session.scalar(select(CallbackTalkRow).where(CallbackTalkRow.attempt_id == attempt_id))
        if row is not None and row.task_id != task_id:
            raise Conflict("the call is about another task", field="attempt_id")
        return row
    query = select(CallbackTalkRow).where(
        CallbackTalkRow.task_id == task_id,
        CallbackTalkRow.attempt_id.is_(None),
        CallbackTalkRow.channel == channel.value,
        CallbackTalkRow.ended_at.is_(None),
    )
    return await session.scalar(query.order_by(CallbackTalkRow.id).limit(1))


async def answered(
    session: AsyncSession, tasks: CallbackTasks, task: Task, attempt_id: str, *, by: str, now: datetime
) -> None:
    """Move the attempt and the task: the talk may be quicker than the news that somebody answered.

    Raises:
        Conflict: the call is not the one that is on about this task.
        IllegalStep: no call is on.
    """
    if task.attempt_id != attempt_id:
        raise Conflict("no such call about this task is on", field="attempt_id")
    if task.status is TaskStatus.DIALLING:
        await tasks.apply(session, task.task_id, "answered", task_steps.answered, by=by)
    elif task.status is not TaskStatus.TALKING:
        raise IllegalStep("no call about it is on", field="task_id")
    await was_answered(session, attempt_id, now)


async def others(
    session: AsyncSession,
    tasks: CallbackTasks,
    first: Wanted,
    kinds: Mapping[CallbackType, Published],
    plan: PlanRules,
    *,
    now: datetime,
    carrier: tuple[Span, ...] | None = None,
) -> Sequence[Wanted]:
    """Return the customer's other tasks that are asked in the same call (domain.md §6.1).

    What would not end inside the hours of the call, ours and the ``carrier``'s, is left for one of its own.
    They stay where they are until the talk has ended: nobody has asked about them yet.
    """
    rows = await locked(
        session,
        CallbackTaskRow.customer_id == first.task.customer_id,
        CallbackTaskRow.id != first.task.task_id,
        CallbackTaskRow.status.in_([status.value for status in JOINING]),
    )
    waiting = [task for row in rows if not (task := to_task(row)).holds]
    stores = {await store_of(session, task) for task in (first.task, *waiting)}
    lengths = {kind: max(plan.of(kind, store).longest for store in stores) for kind in plan.types}
    windows, wish = (await tasks.calendar(session)).windows, await tasks.wish(session, first.task)
    left = time_left(windows, replace(wish, carrier=carrier), now)
    joined, _ = joining(
        first.task,
        waiting,
        lengths,
        now=now,
        within=plan.merge_within,
        longest=min(plan.merge_longest, left),
    )
    codes, found = {first.published.code}, []
    for task in joined:
        before = await asked_before(session, task.task_id)
        row = await session.get_one(CallbackTaskRow, task.task_id)
        published = kinds[await questions_of(session, row)]
        # What was begun under an earlier version is gone on with in a call of its own.
        if published.code not in codes and before in {None, (published.code, published.number)}:
            codes.add(published.code)
            found.append(Wanted(task, published))
    return found


async def set_row(
    session: AsyncSession,
    book: QuestionnaireBook,
    talk_id: str,
    position: int,
    one: Wanted,
    channel: Channel,
    *,
    today: date,
) -> CallbackTalkSetRow | None:
    """Return the questions of a task, with what is known now; ``None`` of a joined task that may not be.

    Raises:
        ChannelRefused: the questions of the task that the call is about are not asked this way.
    """
    task, published = one.task, one.published
    facts = await facts_of(session, task, today=today)
    refused = refusal(published.questionnaire, level=task.level, channel=channel, facts=facts)
    if refused:
        if position:
            return None
        raise ChannelRefused(refused, field="channel")
    carried = await carried_to(session, book, task, published.code)
    return CallbackTalkSetRow(
        talk_id=talk_id,
        position=position,
        task_id=task.task_id,
        code=published.code,
        number=published.number,
        level=task.level.value,
        facts=facts,
        carried=[list(item) for item in carried],
        decided_by=[],
        departments=[],
    )


async def asked_before(session: AsyncSession, task_id: str) -> tuple[str, int] | None:
    """Return which questionnaire the answers that a task has belong to."""
    query = select(CallbackAnswerRow.code, CallbackAnswerRow.number).where(
        CallbackAnswerRow.task_id == task_id, CallbackAnswerRow.replaced_at.is_(None)
    )
    found = (await session.execute(query.order_by(CallbackAnswerRow.id.desc()).limit(1))).first()
    return (found.code, found.number) if found is not None else None
