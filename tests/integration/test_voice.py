"""A voice that is missing stops nothing, and is heard as soon as it is there."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import pbx as pbx_settings
from app.container import Role, open_centre
from app.doctor import Level, run_checks
from app.doctor_inputs import doctor_inputs
from app.runtime import Runtime
from app.runtime.errors import RuntimeSetupError
from app.runtime.redis_server import RedisServer
from app.settings import Settings
from app.voice import Voice, needed_espeak
from ivr.keeper import VoiceKeeper
from ivr.ports import VoiceMissing
from ivr.prompts.audio import Samples
from ivr.prompts.studio import DIALPLAN_PROMPTS
from ivr.service import AFTER_QUEUE, DELIVERED, delivered
from kernel.clock import FakeClock
from kernel.db import Database, create_database
from tests.support.centre import centre_settings, fill, share_prompts
from tests.support.fake_agi import FakeChannel, call, deeds
from tests.support.fake_voice import ToneVoice
from tests.support.menus import Library, library
from tests.support.runtime import runtime_folder
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SOON = timedelta(milliseconds=5)


class LostVoice(ToneVoice):
    """A tone that may be gone; ``looked`` counts who asked for it again."""

    gone = True
    looked = 0

    async def look(self) -> None:
        self.looked += 1

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        if self.gone:
            raise VoiceMissing("gone")
        return await super().synthesise(text, voice=voice, speed=speed)


@contextlib.asynccontextmanager
async def keeping(made: Library, folder: Path, voice: LostVoice) -> AsyncIterator[None]:
    keeper = VoiceKeeper(made.flows, made.studio, folder, look=voice.look, first=SOON, longest=SOON * 4)
    running = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_what_could_not_be_spoken_is_spoken_later(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    voice = LostVoice()
    made = library(tmp_path, sqlite, clock, voice=voice)
    await made.store.open()
    await made.flows.load_active()
    with capture_logs() as logs:
        async with keeping(made, tmp_path / "pbx", voice):
            await eventually(lambda: voice.looked >= 4)
            assert [made.flows.named(name) for name in DELIVERED] == [None] * len(DELIVERED)
            assert await made.flows.versions("hotline") == ()
            voice.gone = False
            await eventually(lambda: made.flows.whole and made.flows.named(AFTER_QUEUE))
            assert [len(await made.flows.versions(name)) for name in DELIVERED] == [1] * len(DELIVERED)
            await eventually(lambda: len(list((tmp_path / "pbx").glob("*.wav"))) == len(DIALPLAN_PROMPTS))
            # the one that has the voice has told of it
            assert {entry["event"] for entry in logs} <= {"ivr_flow_ready_after_all", "ivr_flow_published"}
            tries = voice.looked
            voice.gone = True
            other = library(tmp_path / "elsewhere", sqlite, clock)
            await other.store.open()
            changed = delivered("hotline").replace("将被录音", "会被录音")
            await other.flows.publish("hotline", changed, by="李静")
            await made.flows.load_active()
            await eventually(lambda: voice.looked >= tries + 2)
            stale = made.flows.named("hotline")
            assert stale is not None
            assert stale.version == 1
            voice.gone = False
            await eventually(lambda: made.flows.whole)
            fresh = made.flows.named("hotline")
            assert fresh is not None
            assert fresh.version == 2


async def test_a_flow_with_mistakes_is_not_waited_for(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    made = library(tmp_path, sqlite, clock)
    await made.store.open()
    await made.flows._load("other", "flow: other", 1)
    assert made.flows.whole


def settings_without(folder: Path) -> Settings:
    return centre_settings(folder, voice={"espeak": str(folder / "bin" / "espeak-ng")})


async def install(settings: Settings) -> None:
    """Put an espeak-ng where the settings look for it."""
    espeak = (await Runtime.ensure(runtime_folder(), need={"espeak"})).espeak
    variables = " ".join(f"{name}='{value}'" for name, value in espeak.env().items())
    program = Path(settings.voice.espeak)
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec env {variables} {" ".join(espeak.command())} "$@"\n')
    program.chmod(0o755)


async def test_the_service_starts_without_an_espeak_and_finds_it_later(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = settings_without(tmp_path).model_copy(update={"redis_url": redis_server.url})
    # The sentences with its name in them do not come with the program.
    own_name = settings.centre.model_copy(update={"company": "和美装饰"})
    settings = settings.model_copy(update={"centre": own_name})
    settings.data_dir.mkdir()
    share_prompts(settings)
    database = create_database(settings.sql_url)
    await fill(database, users=False)
    await database.dispose()
    with capture_logs() as logs:
        async with open_centre(settings, frozenset({Role.IVR})) as centre:
            assert centre.agi_port is not None
            flows = centre.flows
            assert flows is not None
            early = await call(centre.agi_port, FakeChannel(deeds("1")))
            assert (early.played, early.variables["HF_NEXT"]) == ([], "")

            await install(settings)
            await eventually(lambda: flows.whole and flows.named("hotline"), timeout=20)
            late = await call(centre.agi_port, FakeChannel(deeds("1")))
            assert (late.variables["HF_NEXT"], late.variables["HF_QUEUE"]) == ("queue", "complaint")
            assert late.played
            assert [len(await flows.versions(name)) for name in DELIVERED] == [1] * len(DELIVERED)
    told = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["event"] for entry in told] == ["voice_missing", "ivr_no_flow_ready"]
    assert "HUIFANG_VOICE__ESPEAK" in told[0]["mend"]
    folder = pbx_settings.prompts_dir(settings)
    assert all((folder / f"{name}.wav").is_file() for name in DIALPLAN_PROMPTS)


async def test_what_the_lost_program_made_is_still_played(tmp_path: Path) -> None:
    settings = settings_without(tmp_path)
    await install(settings)
    tool = await needed_espeak(settings)
    voice = Voice(settings, tool)
    await voice.recall()
    assert len(await voice.synthesise("您好", voice="cmn", speed=165)) > 0
    shutil.rmtree(tmp_path / "bin")
    for _ in range(2):
        with pytest.raises(VoiceMissing):
            await voice.synthesise("您好", voice="cmn", speed=165)
    started_without = Voice(settings, None)
    await started_without.recall()
    assert started_without.identity == voice.identity
    assert voice.identity.startswith(f"espeak-ng {tool.version} ")
    await install(settings)
    await voice.look()
    assert len(await voice.synthesise("您好", voice="cmn", speed=165)) > 0


async def test_commands_that_speak_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeSetupError, match=r"is no espeak-ng that runs: install .* HUIFANG_VOICE__ESPEAK"
    ):
        await needed_espeak(settings_without(tmp_path))


async def test_the_doctor_tells_of_the_voice(tmp_path: Path) -> None:
    settings = settings_without(tmp_path)
    missing = {finding.name: finding for finding in await run_checks(doctor_inputs(settings))}
    await install(settings)
    there = {finding.name: finding for finding in await run_checks(doctor_inputs(settings))}

    assert missing["voice"].level is Level.ERROR
    assert "hear a chime" in missing["voice"].message
    assert "espeak-ng" not in missing
    assert there["voice"].level is Level.OK
