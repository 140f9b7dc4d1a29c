"""What customers say after the tone to a person who is not there: they wait to be called back."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_tables import DialAttemptRow
from crm.notices.events import NoticeWanted
from crm.notices.store import insert_new
from crm.tables import CallbackRequest
from kernel.ids import new_ulid
from kernel.outbox import add_fact

WHY = "回访时要求人工，已留言"


async def wants_person(session: AsyncSession, talk: CallbackTalkRow, voice_id: str, at: datetime) -> None:
    """Put the customer on the list of those who wait for a call, and tell customer service."""
    attempt = await session.get(DialAttemptRow, talk.attempt_id) if talk.attempt_id is not None else None
    if attempt is not None:
        # A number that waits already keeps its first wish.
        wish = {
            "id": new_ulid(),
            "e164": attempt.number,
            "customer_id": talk.customer_id,
            "call_id": attempt.id,
            "reason": WHY,
            "requested_at": at,
            "open_key": attempt.number,
        }
        await insert_new(session, CallbackRequest, wish)
    add_fact(
        session,
        NoticeWanted(
            at=at,
            code="callback.message",
            key=f"callback.message|{voice_id}",
            parameters={"customer": talk.customer_id},
            link=f"/callback-tasks/{talk.task_id}",
        ),
    )
