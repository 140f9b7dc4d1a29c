"""What is said, beside the call, in a real browser: it grows, is replaced, marked, and is never markup."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from kernel.ids import new_ulid
from speech.events import SpeechHeard, SpeechMissed, SpeechState
from tests.browser.conftest import on_duty, sign_in
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

WANG = "13800138001"
SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


class Talk:
    """What the speech side tells of one call."""

    def __init__(self, stage: Stage, call_id: str) -> None:
        self.stage = stage
        self.call_id = call_id

    def _base(self, speaker: str) -> dict[str, Any]:
        return {"at": self.stage.clock.now(), "call_id": self.call_id, "speaker": speaker}

    def say(self, speaker: str, text: str, start: float, *, final: bool = True, delay: float = 0.4) -> None:
        self.stage.bus.publish(
            SpeechHeard(
                **self._base(speaker),
                kind="final" if final else "partial",
                segment_id=new_ulid() if final else "",
                text=text,
                start=start,
                end=start + 2,
                delay_seconds=delay,
            )
        )

    def miss(self, speaker: str, start: float, end: float, reason: str) -> None:
        self.stage.bus.publish(
            SpeechMissed(**self._base(speaker), segment_id=new_ulid(), start=start, end=end, reason=reason)
        )

    def state(self, speaker: str, state: str, delay: float = 0.0) -> None:
        self.stage.bus.publish(SpeechState(**self._base(speaker), state=state, delay_seconds=delay))


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_an_agent_reads_along(stage: Stage, page: Page) -> None:
    await on_duty(page, stage)
    call = await stage.ring(WANG)
    await stage.answer(call)
    words, lines = page.locator("#words"), page.locator("#words-lines li")
    await expect(page.locator("#call-phase")).to_have_text("正在通话")
    await expect(words).to_be_hidden()
    talk = Talk(stage, call)
    talk.state("customer", "listening", 0.3)
    talk.say("agent", "您好，安居装饰客服，我姓李，请问有什么可以帮您？", 1.0)
    talk.say("customer", "我家", 5.0, final=False)
    await expect(lines).to_have_count(2)
    await expect(lines.nth(1)).to_have_class("partial")
    talk.say("customer", "我家主卫防水做完以后，楼下说", 5.0, final=False)
    await expect(lines.nth(1).locator(".said")).to_have_text("我家主卫防水做完以后，楼下说")
    talk.say("customer", "我家主卫防水做完以后，楼下说天花板在漏水。", 5.0)
    await expect(page.locator("#words-lines .partial")).to_have_count(0)
    await expect(lines).to_have_count(2)
    await expect(lines.nth(1)).to_contain_text("客户 0:05")
    await expect(page.locator("#words-state")).to_have_text("延迟 0.4 秒")
    talk.miss("customer", 9.0, 13.2, "behind")
    talk.say("customer", "<img src=x onerror=alert(1)> ${x} \u202e</li>", 14.0)
    await expect(lines.nth(2)).to_contain_text("缺约 4 秒")
    await expect(lines.nth(3).locator(".said")).to_contain_text("<img src=x")
    assert await page.locator("#words-lines img").count() == 0
    talk.state("customer", "listening", 2.4)
    await expect(page.locator("#words-state")).to_have_text("文字延迟 2.4 秒")
    talk.say("agent", "好的王先生，我先给您登记，师傅今天下午", 17.0, final=False)
    await expect(lines).to_have_count(5)
    await shoot(page, "agent")

    # Whoever has scrolled up reads on where they are; the page does not grow without bound.
    for n in range(60):
        talk.say("customer", f"第 {n} 句话，说得比较长，要占两行才放得下，看看会不会跳。", 20.0 + 3 * n)
    await expect(page.locator("#words-lines")).to_contain_text("第 59 句话")
    box = page.locator("#words-lines")
    assert await box.evaluate("b => b.scrollHeight - b.scrollTop - b.clientHeight < 48")
    await box.evaluate("b => { b.scrollTop = 40; }")
    talk.say("agent", "嗯，我在听。", 300.0)
    await expect(box).to_contain_text("嗯，我在听。")
    assert await box.evaluate("b => b.scrollTop") == 40
    await expect(page.locator("#words-more")).to_be_visible()
    await shoot(page, "agent_scrolled")
    await page.click("#words-more")
    await expect(page.locator("#words-more")).to_be_hidden()

    talk.state("customer", "paused")
    await expect(page.locator("#words-state")).to_have_text("已暂停，这段不记文字")
    await page.reload()
    await expect(page.locator("#words-lines")).to_contain_text("天花板在漏水")
    await stage.hang_up(call)
    talk.say("customer", "再见。", 310.0)
    await expect(page.locator("#words-lines")).to_contain_text("再见")
    await page.set_viewport_size({"width": 390, "height": 844})
    await shoot(page, "agent_narrow")


async def test_a_supervisor_reads_a_call_that_goes_on(stage: Stage, page: Page) -> None:
    call = await stage.ring(WANG)
    await stage.answer(call)
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/calls/{call}")
    talk = Talk(stage, call)
    await expect(page.locator("#words")).to_be_hidden()
    talk.say("customer", "我要投诉，你们的师傅三天没来了。", 3.0)
    talk.miss("agent", 5.0, 9.0, "recogniser_lost")
    await expect(page.locator("#words-lines li")).to_have_count(2)
    await expect(page.locator("#words-lines")).to_contain_text("师傅三天没来了")
    await shoot(page, "supervisor")
    await page.set_viewport_size({"width": 390, "height": 844})
    await shoot(page, "supervisor_narrow")
