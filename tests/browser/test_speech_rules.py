"""What is heard in a call fills the complaint form by one key; the manager changes what is listened for."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from speech.events import SpeechHeard
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def said(call: str, n: int, text: str, speaker: str = "customer") -> SpeechHeard:
    return SpeechHeard(
        at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
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
