"""The supervisor's board and the history in a real browser."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.support.chromium import Watched
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"


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
