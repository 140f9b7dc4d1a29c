"""Refusals to dial as rows: each reason is kept, none floods the table (features.md C4).

The same reason for the same task is one row in a part of the day; so is what a whole campaign lacks.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.refusal import Refusal
from callback_campaigns.domain.retry import RetryPolicy
from callback_campaigns.task_tables import DialRefusalRow
from kernel.ids import new_ulid


async def note_refusal(
    session: AsyncSession,
    refusal: Refusal,
    *,
    task_id: str | None,
    campaign_id: str | None,
    now: datetime,
    policy: RetryPolicy,
) -> bool:
    """Write a refusal down, unless it stands there already; return whether it was written.

    Args:
        task_id: ``None`` for what holds a whole campaign back.
    """
    row = DialRefusalRow
    known = (
        select(row.id)
        .where(
            row.task_id == task_id if task_id is not None else row.task_id.is_(None),
            row.campaign_id == campaign_id if campaign_id is not None else row.campaign_id.is_(None),
            row.code == refusal.code.value,
            row.at >= policy.part_began(now),
            # What lies ahead was written before the clock was set back.
            row.at <= now,
        )
        .limit(1)
    )
    if await session.scalar(known) is not None:
        return False
    session.add(
        DialRefusalRow(
            id=new_ulid(),
            task_id=task_id,
            campaign_id=campaign_id,
            at=now,
            code=refusal.code.value,
            until=refusal.until,
            detail=refusal.detail[:120],
        )
    )
    return True
