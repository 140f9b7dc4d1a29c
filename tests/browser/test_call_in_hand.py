"""Hold, asking a colleague, three-way and sending on, from the agent's page, by keys alone; nothing moves."""

import pytest
from playwright.async_api import Page, expect

from telephony.domain.hand import HandState, Step
from telephony.hand_views import HandNotice
from tests.browser.conftest import on_duty
from tests.support.chromium import DESKTOP, Watched
from tests.support.waiting import eventually
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

PLACES = """() => ["#call", "#hand", ".call-forms", "#wrap-up", "#customer"].map((one) => {
    const { x, y, width, height } = document.querySelector(one).getBoundingClientRect();
    return [one, x, y, width, height].join(" ");
})"""


async def test_a_call_is_led_with_keys_and_nothing_moves(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    other = sorted(stage.agents)[1]
    await stage.desk.sign_in(stage.agents[other])
    call = await stage.ring("13800138001")
    await stage.answer(call)
    await expect(page.locator("#call-phase")).to_have_text("正在通话")
    await expect(page.locator("#hand-hold")).to_be_enabled()
    places = await page.evaluate(PLACES)
    about = page.locator("#hand-about")

    await page.keyboard.press("h")
    await expect(about).to_have_text("客户在听音乐，按 H 取回")
    await expect(page.locator("#hand-hold")).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate(PLACES) == places
    await page.keyboard.press("h")
    await expect(about).to_have_text("")
    await expect(page.locator("#hand-send")).to_be_enabled()

    await page.keyboard.press("g")
    await expect(page.locator("#hand-targets li").first).to_contain_text(other)
    await expect(page.locator("#hand-targets li").first).to_contain_text("空闲")
    await page.keyboard.type("投诉")
    await expect(page.locator("#hand-targets li")).to_have_count(1)
    await expect(page.locator("#hand-ask")).to_be_disabled()
    await page.fill("#hand-search", "13900139000")
    await expect(page.locator("#hand-targets li")).to_contain_text("外线")
    await page.fill("#hand-search", other)
    await page.keyboard.press("Shift+Enter")
    await expect(about).to_have_text(f"正在和 {other} 说，客户在听音乐")
    assert await page.evaluate(PLACES) == places
    for key, words in (
        ("s", f"正在和客户说，{other} 在等"),
        ("w", f"三方通话：客户、{other} 和您"),
        ("q", ""),
    ):
        await page.keyboard.press(key)
        await expect(about).to_have_text(words)
        assert await page.evaluate(PLACES) == places
    stage.control.becomes(call, stage.agent_number, HandState.TALKING, HandNotice.BUSY)
    await expect(about).to_have_text("对方正忙，客户已经接回来")
    width, height = DESKTOP["width"], DESKTOP["height"]
    assert await page.evaluate("[innerWidth, innerHeight]") == [width, height]
    await page.reload()
    await expect(about).to_have_text("对方正忙，客户已经接回来")
    await expect(page.locator("#hand-send")).to_be_enabled()
    await page.keyboard.press("g")
    # Who types fast means what they typed, not whom they see for a moment longer.
    await page.fill("#hand-search", "投诉")
    await page.keyboard.press("Enter")
    await eventually(lambda: stage.control.state is HandState.NONE)
    await expect(page.locator("#hand-send")).to_be_disabled()
    assert [step for step, _ in stage.control.taken] == [
        Step.HOLD,
        Step.UNHOLD,
        Step.CONSULT,
        Step.SWAP,
        Step.CONFERENCE,
        Step.CANCEL,
        Step.TRANSFER,
    ]
    assert stage.control.taken[-1][1] == "complaint"


async def test_who_cannot_be_reached_is_told_and_the_call_stays(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await on_duty(page, stage)
    other = sorted(stage.agents)[1]
    await stage.desk.sign_in(stage.agents[other])
    call = await stage.ring("13800138001")
    await stage.answer(call)
    await expect(page.locator("#hand-send")).to_be_enabled()
    stage.control.away.add(other)
    for key in ("Enter", "Shift+Enter"):
        await page.keyboard.press("g")
        await page.fill("#hand-search", other)
        await expect(page.locator("#hand-targets li")).to_have_count(1)
        await page.keyboard.press(key)
        await expect(page.locator("#toast")).to_contain_text("同事的电话没有连上，或者正忙")
        await expect(page.locator("#hand-send")).to_be_enabled()
        await expect(page.locator("#hand-about")).to_have_text("")
    await page.keyboard.press("g")
    await page.fill("#hand-search", "没有这个人")
    await expect(page.locator("#hand-targets li")).to_have_count(0)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.locator("#call-phase")).to_have_text("正在通话")
    assert stage.control.taken == []
    watched.expect("409")
