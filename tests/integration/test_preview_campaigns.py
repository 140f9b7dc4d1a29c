"""An agent's call counts for the preview campaign that works on the task: its line, number, pause, counts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callback_campaigns.domain.campaign import Campaign, CampaignState
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Unavailable
from kernel.ids import new_ulid
from tests.support.callback_calls import ready_task
from tests.support.campaigns import SUPERVISOR, CampaignCentre, make_campaigns
from tests.support.web_stage import web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.integration


@pytest.fixture
async def here(sqlite: Database) -> CampaignCentre:
    return await make_campaigns(sqlite, FakeClock(at("2026-03-02 15:00")))


async def task_of(here: CampaignCentre) -> str:
    """Return a callback about the start of work that may be dialled."""
    await here.centre.started()
    here.centre.clock.advance(timedelta(hours=19))
    await here.centre.bring_due()
    return (await here.centre.all())[0].task_id


async def owner(here: CampaignCentre, task_id: str) -> Campaign | None:
    return await here.book.preview_of(task_id, here.centre.clock.now())


async def test_the_running_preview_campaign_that_the_task_fits_is_found(here: CampaignCentre) -> None:
    task_id = await task_of(here)
    assert await owner(here, task_id) is None
    await here.started(mode="preview", kinds=["YB"])
    assert await owner(here, task_id) is None  # other callbacks
    mine = await here.started(mode="preview", priority=40)
    found = await owner(here, task_id)
    assert found is not None
    assert (found.campaign_id, found.caller_id) == (mine.campaign.campaign_id, "01065558800")
    # Another one that goes before it works on the task now; it dials by itself, agents call as ever.
    await here.started(priority=90)
    assert await owner(here, task_id) is None
    assert await owner(here, new_ulid()) is None


async def test_a_paused_preview_campaign_keeps_its_tasks(here: CampaignCentre) -> None:
    task_id = await task_of(here)
    mine = (await here.started(mode="preview")).campaign
    await here.book.pause(SUPERVISOR, mine.campaign_id, reason="午休", expected=mine.version)
    found = await owner(here, task_id)
    assert found is not None and found.state is CampaignState.PAUSED
    # Until another one works on them.
    other = await here.started(mode="preview")
    found = await owner(here, task_id)
    assert found is not None and found.campaign_id == other.campaign.campaign_id


async def test_the_page_and_rest_name_the_campaign_of_the_task(tmp_path: Path) -> None:
    async with web_stage(tmp_path, clock=FakeClock(at("2026-03-02 15:00"))) as stage:
        assert stage.app is not None
        task_id, today = await ready_task(stage), stage.clock.now().date()
        fields: dict[str, Any] = {
            "name": "A级预览",
            "mode": "preview",
            "kinds": ["KG"],
            "trunk": "main",
            "carrier": "own",
            "caller_id": "01065558800",
            "starts_on": today,
            "ends_on": today + timedelta(days=6),
        }
        book = stage.app[CALLBACKS].campaigns
        draft = await book.create(SUPERVISOR, fields)
        key = draft.campaign.campaign_id
        await book.start(SUPERVISOR, key, expected=draft.version)
        await stage.desk.sign_in(stage.agents[stage.agent_number])
        cookies = {SESSION_COOKIE: await stage.session_secret("agent")}
        async with aiohttp.ClientSession(stage.url, cookies=cookies, headers={"Origin": stage.url}) as agent:
            async with agent.get(f"/callback-tasks/{task_id}") as page:
                text = await page.text()
            assert "A级预览" in text and "01065558800" in text
            version = text.split('name="version" value="')[1].split('"')[0]
            async with agent.post(f"/callback-tasks/{task_id}/call", data={"version": version}) as answer:
                assert answer.status == 200
            stage.placed.answer = Unavailable("no line")
            wanted = {"If-Match": f'"{version}"', "Idempotency-Key": "k-1"}
            rest = f"/api/v1/callback-tasks/{task_id}/call"
            async with agent.post(rest, json={}, headers=wanted) as answer:
                assert answer.status == 503
        assert [one["campaign"].campaign_id for one in stage.placed.asked] == [key, key]
