"""An agent's network is gone during a call, on the real line: nobody is stuck, nobody rings into it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from telephony.domain.agent_state import AgentState
from telephony.page_watch import PageWatch
from telephony.roster import Roster
from tests.support.centre import LOGINS, PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, visitor
from tests.support.pbx import HOTLINE
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser

AGENT, NEXT = "1001", "1002"


@pytest_asyncio.fixture(loop_scope="session")
async def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningCentre]:
    # A page beats every ten seconds; 45 are usual.
    quick = partial(PageWatch, limit=timedelta(seconds=15), every=timedelta(seconds=1))
    monkeypatch.setattr("app.container.PageWatch", quick)
    async with running_centre(tmp_path, centre={"hotline": HOTLINE}) as centre:
        base = centre.service.base
        roster = Roster(base.database, base.clock, base.bus)
        queue = next(one for one in await roster.queues() if one.name == "complaint")
        await roster.put_queue(replace(queue, wrap_up=timedelta(seconds=8)))
        yield centre


async def _is(line: RunningCentre, number: str, state: AgentState, *, within: float = 20) -> None:
    agent_id = await line.agent_id(number)

    async def so() -> bool:
        return (await line.service.desk.state(agent_id)).state is state

    await eventually(so, timeout=within, what=f"{number} is {state.value}")


async def test_the_network_is_gone_during_a_call(line: RunningCentre, browser: Browser) -> None:
    async with (
        visitor(browser, viewport=DESKTOP) as watched,
        agent_phone(line.pbx, AGENT) as one,
        agent_phone(line.pbx, NEXT) as two,
    ):
        page = watched.page
        await page.goto(line.url)
        await page.fill("#login", LOGINS[AGENT])
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(lambda url: "sign-in" not in url)
        await page.click("#sign-in")
        await expect(page.locator("#state")).to_have_attribute("data-state", "available")
        async with customer(line.pbx, number="13800138001") as caller:
            await choose(caller, "1")
            talk = await one.rings(within=20)
            await talk.answer()
            await expect(page.locator("#state")).to_have_attribute("data-state", "on_call")
            await page.context.set_offline(True)
            await page.keyboard.press("n")
            await page.keyboard.type("厨房漏水，明早师傅上门")
            # The page says it cannot reach the service, and the conversation goes on.
            await expect(page.locator(".banner")).to_contain_text("与服务器的连接断了")
            heard = caller.ear.packets
            await eventually(lambda: caller.ear.packets > heard + 50, what="they go on talking")
            await caller.hang_up()
            await talk.ended()
        # The time for the outcome runs out; then they would be free, but their page is silent.
        desk, agent_id = line.service.desk, await line.agent_id(AGENT)
        await _is(line, AGENT, AgentState.PAUSED, within=60)
        assert (await desk.state(agent_id)).reason == "tab_asleep"
        # They get no call: the next caller goes to a colleague.
        await line.service.desk.sign_in(await line.agent_id(NEXT))
        async with customer(line.pbx, number="13800138002") as later:
            await choose(later, "1")
            other = await two.rings(within=60)
            await other.answer()
            await other.hang_up()
        # And when the network is back the page shows what is true, with what was typed.
        await page.context.set_offline(False)
        await expect(page.locator("#state")).to_have_attribute("data-state", "paused")
        await expect(page.locator("#state-why")).to_contain_text("页面无响应")
        await expect(page.locator("#unfinished")).to_contain_text("厨房漏水，明早师傅上门")
        await page.keyboard.press("r")
        await expect(page.locator("#state")).to_have_attribute("data-state", "available")
        watched.expect("ERR_INTERNET_DISCONNECTED")
        watched.expect("Failed to load resource")
