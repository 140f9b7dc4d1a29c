"""What was said, on the record of a call, in a real browser: heard at a word, corrected by keyboard."""

import os
from array import array
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from kernel.ids import new_ulid
from speech.transcripts import Segment, store_segments
from telephony.audio import write_wav
from tests.browser.conftest import sign_in
from tests.support.fake_telephony import ringing_call
from tests.support.waiting import eventually
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")
SAID = (
    ("agent", 11.0, "您好，安居装饰客服，请问有什么可以帮您？"),
    ("customer", 15.0, "我家卫生间楼水了，楼下邻居都找上来了。"),
    ("customer", 19.5, "<img src=x onerror=alert(1)> " + "长" * 200),
    ("agent", 25.0, ""),
    ("agent", 29.0, "好的王先生，我登记一下，明天上午师傅上门。"),
)


async def test_a_word_is_heard_and_corrected(stage: Stage, page: Page) -> None:
    call_id, now = new_ulid(), stage.clock.now()
    rang = ringing_call(call_id, "+8613800138000", "", "service", (), now, now)
    stage.history.calls[call_id] = replace(
        rang,
        agent_id=stage.agents[stage.agent_number],
        started_at=now,
        answered_at=now + timedelta(seconds=10),
        ended_at=now + timedelta(seconds=50),
        state="ended",
    )
    folder = stage.files / "recordings"
    folder.mkdir(parents=True)
    write_wav(folder / f"{call_id}-att-{call_id}.wav", array("h", [500] * 8000 * 40))
    async with stage.database.transaction() as session:
        await store_segments(
            session,
            [
                Segment(
                    segment_id=new_ulid(),
                    call_id=call_id,
                    speaker=speaker,
                    agent_number="1001" if speaker == "agent" else None,
                    start=at,
                    end=at + 3,
                    raw=text,
                    text=text,
                    words=tuple(
                        {"text": letter, "start": at + n / 5, "end": at + (n + 1) / 5, "confidence": 0.9}
                        for n, letter in enumerate(text)
                    ),
                    engine="fake",
                    model="fake-lines",
                    gap=None if text else "behind",
                    created_at=now,
                )
                for speaker, at, text in SAID
            ],
        )
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/calls/{call_id}")
    lines = page.locator("#text li")
    await expect(lines).to_have_count(len(SAID))
    await expect(lines.nth(3)).to_contain_text("（这一段没有听到）")
    assert await page.locator("#text img").count() == 0
    await lines.nth(1).locator(".words-said span", has_text="楼").first.click()
    # The sixth character was said a second after the line began; what is heard begins a little before.
    audio = page.locator(".recording audio")
    await eventually(lambda: audio.evaluate("one => one.currentTime >= 5.8"), timeout=20, what="it is heard")
    await audio.evaluate("one => one.pause()")
    await expect(page.locator("#text [aria-current]")).to_have_count(1)
    await shoot(page, "call_text")

    await lines.nth(1).locator("summary").focus()
    await page.keyboard.press("Enter")
    await lines.nth(1).locator("textarea").fill("我家卫生间漏水了，楼下邻居都找上来了。")
    await shoot(page, "call_text_open")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(lines.nth(1).locator(".words-said")).to_have_text("我家卫生间漏水了，楼下邻居都找上来了。")
    await expect(lines.nth(1)).to_contain_text("已改")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await shoot(page, "call_text_narrow")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
