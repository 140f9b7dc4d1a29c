"""Who still counts on a queue: campaigns that are not over, callers whose place in it is kept."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.campaign import CampaignState
from callback_campaigns.domain.queue_place import PlaceState
from callback_campaigns.queue_place_tables import QueuePlaceRow

_OVER = (CampaignState.STOPPED.value, CampaignState.ENDED.value)
_KEPT = tuple(state.value for state in PlaceState if state.is_open)


async def campaigns_with(session: AsyncSession, queue: str) -> list[str]:
    """Return the names of campaigns that are not over and lead to ``queue``."""
    query = select(CampaignRow.name).where(CampaignRow.queue == queue, CampaignRow.state.not_in(_OVER))
    return list(await session.scalars(query.order_by(CampaignRow.name)))


async def kept_places(session: AsyncSession, queue: str) -> int:
    """Return how many callers wait to be called back from ``queue``."""
    query = select(func.count()).where(QueuePlaceRow.queue == queue, QueuePlaceRow.state.in_(_KEPT))
    return await session.scalar(query) or 0
