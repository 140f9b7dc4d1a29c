"""Agents at work on a real Asterisk while a campaign dials for them, as both sides saw it."""

from pathlib import Path

import pytest

from callback_campaigns.domain.campaign import CampaignMode
from callback_campaigns.pacing.simulation.centre import Centre
from callback_campaigns.pacing.terms import Reason
from tests.support.live_agents import live_agents
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

SHAPE = Centre(
    agents=5,
    talk_mean=1.5,
    wrap_mean=0.3,
    ring_mean=1.2,
    ring_limit=3.0,
    answer_ratio=0.8,
    machine_ratio=0.0,
    refused_ratio=0.1,
    swing=0.0,
    pause_ratio=0.0,
)
TALKS = 10


async def test_five_agents_are_kept_at_work_and_both_sides_count_the_same(tmp_path: Path) -> None:
    async with live_agents(tmp_path, SHAPE, people=200, host="127.0.3.1") as live:
        campaign = await live.start(CampaignMode.PREDICTIVE)
        await eventually(lambda: len(live.desks.calls) >= TALKS, timeout=60, what="agents talk")
        # Five are fewer than may be dialled ahead of: one telephone rings for each who is free.
        assert set(live.decisions(campaign)) <= {Reason.FEW_AGENTS.value, Reason.NO_LINES.value}
        await live.stop(campaign)
        spell = await live.sum_up(campaign, 0, 1.0, 1.0)
        assert spell.live >= TALKS
        assert spell.live == spell.stored_live
        # A machine that stalls between answer and voice may put a call on either side of the two seconds.
        unsure = sum(1.0 < wait < 5.0 for wait in spell.waits)
        assert abs(spell.abandoned - spell.stored_abandoned) <= unsure
        assert {call.number for call in live.desks.calls} == {str(2001 + index) for index in range(5)}
        assert live.centre.pbx.log("ERROR") == []
