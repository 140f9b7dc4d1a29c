"""Speech over the telephone, through the tap and a recogniser, onto the agent's page and into the record."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

import app.container
from app.settings import Settings
from app.sipp.phone import PhoneCall
from speech.events import SpeechHeard, SpeechMissed
from speech.transcripts import Segment, Transcripts
from telephony.events import AgentRinging, ListeningPaused, ListeningResumed
from tests.support.centre import PASSWORD, RunningCentre, running_centre
from tests.support.chromium import DESKTOP, chromium, visitor
from tests.support.fake_recogniser import FakeRecogniser
from tests.support.models import installed, models_folder, sentences
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

LEAK = next(sentence for sentence in sentences() if "漏水" in sentence.text)
WARRANTY = next(sentence for sentence in sentences() if "保修期" in sentence.text)
GREETING = next(sentence for sentence in sentences() if "欢迎致电" in sentence.text)


class Recognition(FakeRecogniser):
    """A fake recogniser in the place of what is installed."""

    enabled = True
    trouble = ""
    running: Sequence[Any] = ()

    @classmethod
    def built(cls, monkeypatch: pytest.MonkeyPatch, *script: str) -> "Recognition":
        """Have the service built with this one."""
        made = cls(*script, pause=1.2)  # longer than people pause within a sentence

        def build(settings: Settings) -> "Recognition":
            return made

        monkeypatch.setattr(app.container, "build_recognition", build)
        return made

    async def keep_warm(self) -> None:
        """There is nothing to warm."""


class Line:
    """A centre, a customer and an agent who talk."""

    def __init__(self, centre: RunningCentre, call_id: str, caller: PhoneCall, ring: PhoneCall) -> None:
        self.centre = centre
        self.call_id = call_id
        self.caller = caller
        self.ring = ring

    async def taps(self) -> int:
        """How many taps Asterisk has."""
        return sum(name.startswith("AudioSocket/") for name in await self.centre.pbx.channels())

    async def tapped(self, count: int) -> None:
        """Wait until it has so many."""

        async def there() -> bool:
            return await self.taps() == count

        await eventually(there, timeout=20, what=f"{count} taps")

    async def segments(self) -> tuple[Segment, ...]:
        """Return what is stored of the call."""
        return await Transcripts(self.centre.database).of_call(self.call_id)


def play(call: PhoneCall, pcm: bytes) -> None:
    """Say something, and then nothing for two seconds."""
    samples = array("h")
    samples.frombytes(pcm)
    call.handset.say(samples)
    call.handset.pause(2.0)


@asynccontextmanager
async def talking(folder: Path, **changes: Any) -> AsyncIterator[Line]:
    """A complaint that an agent has taken."""
    changes = {"centre": {"hotline": "4008001234"}, "pbx": {"record_calls": True}, **changes}
    async with running_centre(folder, **changes) as centre:
        agent_id = await centre.agent_id("1001")
        bus = centre.service.base.bus
        async with (
            agent_phone(centre.pbx, "1001") as phone,
            bus.subscribe(AgentRinging, name="test") as rings,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await centre.service.desk.sign_in(agent_id)
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            rang = await rings.get()
            assert isinstance(rang, AgentRinging)
            await ring.answer()
            yield Line(centre, rang.call_id, caller, ring)
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
        assert centre.pbx.log("ERROR") == []


async def test_both_speakers_words_are_on_the_agents_page_and_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = Recognition.built(monkeypatch, "我家卫生间漏水了", "好的，马上给您登记")
    async with talking(tmp_path) as line, chromium() as browser:
        async with visitor(browser, viewport=DESKTOP) as watched:
            page, url = watched.page, line.centre.url
            await page.goto(url + "/sign-in")
            await page.fill("#login", "zhouxm")
            await page.fill("#password", PASSWORD)
            await page.click("form.card button")
            await page.wait_for_url("**/agent")
            await line.tapped(2)
            assert len(recogniser.streams) == 2
            lines = page.locator("#words-lines li")
            play(line.caller, LEAK.pcm)
            await expect(lines.first).to_contain_text("我家卫生间漏水了", timeout=60_000)
            await expect(lines.first).to_have_attribute("data-speaker", "customer")
            play(line.ring, GREETING.pcm)
            await expect(lines.nth(1)).to_contain_text("好的，马上给您登记", timeout=60_000)
            await expect(lines.nth(1)).to_have_attribute("data-speaker", "agent")
            await expect(page.locator("#words-state")).to_contain_text("延迟")
            await line.caller.hang_up()
            await line.tapped(0)
            await expect(lines).to_have_count(2)

        async def stored() -> bool:
            return len(await line.segments()) == 2

        await eventually(stored, timeout=20)
        first, second = await line.segments()
        assert (first.speaker, second.speaker, second.agent_number) == ("customer", "agent", "1001")
        assert first.start < first.end <= second.start + 5
        assert [word["text"] for word in first.words] == list("我家卫生间漏水了")
        assert recogniser.streams == []


async def test_pause_our_own_end_a_dead_recogniser_and_a_transfer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = Recognition.built(monkeypatch, "一句")
    async with talking(tmp_path) as line:
        centre = line.centre
        await line.tapped(2)
        bus = centre.service.base.bus
        bus.publish(ListeningPaused(at=centre.clock.now(), call_id=line.call_id))
        await line.tapped(0)
        bus.publish(ListeningResumed(at=centre.clock.now(), call_id=line.call_id))
        await line.tapped(2)

        # Our end leaves no tap, and the call goes on; so does its text when we are back.
        await centre.stop_service()
        await line.tapped(0)
        assert line.caller.up
        assert line.ring.up
        await centre.restart_service()
        await line.tapped(2)
        play(line.caller, LEAK.pcm)

        async def said() -> bool:
            return [segment.text for segment in await line.segments() if segment.text] == ["一句"]

        await eventually(said, timeout=20)

        # The recogniser dies under it: a gap.
        bus = centre.service.base.bus
        async with bus.subscribe(SpeechHeard, SpeechMissed, name="test") as told:
            play(line.caller, LEAK.pcm)
            async with asyncio.timeout(80):
                await told.get()
                for stream in tuple(recogniser.streams):
                    stream.lose()
                while not isinstance(await told.get(), SpeechMissed):
                    pass

        # The call goes to a colleague, and the agent's tap with it.
        async with (
            agent_phone(centre.pbx, "1002") as other,
            bus.subscribe(SpeechHeard, name="test") as heard,
        ):
            await line.ring.transfer("1002")
            taken = await other.rings(within=20)
            await taken.answer()
            await line.tapped(2)
            play(taken, GREETING.pcm)
            async with asyncio.timeout(80):
                while True:
                    event = await heard.get()
                    if isinstance(event, SpeechHeard) and event.speaker == "agent":
                        break
            assert (event.call_id, event.agent_number) == (line.call_id, "1002")
            await line.caller.hang_up()
            await line.tapped(0)


async def test_a_real_recogniser_hears_mandarin_over_the_telephone(tmp_path: Path) -> None:
    await installed("whisper-base")
    speech = {"models_dir": str(models_folder()), "engine": "whisper"}
    async with talking(tmp_path, speech=speech) as line:
        await line.tapped(2)
        play(line.caller, WARRANTY.pcm)

        async def said() -> str:
            return "".join(segment.text for segment in await line.segments())

        text = await eventually(said, timeout=60, what="the sentence is on record")
        assert "保修期" in text
        assert {segment.engine for segment in await line.segments() if segment.text} == {"whisper"}
