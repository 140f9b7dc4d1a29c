"""Whose talk it is: the machine's, an agent's, or nobody's yet; and the call that it is led in."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from kernel.access import Actor, Permission
from kernel.errors import Forbidden
from kernel.ids import is_ulid


class NotYourTalk(Forbidden):
    """Somebody else leads it: the machine, or another agent."""

    code = "not_your_talk"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNow:
    """A call about a task.

    Attributes:
        answered: the customer has answered; until then there is nobody to ask.
        agent: who asked for the call; ``None`` for the system.
    """

    task_id: str
    kind: str
    answered: bool
    agent: str | None


async def call_now(session: AsyncSession, call_id: str) -> CallNow | None:
    """Return the call about a task; ``None`` for any other call."""
    row = await session.get(DialAttemptRow, call_id) if is_ulid(call_id) else None
    if row is None or row.task_id is None:
        return None
    task = await session.get_one(CallbackTaskRow, row.task_id)
    answered = row.answered_at is not None or row.state == AttemptState.ANSWERED.value
    return CallNow(task_id=row.task_id, kind=task.kind, answered=answered, agent=row.agent)


def may_lead(actor: Actor, *, channel: Channel, by_id: str | None, handed_over: bool) -> bool:
    """Tell whether somebody may answer and end a talk that goes on.

    A survey that runs is the machine's; what it handed over is whose telephone it rang at.
    """
    if channel is Channel.IVR or (handed_over and by_id is None):
        return False
    return by_id in {None, actor.user_id} or actor.can(Permission.BOARD_VIEW)


def hidden_items(talk: Talk, actor: Actor) -> frozenset[str]:
    """Return the items whose answers are for the managers, and for whoever wrote them down, only."""
    if actor.can(Permission.CASES_CONFIDENTIAL):
        return frozenset()
    secret = (item for one in talk.sets for item in (*one.questionnaire.items, *one.carried))
    return talk.secret | {
        item.id
        for item in secret
        if item.is_confidential and item.id in talk.answers and talk.writers.get(item.id) != actor.user_id
    }


def check_leads(actor: Actor, row: CallbackTalkRow) -> None:
    """Refuse to write into somebody else's talk. Raises NotYourTalk."""
    channel = Channel(row.channel)
    handed_over = row.channel != row.began_channel
    if not may_lead(actor, channel=channel, by_id=row.by_id, handed_over=handed_over):
        raise NotYourTalk("somebody else leads this talk", field="talk_id")


async def talk_of_call(session: AsyncSession, attempt_id: str) -> str | None:
    """Return the talk of a call; ``None`` if there was none."""
    return await session.scalar(select(CallbackTalkRow.id).where(CallbackTalkRow.attempt_id == attempt_id))
