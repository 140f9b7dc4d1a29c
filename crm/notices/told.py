"""Messages to customers on the customers' time lines: one entry each, whatever becomes of it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import repository, timeline
from crm.notices.tables import OutgoingMessage
from crm.tables import ServiceCase
from crm.timeline import Channel


async def put_on_timeline(
    session: AsyncSession, message: OutgoingMessage, customer_id: str | None, *, case_no: str
) -> None:
    """Put a new message on the time line of the customer, or of everybody who has its number.

    The entry names the text, never what fills it, nor the number.
    """
    owners = (
        [customer_id] if customer_id else await repository.customer_ids_by_phone(session, message.address)
    )
    for owner in owners:
        detail = {"channel": message.channel, "template": message.code}
        query = select(ServiceCase.id).where(ServiceCase.no == case_no, ServiceCase.customer_id == owner)
        case_id = await session.scalar(query) if case_no else None
        if case_id is not None:
            detail |= {"case_id": case_id, "no": case_no}
        await timeline.add(
            session,
            owner,
            at=message.created_at,
            channel=Channel.MESSAGE,
            direction="out",
            ref=message.message_id,
            result=message.state,
            detail=detail,
        )


async def tell_timeline(session: AsyncSession, message: OutgoingMessage, at: datetime) -> None:
    """Bring the entry of a message up to its state; messages to people who work here have none."""
    if message.to_customer:
        await timeline.settle(session, Channel.MESSAGE, message.message_id, message.state, at)
