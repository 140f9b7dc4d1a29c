"""Who wants no more calls is on the do-not-call list before the talk's end is committed (domain.md §6.4).

The effect that is told as a fact says the same again later, and changes nothing then. Between the two nobody
may be dialled about another of the customer's tasks.
"""

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_tables import CallbackTalkRow
from crm.do_not_call import DoNotCall
from crm.domain.freeze import RefusalLevel, RefusalSource
from crm.office import Office
from kernel.access import Actor
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)
ACTOR = Actor.system("callbacks")


async def refuse_now(session: AsyncSession, office: Office, task: Task, attempt_id: str | None) -> None:
    """Write down in the caller's transaction that a customer wants no more of these calls."""
    query = select(CallbackTalkRow.channel).where(CallbackTalkRow.attempt_id == attempt_id)
    channel = await session.scalar(query) if attempt_id is not None else None
    source = RefusalSource.KEY_9 if channel == Channel.IVR.value else RefusalSource.AGENT
    try:
        async with session.begin_nested():
            await DoNotCall(office).add_in(
                session,
                ACTOR,
                level=int(RefusalLevel.SURVEYS),
                source=source.value,
                evidence=f"callback:{task.task_id}",
                customer_id=task.customer_id,
            )
    except HuifangError as error:
        if error.retryable:
            raise
        log.warning("callback_refusal_not_listed", error=error.code, reason=error.message)
