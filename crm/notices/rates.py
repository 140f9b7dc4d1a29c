"""Rate limits in SQL, for all workers: the next free moment of a bucket is booked, nothing is refused."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import Rate
from crm.notices.store import insert_new
from crm.notices.tables import MessageRate


async def reserve(session: AsyncSession, bucket: str, rate: Rate, now: datetime) -> datetime:
    """Book the bucket's next moment, in the caller's transaction; return it (``now`` or later)."""
    await insert_new(session, MessageRate, {"bucket": bucket, "booked_until": now})
    query = select(MessageRate).where(MessageRate.bucket == bucket).with_for_update()
    row = (await session.execute(query, execution_options={"populate_existing": True})).scalar_one()
    slot, row.booked_until = rate.reserve(row.booked_until, now)
    await session.flush()
    return slot
