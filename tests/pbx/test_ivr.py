"""Customers walk the delivered menus on a real Asterisk, and listen by machine."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.runtime import Runtime
from app.sipp.phone import PhoneCall
from ivr.domain.effects import Clip
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.store import SoundFile
from ivr.runner import FlowRunner, RunnerConfig
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import is_ulid
from telephony.agi import AgiConfig, AgiServer
from tests.support.menus import Customer, FakeCallbacks, FakeDirectory, Library, library
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


@dataclass
class Hotline:
    """A PBX with the delivered menus in front."""

    pbx: Pbx
    made: Library
    server: AgiServer
    directory: FakeDirectory
    callbacks: FakeCallbacks

    async def waiting_in(self, queue: str) -> bool:
        """Whether somebody waits there."""
        found = re.search(r"has (\d+) calls", await self.pbx.cli(f"queue show {queue}"))
        return found is not None and found[1] != "0"

    async def queued(self, queue: str, *, within: float) -> None:
        """Wait until the caller is there."""
        await eventually(lambda: self.waiting_in(queue), timeout=within, interval=0.1, what=f"in {queue}")


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the prompts of all these tests are: speaking them takes seconds."""
    return tmp_path_factory.mktemp("ivr")


@pytest.fixture
async def hotline(
    tmp_path: Path, prompts: Path, runtime: Runtime, sqlite: Database, clock: FakeClock
) -> AsyncIterator[Hotline]:
    espeak = runtime.espeak
    voice = EspeakSynthesiser(espeak.command(), version=espeak.version, environment=espeak.env())
    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        made = library(prompts, sqlite, clock, voice=voice, bus=Bus())
        await made.store.open()
        await made.studio.write_dialplan_prompts(pbx.config.prompts_dir)
        await made.flows.load_active()
        directory, callbacks = FakeDirectory(), FakeCallbacks()
        runner = FlowRunner(
            made.flows,
            made.studio,
            directory=directory,
            callbacks=callbacks,
            clock=clock,
            config=RunnerConfig(default_area="010"),
        )
        server = AgiServer(AgiConfig(port=pbx.config.agi_port), runner.routes())
        await server.start()
        try:
            yield Hotline(pbx, made, server, directory, callbacks)
        finally:
            await server.stop(timedelta(0))
            await made.store.close()


async def heard(caller: PhoneCall, seconds: float) -> None:
    """Wait until the caller has listened that long since the answer."""
    await eventually(lambda: caller.ear.packets >= seconds * 50, timeout=seconds + 5, what="listening")


async def test_the_greeting_is_heard_and_a_key_cuts_it_short(hotline: Hotline) -> None:
    menu = [*(Clip("welcome", 1), Clip("recording_notice", 0), Clip("for_english", 0), Clip("main_menu", 0))]
    voiced = hotline.made.flows.named("hotline")
    assert voiced is not None
    whole = sum((voiced.clips[clip].length for clip in menu), timedelta()).total_seconds()
    last = voiced.clips[Clip("to_complaint", 0)].length.total_seconds()
    assert whole > last + 8
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 2.0)
        assert caller.ear.loudness() > 500
        assert caller.ear.silences(longer_than=1.0) == ()
        await caller.press("1")
        # Without barge-in the caller would still be listening to the menu.
        await hotline.queued("complaint", within=last + 4)
        await caller.hang_up()
    await eventually(lambda: hotline.server.sessions == 0)


async def test_9_leads_through_the_english_menu_to_the_same_people(hotline: Hotline) -> None:
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 1.0)
        await caller.press("9")
        await heard(caller, 4.0)
        assert caller.ear.loudness() > 500
        await caller.press("1")
        await hotline.queued("complaint", within=10)


async def test_a_known_caller_asks_for_progress_and_reaches_a_person(hotline: Hotline) -> None:
    hotline.directory.customers = [Customer()]
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        for seconds, key in ((1.0, "3"), (2.0, "1"), (3.0, "0")):
            await heard(caller, seconds)
            await caller.press(key)
        await hotline.queued("service", within=10)
        assert caller.ear.silences(longer_than=2.0) == ()


