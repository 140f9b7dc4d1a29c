"""The recordings of a call on its page: seen, heard from a moment on, taken away with a reason."""

import math
import os
import wave
from array import array
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from kernel.ids import new_ulid
from telephony.audio import write_wav
from telephony.views import TimelineEntry
from tests.browser.conftest import sign_in
from tests.support.fake_telephony import ringing_call
from tests.support.waiting import eventually
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")
RATE = 8000


def speech(seconds: int, *, first: bool) -> "array[int]":
    """Sound that comes and goes every four seconds; the other speaker has the pauses."""
    return array(
        "h",
        (
            int(9000 * math.sin(n / 7) * (0.3 + 0.7 * abs(math.sin(n / 2100))))
            if (n // (4 * RATE) % 2 == 0) is first
            else 0
            for n in range(seconds * RATE)
        ),
    )


def record(folder: Path, name: str, seconds: int, *, written: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    customer, agent = speech(seconds, first=True), speech(seconds, first=False)
    for side, samples in (("", customer), ("-customer", customer), ("-agent", agent)):
        path = folder / f"{name}{side}.wav"
        write_wav(path, samples)
        os.utime(path, (written, written))


async def test_a_call_is_seen_heard_and_taken_away(stage: Stage, page: Page) -> None:
    call_id, now = new_ulid(), stage.clock.now()
    rang = ringing_call(call_id, "+8613800138000", "", "service", (), now, now)
    line = (("answered", 10), ("held", 18), ("unheld", 24), ("transferred", 50), ("ended", 150))
    stage.history.calls[call_id] = replace(
        rang,
        agent_id=stage.agents[stage.agent_number],
        started_at=now,
        answered_at=now + timedelta(seconds=10),
        ended_at=now + timedelta(seconds=150),
        state="ended",
        timeline=tuple(
            TimelineEntry(
                seq=number,
                at=now + timedelta(seconds=at),
                kind=kind,
                channel=None,
                agent=None,
                queue=None,
                detail={},
            )
            for number, (kind, at) in enumerate(line, 1)
        ),
    )
    began, folder = now.timestamp(), stage.files / "recordings"
    record(folder, f"{call_id}-1.1", 40, written=began + 50)
    record(folder, f"{call_id}-1.2", 60, written=began + 150)
    await sign_in(page, stage, "admin")
    await page.goto(f"{stage.url}/calls/{call_id}")
    parts = page.locator(".recording")
    await expect(parts).to_have_count(2)
    await expect(parts.nth(1).locator("h3")).to_contain_text("第 2 段")
    first, second = (parts.nth(n).locator("audio") for n in (0, 1))

    marks = parts.nth(0).locator("[data-hear]")
    assert [text.split()[0] for text in await marks.all_inner_texts()] == ["0:00", "0:08", "0:14", "0:40"]
    await marks.nth(2).focus()
    await page.keyboard.press("Enter")
    await eventually(lambda: first.evaluate("one => one.currentTime >= 13.9"), timeout=20, what="the mark")
    await page.select_option("#speed", "2")
    assert await first.evaluate("one => one.playbackRate") == 2

    box = await parts.nth(1).locator("svg").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    await eventually(lambda: second.evaluate("one => one.currentTime >= 29.9"), timeout=20, what="the middle")
    assert await first.evaluate("one => one.paused")
    assert await second.evaluate("one => one.playbackRate") == 2
    at = await parts.nth(1).locator("line.now").get_attribute("x1")
    assert at is not None
    assert 490 <= float(at) <= 700
    await second.evaluate("one => one.pause()")
    await shoot(page, "recordings")

    form = parts.nth(0).locator("details")
    await form.locator("summary").focus()
    await page.keyboard.press("Enter")
    await form.locator("[name=reason]").fill("客户申请复核")
    async with page.expect_download() as waiting:
        await page.keyboard.press("Enter")
    taken = await (await waiting.value).path()
    with wave.open(str(taken)) as reader:
        assert (reader.getnchannels(), reader.getnframes()) == (2, 40 * RATE)

    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await shoot(page, "recordings_narrow")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
