"""Which calls were made for a case or a callback: an attempt and its call have one id."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.task_tables import DialAttemptRow

MOST = 100


async def calls_of_case(session: AsyncSession, case_id: str) -> set[str]:
    """Return the newest calls that somebody made from the page of a case."""
    query = select(DialAttemptRow.id).where(DialAttemptRow.case_id == case_id)
    return set(await session.scalars(query.order_by(DialAttemptRow.id.desc()).limit(MOST)))


async def calls_of_task(session: AsyncSession, task_id: str) -> set[str]:
    """Return the newest calls of a callback."""
    query = select(DialAttemptRow.id).where(DialAttemptRow.task_id == task_id)
    return set(await session.scalars(query.order_by(DialAttemptRow.id.desc()).limit(MOST)))
