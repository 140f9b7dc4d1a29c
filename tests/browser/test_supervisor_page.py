"""The supervisor's board and the history in a real browser."""

import os
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from callback_campaigns.events import CampaignPulse
from kernel.business_time import SHANGHAI
from tests.browser.conftest import sign_in
from tests.support.campaigns import SUPERVISOR
from tests.support.chromium import DESKTOP, Watched, visitor
from tests.support.web_stage import Stage
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.browser

CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"
SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def shot(page: Page, name: str) -> None:
    """Take a picture for people to look at, where one is wanted."""
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/board-{name}.png", full_page=True)


def fill_board(stage: Stage) -> None:
    """Two callers wait, one of them for long; one agent talks."""
    stage.board.add_queue("complaint", waiting=2, longest=34)
    stage.board.add_queue("repair")
    numbers = sorted(stage.agents)
    stage.board.add_agent("a", numbers[0], "周晓梅", "on_call", seconds=75, call_id=CALL)
    stage.board.add_agent("b", numbers[1], "<b>吴</b>", "paused", reason="lunch", device="UNAVAILABLE")
    stage.board.add_half_hour(0, 20, 18)
    stage.board.add_half_hour(0.5, 10, 9)
    stage.board.add_call(CALL, "+8613800138001", "talking", queue="complaint", agent=numbers[0], seconds=75)


async def test_the_board_is_live_and_each_figure_has_its_age(stage: Stage, page: Page) -> None:
    fill_board(stage)
    await sign_in(page, stage, "supervisor")
    queues = page.locator("#queues tr")
    await expect(queues).to_have_count(2)
    await expect(queues.first.locator("td").nth(0)).to_have_text("投诉热线")
    await expect(queues.first.locator("td").nth(1)).to_have_text("2")
    await expect(queues.first.locator("td").nth(4)).to_have_text("81%")
    cells = await queues.first.locator("td").all_inner_texts()
    assert cells[4:12] == ["81%", "33", "30", "3", "1", "0:14", "4:05", "71%"]
    await expect(page.locator("#whole td").nth(0)).to_have_text("全部")
    await expect(page.locator("#whole td").nth(1)).to_have_text("2")
    await expect(page.locator("#handling-age")).to_contain_text("更新于")
    await expect(page.locator("#trend canvas")).to_be_visible()
    await expect(page.locator("#trend .visually-hidden tbody tr")).to_have_count(2)
    await expect(page.locator("#trend .visually-hidden tbody tr").first).to_have_text("00:002018280%")
    await expect(page.locator("#formula")).to_contain_text("20 秒内接通 ÷（接通 + 放弃 − 短放弃）")
    await expect(page.locator("#t-longest")).to_have_class("value clock late")
    before = await page.locator("#t-longest").inner_text()
    await expect(page.locator("#t-longest")).not_to_have_text(before)
    await expect(page.locator("#age")).to_contain_text("更新于")
    agents = page.locator("#agents tr")
    await expect(agents.nth(1)).to_contain_text("<b>吴</b>")
    await expect(agents.nth(1)).to_contain_text("小休 · 午休 · 话机未注册")
    await expect(page.locator("#calls")).to_contain_text("138****8001")
    stage.board.calls.clear()
    await expect(page.locator("#calls-empty")).to_be_visible()


async def test_what_is_old_looks_old(stage: Stage, page: Page) -> None:
    fill_board(stage)
    await sign_in(page, stage, "supervisor")
    await expect(page.locator("#queues tr")).to_have_count(2)
    stage.board.frozen_at = stage.clock.now() - timedelta(seconds=30)
    await expect(page.locator("#age")).to_have_attribute("data-stale", "yes")
    await expect(page.locator("#age")).to_contain_text("数据已过时：3")
    stage.board.frozen_at = None
    await expect(page.locator("#age")).not_to_have_attribute("data-stale", "yes")
    stage.board.stale = True
    await expect(page.locator("#banner")).to_contain_text("与电话系统的连接断了")
    stage.board.stale = False
    await expect(page.locator("#banner")).to_be_empty()


