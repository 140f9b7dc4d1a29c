"""What is heard in a call fills the complaint form by one key; the manager changes what is listened for."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from speech.events import SpeechHeard
from tests.browser.conftest import on_duty, sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


def said(call: str, n: int, text: str, speaker: str = "customer") -> SpeechHeard:
    return SpeechHeard(
        at=datetime.now(UTC),  # what was agreed for tomorrow is still to come
        call_id=call,
        speaker=speaker,
        kind="final",
        segment_id=f"{n:03}",
        text=text,
        start=float(n),
        end=n + 1.0,
        delay_seconds=0.4,
    )


async def test_what_is_heard_fills_the_form_by_one_key(stage: Stage, page: Page, watched: Watched) -> None:
    await sign_in(page, stage, "agent")
    call = await stage.ring("13800138000", menu_path=("投诉",))
    await stage.answer(call)
    await page.goto(f"{stage.url}/cases/new?kind=complaint&call={call}")
    await expect(page.locator("#suggestions")).to_be_hidden()
    stage.bus.publish(said(call, 0, "您是要赔偿吗", "agent"))
    stage.bus.publish(said(call, 1, "我家卫生间漏水了我要你们重做"))
    proposals = page.locator("#suggestions .suggestion:visible")
    await expect(proposals).to_have_count(4)
    await page.fill("#demand", "尽快")
    for key in range(1, 5):
        await page.keyboard.press(f"Alt+{key}")
    await expect(page.locator("#content")).to_have_value("我家卫生间漏水了我要你们重做")
    await expect(page.locator("#demand")).to_have_value("尽快；返工重做")
    await expect(page.locator("[id='lines.0.kind']")).to_have_value("1.waterproof")
    await expect(page.locator("#urgency")).to_have_value("urgent")
    await page.select_option("#urgency", "normal")
    stage.bus.publish(said(call, 2, "再不来我就打12315曝光你们"))
    await expect(page.locator("#suggestions")).to_contain_text("重大 · ")
    await page.locator(".suggestion[data-field=urgency]").click()
    await expect(page.locator("#urgency")).to_have_value("normal")
    await page.locator(".suggestion[data-field=severity]").click()
    await expect(page.locator("[name=severity][value='3']")).to_be_checked()
    await page.set_viewport_size(TELEPHONE)
    assert await page.evaluate(WIDE) <= 0
    assert watched.errors == []


async def test_one_key_beside_the_call(stage: Stage, page: Page, watched: Watched) -> None:
    await on_duty(page, stage)
    call = await stage.ring("13800138001")
    await stage.answer(call)
    await expect(page.locator("#heard")).to_be_hidden()
    await page.fill("#notes", "王先生家")
    stage.bus.publish(said(call, 0, "我家主卫漏水了<b>漏到楼下</b>了，再不来我就打12315"))
    stage.bus.publish(said(call, 1, "师傅明天上午上门给您看", "agent"))
    stage.bus.publish(said(call, 2, "以后不要再给我打电话了"))
    acts = page.locator("#heard-acts .heard-act")
    await expect(acts).to_have_count(4)
    await expect(page.locator("#heard-lights .chip[data-tone=brick]")).to_have_count(2)
    await expect(page.locator("#words-lines mark[data-kind=threat]")).to_have_text("12315")
    await expect(page.locator("#words-lines mark[data-kind=appointment]")).to_have_count(1)
    await shoot(page, "heard")
    async with page.context.expect_page() as opened:
        await page.keyboard.press("Alt+2")  # while the note is being written
    form = await opened.value
    await expect(form.locator("[id='lines.0.kind']")).to_have_value("1.waterproof")
    await expect(form.locator("[name=severity][value='3']")).to_be_checked()
    await expect(form.locator("#content")).to_have_value(re.compile("漏到楼下"))
    assert "take" not in form.url
    await shoot(form, "heard_form")
    await form.close()
    async with page.context.expect_page() as opened:
        await page.keyboard.press("Alt+1")
    refusal = await opened.value
    await expect(refusal.locator("#do-not-call")).to_have_attribute("open", "")
    await expect(refusal.locator("#do-not-call-who")).to_have_value("13800138001")
    await expect(refusal.locator("#do-not-call-evidence")).to_have_value(
        re.compile("不要再给我打电话了.*" + call)
    )
    await refusal.close()
    await expect(page.locator("#notes")).to_have_value("王先生家")
    await page.set_viewport_size(TELEPHONE)
    assert await page.evaluate(WIDE) <= 0
    await shoot(page, "heard_narrow")
    assert watched.errors == []


async def test_a_rule_is_tried_changed_and_published(stage: Stage, page: Page, watched: Watched) -> None:
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="沈静"
    )
    await sign_in(page, stage, "manager")
    await page.goto(stage.url + "/speech-rules")
    await page.fill("#sentence", "天天太闹心，卫生间漏水三天了")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said mark").first).to_have_text("卫生间漏水")
    await expect(page.locator(".found")).not_to_contain_text("邻里")
    await page.goto(stage.url + "/speech-rules/rule/topic.neighbour")
    await page.fill("#phrases", "太闹心\n扰民")
    await page.locator(".rule-form button.primary").click()
    await page.fill("#sentence", "天天太闹心")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found")).to_contain_text("邻里")
    await page.fill("#why", "客户的新说法")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("v2")
    await page.fill("#phrase", "马可波罗")
    await page.keyboard.press("Enter")
    await expect(page.locator(".own-words")).to_contain_text("马可波罗")
    await page.set_viewport_size(TELEPHONE)
    for path in ("", "/text", "/rule/topic.tile"):
        await page.goto(f"{stage.url}/speech-rules{path}")
        assert await page.evaluate(WIDE) <= 0, path
    assert watched.errors == []
