"""What a network says before anybody answers: a real Asterisk, a real recogniser, and the outcome."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.early_media import EarlyConfig, EarlyEars
from kernel.clock import SystemClock
from speech.choice import InstalledRecognition
from speech.listener import StreamListener
from speech.pool import PoolLimits
from telephony.agi.session import AgiSession
from telephony.ami.actions import AmiActions
from telephony.audio import Law
from tests.support.agi_routes import agi_routes
from tests.support.db import sqlite_database
from tests.support.dial_stage import ami_of, dial_stage
from tests.support.dialling import (
    KEEPER,
    LIMITS,
    QUICK,
    ShiftedClock,
    numbers,
    start_campaign,
    waiting_customers,
)
from tests.support.far_end import Plan, far_end
from tests.support.models import HOTLINE, installed, read_wav
from tests.support.network_tones import silence, tone
from tests.support.pbx import running_pbx
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

SAID = HOTLINE.parent / "announcements"
RING = timedelta(seconds=40)
PROGRESS = "183 Session Progress"
NOWHERE = "480 Temporarily Unavailable"
TUNE = b"".join(tone(hertz, 0.4) + silence(0.05) for hertz in (523, 587, 659, 784, 880, 1047, 988)) * 8
PAUSE = silence(1.0)


async def survey(agi: AgiSession) -> None:
    """A survey in small: somebody is there, and it is over."""
    await agi.set_variable("HF_NEXT", "hangup")


async def test_the_networks_voice_becomes_the_outcome_and_who_answers_is_there(tmp_path: Path) -> None:
    empty, off = (read_wav(SAID / f"{name}.wav") for name in ("empty", "off"))
    says = Plan(ring=None, refusal=NOWHERE, first=PROGRESS)
    plans = {
        "0": (replace(says, early=(empty + PAUSE) * 3), "empty"),
        "1": (replace(says, early=(PAUSE + off) * 3, law=Law.MU), "off"),
        "2": (replace(says, early=TUNE, ring=8.0, refusal="486 Busy Here"), "busy"),
        "3": (replace(says, ring=2.0, early=empty, refusal=""), "answered"),
        "4": (replace(says, early=PAUSE, ring=2.0, refusal="404 Not Found"), "empty"),
        "5": (replace(says, ring=12.0, early=(tone(450, 0.35) + silence(0.35)) * 16), "busy"),
        "6": (Plan(ring=2.0, refusal=NOWHERE), "no_answer"),
    }
    wanted = {numbers(digit, 1, first=100)[0]: outcome for digit, (_, outcome) in plans.items()}
    store, clock = await installed("whisper-base"), ShiftedClock()
    recognition = InstalledRecognition(store, PoolLimits(threads=1), engine="whisper")
    listener = StreamListener()
    made: list[EarlyEars] = []

    def early(actions: AmiActions) -> EarlyEars:
        address = f"127.0.0.1:{listener.port}"
        config = EarlyConfig(most=len(plans), hang_up=True)
        made.append(
            EarlyEars(
                actions, listener, recognition, address=lambda: address, clock=SystemClock(), config=config
            )
        )
        return made[0]

    await listener.start()
    try:
        async with (
            sqlite_database() as database,
            running_pbx(tmp_path) as pbx,
            agi_routes(pbx.config.agi_port, {"survey": survey}),
            far_end(
                pbx.config.trunks[0].host,
                pbx.config.trunks[0].port,
                lambda number: plans[number[-1]][0],
                pbx=(pbx.config.sip_host, pbx.config.sip_port),
            ),
        ):
            await waiting_customers(database, clock, wanted)
            await start_campaign(database, clock)
            async with dial_stage(
                ami_of(pbx),
                database,
                tmp_path,
                clock,
                early=early,
                config=replace(QUICK, ring=RING),
                keeper=replace(KEEPER, limits=replace(LIMITS, ring=RING)),
            ) as stage:
                await eventually(lambda: stage.dialling.settled(len(wanted)), timeout=60, what="all are over")
                assert await stage.dialling.outcomes() == wanted
                rows = {row.number[-1]: row for row in await stage.dialling.attempts()}
                await made[0].aclose()
            await eventually(pbx.idle, timeout=20, what="no channel is left")
            assert pbx.log("ERROR") == []
    finally:
        await listener.stop()
        await recognition.aclose()
    assert {digit: row.heard_as for digit, row in rows.items()} == {
        **dict.fromkeys("2346"),
        "0": "empty",
        "1": "off",
        "5": "busy",
    }
    assert re.search("空号|not exist", rows["0"].heard or "")
    assert (rows["0"].heard_sure or 0) >= 0.85
    assert rows["0"].cause is not None
    assert rows["3"].heard is None
    assert rows["3"].answered_at is not None