async def test_history_filters_without_a_page_load_and_opens_a_call(stage: Stage, page: Page) -> None:
    complaint = await stage.ring("13800138001", queue="complaint", menu_path=("投诉",))
    await stage.answer(complaint)
    await stage.hang_up(complaint)
    repair = await stage.ring("13911112222", queue="repair", caller_name="<i>x</i>")
    await stage.hang_up(repair)
    await sign_in(page, stage, "supervisor")
    await page.click("nav a[href='/calls']")
    await expect(page.locator("tr.link")).to_have_count(2)
    await page.wait_for_load_state()  # before its scripts are there the form loads a page
    await page.evaluate("window.kept = true")
    await page.select_option("#queue", "complaint")
    await page.click("form.filters button")
    await expect(page.locator("tr.link")).to_have_count(1)
    assert await page.evaluate("window.kept")
    assert "queue=complaint" in page.url
    await page.click("tr.link a")
    await expect(page.locator("h1")).to_contain_text("138 0013 8001")
    await expect(page.locator("svg.gantt rect").first).to_be_visible()
    await expect(page.locator(".events li")).to_have_count(3)
    await page.go_back()
    await expect(page.locator("tr.link")).to_have_count(1)


async def test_a_wrong_password_is_told_and_the_language_can_be_changed(
    stage: Stage, watched: Watched
) -> None:
    page = watched.page
    await page.goto(stage.url + "/sign-in")
    await page.click("button[value=en]")
    await expect(page.locator("form.card button")).to_have_text("Sign in")
    await page.fill("#login", "supervisor")
    await page.fill("#password", "wrong")
    async with page.expect_response("**/sign-in"):
        await page.click("form.card button")
    await expect(page.get_by_role("alert")).to_have_text("Login or password is wrong.")
    watched.expect("401")


async def started(stage: Stage, name: str, **changes: Any) -> str:
    """A campaign that runs from today on; returns its id."""
    assert stage.app is not None
    book, today = stage.app[CALLBACKS].campaigns, stage.clock.now().astimezone(SHANGHAI).date()
    fields = {"name": name, "mode": "ivr", "kinds": ["KG"], "trunk": "main", "carrier": "own"}
    days = {"caller_id": "01065558800", "starts_on": today, "ends_on": today + timedelta(days=6)}
    draft = await book.create(SUPERVISOR, fields | days | changes)
    view = await book.start(SUPERVISOR, draft.campaign.campaign_id, expected=draft.version)
    return view.campaign.campaign_id


async def test_the_campaigns_of_the_day_are_on_the_board_and_on_the_wall(
    stage: Stage, page: Page, browser: Browser
) -> None:
    fill_board(stage)
    for queue in ("consulting", "service", "callback", "designer"):
        stage.board.add_queue(queue)
    await sign_in(page, stage, "supervisor")
    await expect(page.locator("#queues tr")).to_have_count(6)
    await expect(page.locator("#campaigns-part")).to_be_hidden()
    await started(stage, "开工<b>回访</b>")
    key = await started(
        stage, "竣工客户回访", mode="progressive", kinds=["JG"], queue="complaint", priority=90
    )
    rows = page.locator("#campaigns tr")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("开工<b>回访</b>")
    assert await rows.nth(0).locator("td").all_inner_texts() == [
        "竣工客户回访",
        "0",
        "0",
        "–",
        "–",
        "0%",
        "刚刚",
    ]
    told: dict[str, Any] = {
        "agents_free": 2,
        "lines_used": 8,
        "abandoned_share": 0.01,
        "cap": 0.03,
        "decision": "asked",
    }
    now = stage.clock.now()
    stage.bus.publish(CampaignPulse(at=now, campaign_id=key, dialling=3, talking=5, as_of=now, **told))
    await expect(rows.nth(0).locator("td").nth(4)).to_have_text("5")
    await shot(page, "campaigns")
    async with visitor(browser, viewport=DESKTOP) as screen:
        await sign_in(screen.page, stage, "supervisor")
        await screen.page.goto(f"{stage.url}/wallboard")
        await expect(screen.page.locator("#campaigns tr").nth(0)).to_contain_text("竣工客户回访")
        await expect(screen.page.locator("#campaigns a")).to_have_count(0)
        await shot(screen.page, "wall-campaigns")
        assert await screen.page.evaluate("document.documentElement.scrollHeight") <= DESKTOP["height"]
    # The dialler says nothing any more: the figures say that they are old.
    before = now - timedelta(minutes=2)
    stage.bus.publish(CampaignPulse(at=now, campaign_id=key, dialling=3, talking=5, as_of=before, **told))
    await expect(rows.nth(0)).to_have_class("old")
    await expect(rows.nth(0).locator("td").last).to_contain_text("2:0")
    await expect(rows.nth(1)).not_to_have_class("old")
    await rows.nth(0).locator("a").click()
    await expect(page.locator("h1")).to_contain_text("竣工客户回访")
