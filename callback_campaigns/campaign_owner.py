"""Whose a task is among campaigns: the one that works on it, which is one at most (features.md C2)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tasks import mine, with_stores
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.task_tables import CallbackTaskRow


async def owner_of(session: AsyncSession, task_id: str, among: Sequence[Campaign]) -> Campaign | None:
    """Return the campaign that works on a task, ``None`` when none of them does."""
    by_store = any(one.store_ids for one in among)
    for campaign in among:
        query = with_stores(select(CallbackTaskRow.id), by_store)
        query = query.where(CallbackTaskRow.id == task_id, mine(campaign, among))
        if await session.scalar(query) is not None:
            return campaign
    return None