async def test_a_number_typed_in_one_go_is_read_back_and_noted(hotline: Hotline) -> None:
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 0.5)
        await caller.press("4")
        await heard(caller, 2.0)
        await caller.press("2")
        await heard(caller, 3.5)
        await caller.press("13900139000#")
        packets = caller.ear.packets
        await eventually(lambda: caller.ear.packets > packets + 50)
        await caller.press("1")
        await eventually(lambda: hotline.callbacks.noted, timeout=10)
        call_id, phone, _, _ = hotline.callbacks.noted[0]
        assert is_ulid(call_id)
        assert phone == "+8613900139000"
        assert await caller.ended(within=15) == "far"


SHORT_HOTLINE = """\
flow: hotline
start: menu
fallback: {queue: service, say: short}
prompts: {short: 您好}
nodes:
  menu:
    kind: menu
    say: short
    wrong: short
    silence: short
    wait_seconds: 1
    retries: 1
    keys: {"1": repair}
  repair: {kind: queue, queue: repair, timeout_seconds: 2}
"""


async def test_wrong_keys_and_silence_end_at_a_person(hotline: Hotline) -> None:
    await hotline.made.flows.publish("hotline", SHORT_HOTLINE, by="李静")
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 0.5)
        await caller.press("7")
        await hotline.queued("service", within=10)


async def test_who_waits_in_vain_is_offered_a_callback(hotline: Hotline) -> None:
    await hotline.made.flows.publish("hotline", SHORT_HOTLINE, by="李静")
    offer = hotline.made.flows.named("after-queue")
    assert offer is not None
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 0.5)
        await caller.press("1")
        await hotline.queued("repair", within=5)
        await eventually(lambda: hotline.server.sessions == 1, timeout=10, what="back from the queue")
        # Keys count from the offer on; the apology before it cannot be cut short.
        apology = offer.clips[Clip("busy", 0)].length.total_seconds()
        await heard(caller, caller.ear.packets / 50 + apology + 1)
        await caller.press("1")
        await heard(caller, caller.ear.packets / 50 + 1)
        await caller.press("1")
        await eventually(lambda: hotline.callbacks.noted, timeout=10)
        assert await caller.ended(within=15) == "far"
    assert [noted[1] for noted in hotline.callbacks.noted] == ["+8613800138000"]


async def test_a_caller_who_hangs_up_in_a_prompt_leaves_nothing_behind(hotline: Hotline) -> None:
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await heard(caller, 1.0)
        assert hotline.server.sessions == 1
        await caller.hang_up()
        await eventually(lambda: hotline.server.sessions == 0, timeout=3)
    await eventually(lambda: _no_channels(hotline.pbx))


async def _no_channels(pbx: Pbx) -> bool:
    return not await pbx.channels()


async def test_prompts_gone_from_disk_cost_nobody_their_person(
    hotline: Hotline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voiced = hotline.made.flows.named("hotline")
    assert voiced is not None
    gone = SoundFile(tmp_path / "gone", timedelta(seconds=3))
    broken = replace(voiced, clips=dict.fromkeys(voiced.clips, gone))
    monkeypatch.setattr(hotline.made.flows, "for_number", lambda dialled: broken)
    async with customer(hotline.pbx) as caller:
        await caller.until("answered")
        await hotline.queued("service", within=5)


async def test_the_menu_path_is_told_on_ami(hotline: Hotline) -> None:
    reader, writer = await asyncio.open_connection(hotline.pbx.config.ami_host, hotline.pbx.config.ami_port)
    login = f"Username: {hotline.pbx.config.ami_user}\r\nSecret: {hotline.pbx.config.ami_secret}\r\n"
    writer.write(f"Action: Login\r\n{login}\r\n".encode())
    try:
        async with customer(hotline.pbx) as caller:
            await caller.until("answered")
            await heard(caller, 0.5)
            await caller.press("2")
            async with asyncio.timeout(10):
                while "UserEvent: HuifangMenu" not in (event := await _ami_message(reader)):
                    continue
            assert {"Node: main", "Key: 2", "Label: 报修"} <= set(event.splitlines())
            assert is_ulid(re.findall(r"^Call: (\S+)", event, re.MULTILINE)[0])
    finally:
        writer.close()


async def _ami_message(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode().replace("\r\n", "\n")
