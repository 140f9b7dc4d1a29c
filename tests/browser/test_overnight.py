"""A page that is left open in the evening, behind a closed lid, and found again in the morning."""

import os
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from telephony.domain.agent_state import AgentState
from telephony.page_watch import PageWatch
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import DESKTOP, visitor
from tests.support.waiting import eventually
from tests.support.web_stage import PASSWORD, web_stage

pytestmark = pytest.mark.browser

WANG = "+8613800138001"
NIGHT = timedelta(hours=14, minutes=30)
SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def shot(page: Page, name: str) -> None:
    """Take a picture for people to look at, where one is wanted."""
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/overnight-{name}.png")


def evening(hour: int, minute: int = 0) -> FakeClock:
    today = datetime.now(SHANGHAI).date()
    return FakeClock(datetime.combine(today, time(hour, minute), SHANGHAI).astimezone(UTC))


async def test_an_agents_page_is_found_again_in_the_morning(tmp_path: Path, browser: Browser) -> None:
    clock = evening(18)
    async with web_stage(tmp_path, clock=clock) as stage, visitor(browser, viewport=DESKTOP) as watched:
        page, agent_id = watched.page, stage.agents[stage.agent_number]
        watch = PageWatch(stage.database, clock, stage.desk)
        await on_duty(page, stage)
        call = await stage.ring(WANG)
        await stage.answer(call)
        await expect(page.locator("#state")).to_have_attribute("data-state", "on_call")
        await stage.hang_up(call)
        await expect(page.locator("#state")).to_have_attribute("data-state", "wrap_up")
        await page.context.set_offline(True)
        await page.fill("#notes", "王先生要明天一早回电")
        await expect(page.locator("#draft-state")).to_contain_text("草稿已存在本机")
        await stage.end_wrap_up()

        # Nobody is rung into the dead page.
        clock.advance(timedelta(minutes=1))
        assert await watch.check() == 1
        asleep = await stage.desk.state(agent_id)
        assert (asleep.state, asleep.reason) == (AgentState.PAUSED, "tab_asleep")

        clock.advance(NIGHT)
        await page.context.set_offline(False)
        await expect(page.locator(".ended")).to_contain_text("您写下的内容都还在")
        await shot(page, "ended")
        assert (await stage.desk.state(agent_id)).state is AgentState.PAUSED
        await page.fill("#login", "agent")
        await page.fill("#password", PASSWORD)
        await page.click("form.card button")
        await page.wait_for_url("**/agent")
        await expect(page.locator("#state")).to_have_attribute("data-state", "available")
        await expect(page.locator("#unfinished")).to_contain_text("王先生要明天一早回电")
        yesterday = clock.now().astimezone(SHANGHAI) - timedelta(days=1)
        await expect(page.locator("#unfinished")).to_contain_text(f"{yesterday.month}/{yesterday.day} 18:00")
        await shot(page, "morning")

        async def kept() -> bool:
            found = await stage.desk.wrap_up(agent_id, call)
            return found is not None and found.draft_notes == "王先生要明天一早回电"

        await eventually(kept, timeout=20, what="the notes of the evening")
        for lost in ("ERR_INTERNET_DISCONNECTED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "401"):
            watched.expect(lost)


async def test_a_board_and_a_big_screen_begin_the_new_day_by_themselves(
    tmp_path: Path, browser: Browser
) -> None:
    clock = evening(23, 50)
    async with web_stage(tmp_path, clock=clock) as stage, visitor(browser, viewport=DESKTOP) as watched:
        board = watched.page
        stage.board.add_queue("complaint", waiting=1, longest=5)
        stage.board.add_half_hour(0, 20, 18)
        await sign_in(board, stage, "supervisor")
        wall = await board.context.new_page()
        await wall.goto(f"{stage.url}/wallboard")
        rows = "#trend .visually-hidden tbody tr"
        for page in (board, wall):
            await expect(page.locator(rows)).to_have_count(1)
        async with wall.expect_navigation():  # it runs today's program, too
            clock.advance(timedelta(minutes=50))
            stage.board.trend.clear()
            stage.board.add_half_hour(0.5, 3, 3)
        await expect(board.locator(rows).first).to_contain_text("00:303")
        await expect(wall.locator(rows).first).to_contain_text("00:303")
        for page in (board, wall):
            await expect(page.locator(rows)).to_have_count(1)
            await expect(page.locator("#age")).to_contain_text("更新于")
