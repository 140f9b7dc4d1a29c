"""A menu published in the browser while calls go on: the next caller hears it, who is in it stays in it."""

import html
from array import array
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.demo.company import ADMINISTRATOR
from ivr.prompts.audio import wav_bytes
from tests.support.centre import PASSWORD, RunningCentre, running_centre
from tests.support.pitches import pitch, strength
from tests.support.sipp import customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

TONE = 700


async def test_the_next_caller_hears_what_was_published(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"centre": {"hotline": "4008001234", "always_open": True}, "web": {"port": 0}}
    async with running_centre(tmp_path, **changes) as centre, signed_in(centre) as browser:
        await sign_in(browser)
        async with customer(centre.pbx, number="13800138001") as inside:
            await inside.until("answered")
            await eventually(lambda: inside.ear.packets > 50, what="the first one listens")
            text = await recorded(browser, await flow_text(browser), "recording_notice")
            await publish(browser, text, expected=1)
            async with customer(centre.pbx, number="13800138002") as after:
                await after.until("answered")
                await eventually(
                    lambda: strength(after.ear.samples(), TONE) > 0.5, timeout=20, what="the tone"
                )
                await after.hang_up()
            # In the old version to its end: key and way are those that they were told of.
            assert not any(tones(inside.ear.samples()))
            await inside.press("2")

            async def waits() -> bool:
                return "has 1 calls" in await centre.pbx.cli("queue show repair")

            await eventually(waits, timeout=30, what="the first one waits")
            await inside.hang_up()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")

        async def counted() -> bool:
            page = await (await browser.get("/flows/hotline")).text()
            return "2 个来电" in page and "挂机 1" in page

        await eventually(counted, timeout=20, what="both calls stand on the picture")
        assert centre.pbx.log("ERROR") == []


def tones(samples: "array[int]") -> list[bool]:
    """Whether each stretch of what was heard is the tone."""
    step = 4000
    return [strength(samples[: at + 8000], TONE) > 0.5 for at in range(0, max(0, len(samples) - 8000), step)]


def signed_in(centre: RunningCentre) -> aiohttp.ClientSession:
    """A browser of the administrator's, without a window."""
    return aiohttp.ClientSession(
        centre.url,
        headers={"Origin": centre.url},
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        timeout=aiohttp.ClientTimeout(total=30),
    )


async def sign_in(browser: aiohttp.ClientSession) -> None:
    form = {"login": ADMINISTRATOR[0], "password": PASSWORD}
    async with browser.post("/sign-in", data=form, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()


async def flow_text(browser: aiohttp.ClientSession) -> str:
    """What the editor shows."""
    async with browser.get("/flows/hotline/edit") as answer:
        page = await answer.text()
    shown = page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]
    return html.unescape(shown).removeprefix("\n")


async def recorded(browser: aiohttp.ClientSession, text: str, prompt: str) -> str:
    """Upload a tone for a prompt."""
    form = aiohttp.FormData({"text": text, "prompt": prompt})
    form.add_field("sound", wav_bytes(pitch(TONE, 3)), filename="tone.wav", content_type="audio/wav")
    async with browser.post("/flows/hotline/record", data=form) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["text"])


async def publish(browser: aiohttp.ClientSession, text: str, *, expected: int) -> None:
    form = {"text": text, "why": "真人录音", "expected": str(expected)}
    async with browser.post("/flows/hotline/edit", data=form, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        assert answer.headers["Location"] == "/flows/hotline?done=published"
