"""The demo's campaign: played by the real services, believable, and paused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from app.demo.campaigns import fill_campaigns
from app.demo.homes import more_homes, seed_homes
from app.demo.seed import seed_company
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.campaign import CampaignState
from callback_campaigns.domain.terms import Outcome
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.campaigns import SUPERVISOR
from web.callback_part import build_callbacks
from web.crm_part import build_crm
from web.deps import WebSettings

pytestmark = pytest.mark.integration

NOW = datetime(2026, 4, 22, 7, 0, tzinfo=UTC)


class Ground:
    """What the services stand on."""

    def __init__(self, database: Database, settings: WebSettings) -> None:
        self.settings, self.database, self.clock, self.bus = settings, database, FakeClock(NOW), Bus()


async def test_it_is_paused_and_has_believable_figures(sqlite: Database, tmp_path: Path) -> None:
    settings = WebSettings(files_dir=tmp_path)
    await seed_company(sqlite, now=NOW)
    await seed_homes(sqlite, more_homes(240), now=NOW)
    await fill_campaigns(sqlite, settings, until=NOW)
    ground = Ground(sqlite, settings)
    part = build_callbacks(build_crm(ground), ground)
    async with sqlite.session() as session:
        (row,) = (await session.scalars(select(CampaignRow))).all()
    view = await part.campaigns.get(SUPERVISOR, row.id)
    assert (view.campaign.state, view.campaign.name) == (CampaignState.PAUSED, "竣工客户满意度回访")
    assert await part.campaigns.running(NOW) == ()
    counts = await part.campaign_figures.counts(SUPERVISOR, row.id)
    assert (counts.dialling, counts.talking) == (0, 0)
    assert counts.attempts[Outcome.ANSWERED] > sum(counts.attempts.values()) / 3
    assert counts.done >= 8
    assert counts.verdicts
    assert counts.waiting >= 5
