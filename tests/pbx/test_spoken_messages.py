"""Customers speak after the tone on a real Asterisk; a real recogniser hears what they want."""

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.clip_text import CLIP_FACTS, ClipPart
from app.runtime import Runtime
from app.settings import Settings
from app.sipp.phone import PhoneCall
from app.speech_part import build_recognition
from app.voicemail_part import build_mailbox
from callback_campaigns.talk_tables import CallbackVoiceRow
from crm.voicemail_tables import VoiceMessageRow
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.runner import FlowRunner, RunnerConfig
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.outbox import OutboxRow
from telephony.agi import AgiConfig, AgiServer
from telephony.asterisk.sounds import TONE
from tests.support.callback_effects import make_followed
from tests.support.menus import FakeCallbacks, FakeDirectory, library
from tests.support.models import installed, models_folder, sentences
from tests.support.pbx import running_pbx
from tests.support.sipp import choose, customer, outside_phone
from tests.support.survey_calls import originate
from tests.support.surveys import quick_voice, survey_centre
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

TILES = next(sentence for sentence in sentences() if "空鼓" in sentence.text)
COMPLAINT = next(sentence for sentence in sentences() if sentence.text.startswith("我要投诉"))
WAITING = """\
flow: hotline
title: 排队
start: service
fallback: {queue: service}
nodes:
  service: {kind: queue, queue: service, timeout_seconds: 60}
"""
LEAVING = """\
flow: after-queue
title: 留言
start: why
fallback: hangup
voice: {name: cmn, speed: 300}
prompts:
  leave: 请留言。
  noted: 收到，再见。
nodes:
  why: {kind: switch, on: queue_status, cases: {KEY: message}, otherwise: bye}
  message: {kind: voicemail, say: leave, next: noted, silence_seconds: 6}
  noted: {kind: hangup, say: noted}
  bye: {kind: hangup}
"""


def samples(pcm: bytes) -> "array[int]":
    found = array("h")
    found.frombytes(pcm)
    return found


@asynccontextmanager
async def listening(folder: Path, database: Database, clock: FakeClock) -> AsyncIterator[ClipPart]:
    """Give what makes text of recordings, with a real recogniser."""
    await installed("whisper-base")
    speech = {"models_dir": str(models_folder()), "engine": "whisper"}
    settings = Settings.model_validate({"data_dir": folder, "speech": speech})
    recognition = build_recognition(settings)
    try:
        yield ClipPart(
            settings,
            recognition,
            database=database,
            clock=clock,
            worker="w1",
            late=lambda: False,
            phrases=tuple,
        )
    finally:
        await recognition.aclose()


async def hears_something(phone: PhoneCall) -> None:
    """Wait until something new is said."""
    before = phone.ear.packets
    await eventually(lambda: phone.ear.packets > before + 25, timeout=15)


async def understand(part: ClipPart, database: Database, clock: FakeClock) -> None:
    """Let it hear everything that was recorded."""
    async with database.session() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
    for fact in (decode(row.payload) for row in rows):
        if isinstance(fact, CLIP_FACTS):
            async with database.transaction() as session:
                await part.on_fact(session, fact)
    clock.advance(timedelta(seconds=2))
    while await part.texts.run_once():
        continue


async def test_a_message_left_while_waiting_becomes_text_and_a_complaint_to_call_back(
    tmp_path: Path, runtime: Runtime, sqlite: Database, clock: FakeClock
) -> None:
    espeak = runtime.espeak
    voice = EspeakSynthesiser(espeak.command(), version=espeak.version, environment=espeak.env())
    async with (
        running_pbx(tmp_path, runtime=runtime) as pbx,
        listening(tmp_path, sqlite, clock) as part,
    ):
        made = library(tmp_path, sqlite, clock, voice=voice, bus=Bus())
        await made.store.open()
        await made.flows.publish("hotline", WAITING, by="test")
        await made.flows.publish("after-queue", LEAVING, by="test")
        mailbox = build_mailbox(Settings.model_validate({"data_dir": tmp_path}), sqlite, clock)
        runner = FlowRunner(
            made.flows,
            made.studio,
            directory=FakeDirectory(),
            callbacks=FakeCallbacks(),
            clock=clock,
            mailbox=mailbox,
            config=RunnerConfig(default_area="010", tone=pbx.config.prompts_dir / TONE),
        )
        server = AgiServer(AgiConfig(port=pbx.config.agi_port), runner.routes())
        await server.start()
        try:
            async with customer(pbx, number="13800138001") as caller:
                await choose(caller, "2")  # the music of the queue is heard
                messages = tmp_path / "messages"
                await eventually(lambda: list(messages.rglob("*.wav")), timeout=20, what="the tone")
                caller.handset.say(samples(COMPLAINT.pcm))
                await caller.handset.finished()
                await caller.press("#")
                assert await caller.ended(within=20) == "far"
        finally:
            await server.stop(timedelta(0))
            await made.store.close()
        await understand(part, sqlite, clock)
    async with sqlite.session() as session:
        row = (await session.scalars(select(VoiceMessageRow))).one()
    assert "投诉" in row.transcript
    assert (row.e164, row.route, row.text_state) == ("+8613800138001", "complaint", "done")
    assert row.request_id is not None


async def test_what_a_customer_says_in_a_survey_is_on_the_department_s_desk(
    tmp_path: Path, runtime: Runtime, sqlite: Database, clock: FakeClock
) -> None:
    async with (
        quick_voice(tmp_path) as voice,
        running_pbx(tmp_path, runtime=runtime) as pbx,
        listening(tmp_path, sqlite, clock) as part,
        survey_centre(
            tmp_path,
            sqlite,
            clock,
            port=pbx.config.agi_port,
            speaking=voice,
            tone=pbx.config.prompts_dir / TONE,
        ) as site,
        outside_phone(pbx, "outside") as network,
    ):
        followed = await make_followed(site.led)
        attempt = await site.called("+8613800138001")
        await originate(pbx, attempt, "+8613800138001")
        phone = await network.rings(within=20)
        await phone.answer()
        await eventually(
            lambda: phone.ear.packets > 25 and phone.ear.loudness() > 300, timeout=15, what="the opening"
        )
        for key in "113":
            await phone.press(key)
            await hears_something(phone)
        await eventually(lambda: list(site.answers.rglob("*.wav")), timeout=20, what="the tone")
        phone.handset.say(samples(TILES.pcm))
        await phone.handset.finished()
        await phone.press("#")

        async def kept() -> bool:
            async with sqlite.session() as session:
                return await session.scalar(select(CallbackVoiceRow.id)) is not None

        await eventually(kept, timeout=20, what="the recording is kept")
        await understand(part, sqlite, clock)
        await followed.follow()
        assert phone.up  # the ticket is there while the call is on
        await phone.hang_up()
    async with sqlite.session() as session:
        row = (await session.scalars(select(CallbackVoiceRow))).one()
    assert (row.item_id, row.opinion, row.text_state) == ("KG2", "dissatisfied", "done")
    assert list(await followed.tickets()) == ["KG2"]
