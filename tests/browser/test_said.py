"""Who said it, in a browser: found by keyboard, heard where it stands, the page of the call at the words."""

import os
from array import array
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from crm.said_index import Conversation, SaidIndex
from kernel.ids import new_ulid
from speech.after import Priority, want_text
from speech.events import TranscriptMade
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
    ("customer", 15.0, "我家卫生间漏水了，楼下邻居都找上来了。"),
    ("agent", 19.5, "您说的漏水是从什么时候开始的？"),
    ("customer", 25.0, "上个星期，<b>漏水</b>越来越大。"),
)


async def ended_call(stage: Stage) -> str:
    """Let a call have been; return its id."""
    call_id, now = new_ulid(), stage.clock.now()
    rang = ringing_call(call_id, "+8613800138000", "", "complaint", (), now, now)
    stage.history.calls[call_id] = replace(
        rang,
        agent_id=stage.agents[stage.agent_number],
        agent="1001",
        started_at=now,
        answered_at=now + timedelta(seconds=10),
        ended_at=now + timedelta(seconds=50),
        state="ended",
    )
    folder = stage.files / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / f"{call_id}-att-{call_id}.wav", array("h", [500] * 8000 * 40))
    return call_id


async def write_down(stage: Stage, call_id: str) -> None:
    """Store what was said, and make it findable."""
    now = stage.clock.now()
    said = [
        Segment(
            segment_id=new_ulid(),
            call_id=call_id,
            speaker=speaker,
            agent_number="1001" if speaker == "agent" else None,
            start=at,
            end=at + 3,
            raw=text,
            text=text,
            engine="fake",
            model="fake-lines",
            created_at=now,
        )
        for speaker, at, text in SAID
    ]
    spoken = Conversation(
        call_id=call_id,
        started_at=stage.history.calls[call_id].started_at,
        customer=tuple(text for speaker, _, text in SAID if speaker == "customer"),
        agent=tuple(text for speaker, _, text in SAID if speaker == "agent"),
    )
    async with stage.database.transaction() as session:
        await store_segments(session, said)
        await SaidIndex().put(session, spoken)


async def test_what_was_said_is_found_and_heard(stage: Stage, page: Page) -> None:
    call_id = await ended_call(stage)
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/said")
    await page.keyboard.type("漏水")
    await page.keyboard.press("Enter")
    await expect(page.locator("#results .empty")).to_contain_text("没有人说过")
    await write_down(stage, call_id)  # the page hears of it by itself
    call = page.locator("#results .said-call")
    await expect(call).to_have_count(1, timeout=20_000)
    await expect(call.locator("mark")).to_have_text(["漏水", "漏水", "漏水"])
    await shoot(page, "said")
    await page.select_option("#speaker", "agent")
    await page.locator("form.filters button").click()
    await expect(call.locator("mark")).to_have_text(["漏水"])
    await call.locator("[data-play]").click()
    audio = page.locator("#said-audio")
    await eventually(lambda: audio.evaluate("one => one.currentTime >= 9"), timeout=20, what="it is heard")
    await shoot(page, "said_heard")
    await audio.evaluate("one => one.pause()")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await shoot(page, "said_narrow")
    await page.locator("#words").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/calls/{call_id}?at=*")
    await expect(page.locator("#text li:target")).to_contain_text("从什么时候开始")
    recording = page.locator(".recording audio")
    await eventually(
        lambda: recording.evaluate("one => one.currentTime >= 9"), timeout=20, what="it is heard there"
    )


async def test_the_page_of_a_call_shows_its_text_when_it_is_made(stage: Stage, page: Page) -> None:
    call_id, now = await ended_call(stage), stage.clock.now()
    async with stage.database.transaction() as session:
        await want_text(
            session,
            call_id,
            priority=Priority.COMPLAINT,
            language="zh",
            call_at=now,
            began=10.0,
            agent_number="1001",
            now=now,
        )
    await sign_in(page, stage, "supervisor")
    await page.goto(f"{stage.url}/transcripts")
    await shoot(page, "transcripts")
    await page.goto(f"{stage.url}/calls/{call_id}")
    await expect(page.locator("#text")).to_contain_text("完成后会出现在这里")
    await page.wait_for_function("document.querySelector('#banner') !== null")
    await write_down(stage, call_id)

    async def is_shown() -> bool:
        stage.bus.publish(TranscriptMade(at=stage.clock.now(), call_id=call_id, state="done"))
        return await page.locator("#text li").count() == len(SAID)

    await eventually(is_shown, timeout=30, what="the text is there")
    await shoot(page, "call_text_made")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
