"""Who is a person and who a machine, as the real Asterisk hears it in what is said after the answer."""

import math
import random
from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from app.sipp.phone import PhoneCall
from ivr.prompts.espeak import EspeakSynthesiser
from kernel.db import Database
from telephony.agi.session import AgiSession
from telephony.audio import RATE
from tests.support.agi_routes import agi_routes
from tests.support.db import sqlite_database
from tests.support.dial_stage import ami_of, dial_stage
from tests.support.dialling import ShiftedClock, start_campaign, waiting_customers
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import outside_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

GREETING = "您好，您拨打的电话现在无人接听，请在提示音以后留言，谢谢。"
ASSISTANT = "您好，我是王先生的电话助理，他现在不方便接听电话。"
HELLO = "喂，您好，请问哪位？"
LISTENS = timedelta(seconds=2.5)
UNCERTAIN = timedelta(seconds=1.5)
"""What the machine that runs the test may add."""


async def survey(agi: AgiSession) -> None:
    """Whoever comes here was taken for a person."""
    call = await agi.get_variable("HF_CALL") or ""
    await agi.user_event("HuifangMenu", Call=call, Node="q1", Key="1", Label="满意")
    await agi.set_variable("HF_NEXT", "hangup")


@pytest_asyncio.fixture
async def pbx(tmp_path: Path) -> AsyncIterator[Pbx]:
    async with running_pbx(tmp_path) as started, agi_routes(started.config.agi_port, {"survey": survey}):
        yield started


@pytest_asyncio.fixture
async def database() -> AsyncIterator[Database]:
    async with sqlite_database() as found:
        yield found


def silence(seconds: float) -> "array[int]":
    return array("h", [0] * round(RATE * seconds))


def noise(seconds: float, loud: int) -> "array[int]":
    dice = random.Random(7)
    return array("h", [dice.randint(-loud, loud) for _ in range(round(RATE * seconds))])


def music(seconds: float) -> "array[int]":
    """A tune without a pause, as some lines play it also after the answer."""
    tune = (262, 330, 392, 523, 392, 330)
    return array(
        "h",
        [
            round(
                5000 * math.sin(2 * math.pi * tune[at // (RATE // 4) % len(tune)] * at / RATE)
                + 2500 * math.sin(2 * math.pi * 2 * tune[at // (RATE // 4) % len(tune)] * at / RATE)
            )
            for at in range(round(RATE * seconds))
        ],
    )


async def voices(pbx: Pbx) -> dict[str, "tuple[array[int], bool]"]:
    """Return what is said by whom after the answer, and whether that is a machine."""
    espeak = pbx.runtime.espeak
    engine = EspeakSynthesiser(espeak.command(), version=espeak.version, environment=espeak.env())

    async def said(text: str) -> "array[int]":
        return await engine.synthesise(text, voice="cmn", speed=220)

    wei, greeting = await said("喂？"), await said(GREETING)
    assert len(greeting) > 4 * RATE
    street = array("h", map(sum, zip(noise(4, 800), wei + silence(4), strict=False)))
    return {
        "13800138001": (wei, False),
        "13800138002": (silence(0.7) + wei + silence(0.6) + wei, False),
        "13800138003": (await said("喂，你好。"), False),
        "13800138004": (await said(HELLO), False),
        "13800138005": (street, False),
        "13800138006": (silence(4), False),
        "13800138007": (greeting, True),
        "13800138008": (await said(ASSISTANT), True),
        "13800138009": (music(4), True),
    }


async def test_a_person_is_taken_for_one_and_a_machine_is_left_alone(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    clock, heard = ShiftedClock(), await voices(pbx)

    async def react(call: PhoneCall) -> None:
        await call.answer()
        call.handset.say(heard[call.dialled][0])

    await waiting_customers(database, clock, [f"+86{number}" for number in heard])
    async with (
        outside_phone(pbx, "people", react),
        dial_stage(ami_of(pbx), database, tmp_path, clock) as stage,
    ):
        await start_campaign(database, clock, amd=True)
        await eventually(lambda: stage.dialling.settled(len(heard)), timeout=60, what="all are over")
        found, took = {}, {}
        for row in await stage.dialling.attempts():
            number = row.number.removeprefix("+86")
            found[number] = row.outcome
            call = await stage.history.get(row.id)
            assert call.answered_at is not None
            decided = next(entry for entry in call.timeline if entry.kind == "menu")
            assert decided.detail["node"] == ("machine" if row.outcome == "machine" else "q1")
            took[number] = decided.at - call.answered_at
    assert found == {number: "machine" if machine else "answered" for number, (_, machine) in heard.items()}
    assert max(took.values()) < LISTENS + UNCERTAIN
