"""A manager changes what callers hear, by keyboard: sees a mistake at once, listens, publishes, goes back."""

import math
import os
import re
from array import array
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from ivr.prompts.audio import wav_bytes
from ivr.traffic import FlowTally
from kernel.business_time import SHANGHAI
from telephony.audio import RATE
from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, TELEPHONE, Watched, chromium, visitor
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def test_by_keyboard(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await traffic(stage)
    await sign_in(page, stage, "admin")
    await page.goto(stage.url + "/flows")
    await shoot(page, "flows")
    await page.locator("a[href='/flows/hotline']").focus()
    await page.keyboard.press("Enter")
    picture = page.locator(".drawing")
    await expect(picture.locator("a.box")).not_to_have_count(0)
    await expect(page.get_by_text("40 个来电")).to_be_visible()
    await expect(picture.locator("a.box", has_text="挂机 4")).to_have_count(1)
    await shoot(page, "flow")
    await page.get_by_role("button", name="看整图").focus()
    await page.keyboard.press("Space")
    assert await picture.evaluate("(box) => box.scrollWidth <= box.clientWidth + 1")
    await shoot(page, "flow_whole")
    hear = page.get_by_role("button", name="试听 welcome")
    await hear.focus()
    await page.keyboard.press("Enter")
    await expect(hear).to_have_attribute("data-heard", "yes")

    await page.get_by_role("link", name="修改").focus()
    await page.keyboard.press("Enter")
    text = page.get_by_label("流程全文")
    await expect(text).to_have_value(with_words("flow: hotline"))
    before = await text.input_value()
    await text.fill(before.replace("failed: welcome", "failed: nowhere"))
    place = page.get_by_role("button", name="第").first
    await expect(page.get_by_text("指向“nowhere”，但没有这个节点")).to_be_visible()
    await shoot(page, "flow_wrong")
    await place.focus()
    await page.keyboard.press("Enter")
    await expect(text).to_be_focused()
    assert "caller" in await text.evaluate("(box) => box.value.slice(box.selectionStart, box.selectionEnd)")
    await text.fill(
        before.replace("message_nothing: 没有听到您的声音。", "message_nothing: 抱歉，没有听到您的声音。")
    )
    await expect(page.locator("#checked")).to_have_text("没有错误。")
    await shoot(page, "flow_edit")

    # What was written is still there after the window was lost.
    await page.reload()
    await expect(text).to_have_value(with_words("抱歉，没有听到您的声音。"))
    await page.get_by_label("改了什么").fill("更客气")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("已发布")
    await expect(page.get_by_text("抱歉，没有听到您的声音。")).to_be_visible()
    history = page.locator("#versions li")
    await expect(history).to_have_count(1)

    await page.goto(stage.url + "/flows/hotline/edit")
    assert "抱歉" in await text.input_value()
    await text.fill(before)
    await page.get_by_label("改了什么").fill("还是原来的好")
    await page.keyboard.press("Enter")
    await expect(history).to_have_count(2)
    back = page.get_by_role("button", name="恢复这一版 v1")
    await back.focus()
    await page.keyboard.press("Enter")
    await expect(history).to_have_count(3)
    await expect(history.first).to_contain_text("现行")
    await expect(page.get_by_text("抱歉，没有听到您的声音。")).to_be_visible()
    for where in ("/flows", "/flows/hotline", "/flows/hotline/edit"):
        await page.set_viewport_size(TELEPHONE)
        await page.goto(stage.url + where)
        assert await page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"], where
        await shoot(page, "narrow" + where.replace("/", "_"))


async def test_a_new_flow_begins_with_another(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await sign_in(page, stage, "admin")
    await page.goto(stage.url + "/flows")
    await page.get_by_label("代号").fill("weekend")
    await page.get_by_label("照着做").select_option("after-queue")
    await page.get_by_role("button", name="开始写").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("流程全文")).to_have_value(with_words("flow: weekend"))
    await page.get_by_label("改了什么").fill("周末")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("已发布")
    await page.goto(stage.url + "/flows")
    await expect(page.locator("a[href='/flows/weekend']")).to_be_visible()


async def traffic(stage: Stage) -> None:
    """Forty calls of this week."""
    tally = FlowTally(stage.database, stage.clock, zone=SHANGHAI)
    begin = [("", "caller"), ("caller", "welcome"), ("welcome", "opening")]
    for to, calls in (("complaint", 14), ("repair", 12), ("service", 5), ("*fallback", 1)):
        for _ in range(calls):
            tally.add("hotline", 1, [*begin, ("opening", "main"), ("main", to)])
    for _ in range(4):
        tally.add("hotline", 1, [*begin, ("opening", "main"), ("main", "*gone")])
        tally.add(
            "hotline",
            1,
            [*begin, ("opening", "closed"), ("closed", "closed_menu"), ("closed_menu", "message")],
        )
    await tally.write()


def with_words(words: str) -> re.Pattern[str]:
    """A value with these words somewhere in it."""
    return re.compile(re.escape(words))


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def test_a_prompt_in_ones_own_voice(stage: Stage, tmp_path: Path) -> None:
    said = tmp_path / "said.wav"
    said.write_bytes(wav_bytes(array("h", [round(9000 * math.sin(at / 3)) for at in range(3 * RATE)])))
    media = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={said}",
        "--autoplay-policy=no-user-gesture-required",
    )
    async with chromium(*media) as browser, visitor(browser, viewport=DESKTOP) as watched:
        page = watched.page
        await sign_in(page, stage, "admin")
        await page.goto(stage.url + "/flows/after-queue/edit")
        text = page.get_by_label("流程全文")
        step = page.locator("#step-busy")
        record = step.get_by_role("button", name="录音 busy")
        await record.focus()
        await page.keyboard.press("Enter")
        await expect(record).to_have_attribute("data-running", "")
        await page.wait_for_timeout(1500)
        await page.keyboard.press("Enter")
        await expect(step.get_by_text("真人录音")).to_be_visible()
        await expect(text).to_have_value(with_words("让您久等了。, recording: r"))
        await shoot(page, "flow_recorded")
        await step.get_by_role("button", name="试听 busy").click()
        await expect(step.get_by_role("button", name="试听 busy")).to_have_attribute("data-heard", "yes")
        await step.get_by_role("button", name="改用合成语音 busy").click()
        await expect(step.get_by_text("真人录音")).to_have_count(0)

        async with page.expect_file_chooser() as chosen:
            await page.get_by_role("button", name="上传 nobody").click()
        await (await chosen.value).set_files(said)
        await expect(page.locator("#step-nobody").get_by_text("真人录音")).to_be_visible()
        async with page.expect_file_chooser() as chosen:
            await page.get_by_role("button", name="上传 noted").click()
        (tmp_path / "no.wav").write_text("no sound")
        await (await chosen.value).set_files(tmp_path / "no.wav")
        await expect(page.locator("#toast")).to_contain_text("不是声音")
        await page.get_by_label("改了什么").fill("真人录音")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").first).to_contain_text("已发布")
        await expect(page.locator("#step-nobody").get_by_text("真人录音")).to_be_visible()
