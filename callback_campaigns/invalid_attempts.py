"""Attempts that brought nothing 无效回访: each its own record (CB-8), and on the customer's time line."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.task import Effect, Moved
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_store import add_invalid
from crm.timeline import Channel
from crm.timeline import add as add_line

NEVER_RANG = frozenset({Outcome.FAILED, Outcome.CONGESTION})
"""The customer has not noticed these."""
PERHAPS_TALKED = frozenset({Outcome.ANSWERED, Outcome.ABANDONED, Outcome.UNKNOWN})


async def note_invalid(session: AsyncSession, moved: Moved, rules: PlanRules) -> None:
    """Keep the attempt that a step ended without a result; what was said in it is the talk's own line."""
    task, record = moved.task, moved.task.last_invalid
    if Effect.INVALID_ATTEMPT not in moved.effects or record is None:
        return
    key = add_invalid(session, task.task_id, record)
    if record.outcome in NEVER_RANG:
        return
    if record.attempt_id and record.outcome in PERHAPS_TALKED:
        talked = select(CallbackTalkRow.id).where(CallbackTalkRow.attempt_id == record.attempt_id)
        if await session.scalar(talked) is not None:
            return
    await add_line(
        session,
        task.customer_id,
        at=record.at,
        channel=Channel.CALLBACK,
        direction="out",
        ref=record.attempt_id or key,
        result=record.outcome.value,
        agent=record.agent,
        detail={
            "attempt": True,
            "task_id": task.task_id,
            "title": rules.types[task.kind].name,
            "kinds": [task.kind.value],
            "channel": record.channel.value,
        },
    )
