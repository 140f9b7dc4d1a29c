"""Campaigns as rows."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState, TasksFrom
from callback_campaigns.domain.terms import CallbackType
from crm.domain.customer import Level
from kernel.errors import NotFound, StaleVersion
from kernel.ids import is_ulid

PLAIN = (
    "name",
    "queue",
    "trunk",
    "carrier",
    "caller_id",
    "lines",
    "per_second",
    "agents_least",
    "abandon_cap",
    "ratio",
    "amd",
    "live_text",
    "record",
    "priority",
    "starts_on",
    "ends_on",
)
"""Fields that are the same in the row."""


def to_campaign(row: CampaignRow) -> Campaign:
    """Return a campaign as its rules see it."""
    plain: dict[str, Any] = {name: getattr(row, name) for name in PLAIN}
    return Campaign(
        campaign_id=row.id,
        mode=CampaignMode(row.mode),
        state=CampaignState(row.state),
        kinds=frozenset(CallbackType(code) for code in row.kinds),
        levels=frozenset(Level(code) for code in row.levels),
        store_ids=frozenset(row.store_ids),
        tasks_from=TasksFrom(row.tasks_from),
        version=row.version,
        **plain,
    )


def put(row: CampaignRow, campaign: Campaign) -> None:
    """Write a campaign into its row."""
    for name in PLAIN:
        setattr(row, name, getattr(campaign, name))
    row.mode, row.state = campaign.mode.value, campaign.state.value
    row.tasks_from = campaign.tasks_from.value
    row.kinds = sorted(campaign.kinds)
    row.levels = sorted(campaign.levels)
    row.store_ids = sorted(campaign.store_ids)


async def for_change(session: AsyncSession, campaign_id: str, expected: int | None) -> CampaignRow:
    """Return a campaign locked for a change.

    Raises:
        NotFound: no such campaign.
        StaleVersion: somebody changed it since ``expected`` was read.
    """
    query = select(CampaignRow).where(CampaignRow.id == campaign_id).with_for_update()
    row = await session.scalar(query) if is_ulid(campaign_id) else None
    if row is None:
        raise NotFound("no such campaign", field="campaign_id")
    if expected is not None and row.version != expected:
        raise StaleVersion("the campaign was changed by somebody else; read it again", field="If-Match")
    return row
