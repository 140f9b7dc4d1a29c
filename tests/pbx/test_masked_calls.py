"""The captain calls a customer on a real Asterisk: whose telephone rings when, what it shows, and once."""

import cmath
from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.sipp.phone import answers
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.masked_calls import AlreadyCalling, MaskedCalls
from callback_campaigns.preview import DialRefused, PreviewConfig
from callback_campaigns.rule_files import shipped_dialling
from crm.members import NoNumbers
from kernel.db import Database
from telephony.audio import FRAME_SAMPLES, RATE, read_wav, write_wav
from telephony.board_views import NO_FIGURES, AgentView, BoardView
from tests.support.db import sqlite_database
from tests.support.dial_stage import DialStage, ami_of, dial_stage
from tests.support.dialling import ShiftedClock, numbers
from tests.support.masked import repair_in_hand
from tests.support.network import BUSY, SILENT, Network, network
from tests.support.network_tones import tone
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.sip_capture import sip_capture
from tests.support.sipp import AUDIBLE, agent_phone, outside_phone
from tests.support.waiting import eventually

# One Asterisk and one network for all of them.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

ANSWERS = "0"
NOTICE, CAPTAIN_EARLY, CUSTOMER_EARLY, CAPTAIN, CUSTOMER = 1000, 450, 600, 750, 900
"""Tones in the place of words, in Hz: each makes whole waves in 20 ms, so that none is taken for another."""
AUDIBLE_TONE = 1500
"""Of 6000: half a frame of it, or a tone beside another one's edge, does not count."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pbx]:
    async with running_pbx(tmp_path_factory.mktemp("masked")) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outside(pbx: Pbx) -> AsyncIterator[Network]:
    async with network(pbx, talk=timedelta(seconds=60)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def database() -> AsyncIterator[Database]:
    async with sqlite_database() as found:
        yield found


class Extension:
    """Everybody has the extension 1001."""

    async def number_of(self, session: Any, user_id: str) -> str | None:
        return "1001"


def board(clock: ShiftedClock) -> BoardView:
    """A board on which the extension 1001 has a telephone."""
    agent = AgentView(
        agent_id="A",
        number="1001",
        name="马师傅",
        state="available",
        reason=None,
        since=clock.now(),
        call_id=None,
        queue=None,
        next_state=None,
        queues=(),
        device="NOT_INUSE",
    )
    return BoardView(
        as_of=clock.now(),
        stale=False,
        formula="",
        total=NO_FIGURES,
        queues=(),
        agents=(agent,),
        calls=(),
        links=(),
    )


def masked_of(stage: DialStage, people: Any = None, ring: float = 10) -> MaskedCalls:
    dialler, centre = stage.dialling.dialler, stage.dialling.centre
    return MaskedCalls(
        centre.desk.office,
        centre.tasks,
        shipped_dialling(),
        centre.desk.do_not_call,
        people or NoNumbers(),
        dialler._campaigns.lines,
        stage.dialling.exchange,
        dialler._placing,
        PreviewConfig(trunk="main", caller_id=HOTLINE, ring=timedelta(seconds=ring)),
    )


async def state_of(stage: DialStage, attempt_id: str) -> str:
    return {row.id: row.state for row in await stage.dialling.attempts()}[attempt_id]


def samples(hertz: int, seconds: float) -> "array[int]":
    """Return a tone to say."""
    made = array("h")
    made.frombytes(tone(hertz, seconds))
    return made


def moments(sound: "array[int]", hertz: int) -> list[int]:
    """Return the places, in frames of 20 ms, at which a tone can be heard."""
    turn = [cmath.exp(-2j * cmath.pi * hertz * at / RATE) for at in range(FRAME_SAMPLES)]
    found = []
    for frame in range(len(sound) // FRAME_SAMPLES):
        part = sound[frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES]
        if abs(sum(a * b for a, b in zip(part, turn, strict=True))) * 2 / FRAME_SAMPLES > AUDIBLE_TONE:
            found.append(frame)
    return found


async def hang_up(pbx: Pbx) -> None:
    for channel in await pbx.channels():
        await pbx.cli(f"channel request hangup {channel}")


async def test_the_captains_telephone_rings_then_the_customers_and_neither_shows_the_other(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    own, customer = numbers(ANSWERS, 2, first=500)
    captain, case_id = await repair_in_hand(database, clock, customer, own)
    async with (
        sip_capture(pbx, tmp_path / "sip.pcap") as said,
        dial_stage(ami_of(pbx), database, tmp_path, clock, dial=False) as stage,
    ):
        made = await masked_of(stage).call_customer(captain, case_id)
        await eventually(lambda: outside.talking[own[3:]] == 1, timeout=20, what="the captain answers")
        await eventually(lambda: outside.talking[customer[3:]] == 1, timeout=30, what="the customer answers")

        async def talking() -> bool:
            call = stage.ingest.book.get(made.attempt_id)
            return call is not None and call.state == "talking" and len(call.live) == 2

        await eventually(talking, timeout=20, what="both are in one bridge")
        await eventually(
            lambda: _is(stage, made.attempt_id, "answered"), timeout=20, what="the attempt is answered"
        )
        await hang_up(pbx)
        await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
        assert await stage.dialling.outcomes() == {customer: "answered"}
        stored = await stage.history.get(made.attempt_id)
        assert (stored.direction, stored.to_number, stored.result) == ("out", customer, "ANSWERED")
        assert stored.talk_seconds > 0
    assert (outside.offered[own[3:]], outside.offered[customer[3:]]) == (1, 1)
    invites = [one for one in said if one.first.startswith("INVITE sip:")]
    for number, other in ((own, customer), (customer, own)):
        mine = next(one for one in invites if f"sip:{number[3:]}@" in one.first)
        shown = mine.header("From").partition("sip:")[2].partition("@")[0]
        assert shown == HOTLINE
        dialog = [one.text for one in said if one.header("Call-ID") == mine.header("Call-ID")]
        assert len(dialog) >= 4
        # Nothing that the telephone was sent or sent says whom it talked with, nor any name.
        assert not [text for text in dialog if other[3:] in text or "马师傅" in text]


async def _is(stage: DialStage, attempt_id: str, state: str) -> bool:
    return await state_of(stage, attempt_id) == state


async def test_a_captain_who_does_not_answer_has_nobody_called_and_may_try_again(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    (own,), (customer,) = numbers(SILENT, 1, first=510), numbers(ANSWERS, 1, first=511)
    captain, case_id = await repair_in_hand(database, clock, customer, own)
    async with dial_stage(ami_of(pbx), database, tmp_path, clock, dial=False) as stage:
        masked = masked_of(stage, ring=1)
        for count in (1, 2):
            await masked.call_customer(captain, case_id)
            await eventually(partial(stage.dialling.settled, count), timeout=20, what="it is over")
        assert {row.outcome for row in await stage.dialling.attempts()} == {"failed"}
        assert outside.offered[own[3:]] == 2
    assert outside.offered[customer[3:]] == 0


async def test_a_captain_on_an_extension_hears_a_word_when_the_customer_cannot_be_reached(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    (customer,) = numbers(BUSY, 1, first=520)
    captain, case_id = await repair_in_hand(database, clock, customer, None)
    async with (
        agent_phone(pbx, "1001") as phone,
        dial_stage(ami_of(pbx), database, tmp_path, clock, dial=False, board=lambda: board(clock)) as stage,
    ):
        await masked_of(stage, Extension()).call_customer(captain, case_id)
        call = await phone.rings(within=20)
        assert call.caller == HOTLINE
        await call.answer()
        await eventually(
            lambda: outside.offered[customer[3:]] == 1, timeout=20, what="the customer is called"
        )
        await eventually(lambda: call.ear.loudness() > AUDIBLE, timeout=20, what="something is said")
        await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
        assert await stage.dialling.outcomes() == {customer: "busy"}
    assert outside.offered[customer[3:]] == 1


async def test_a_service_that_is_killed_between_the_two_telephones_calls_nobody_twice(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    (customer,) = numbers(ANSWERS, 1, first=530)
    captain, case_id = await repair_in_hand(database, clock, customer, None)
    (own,) = numbers(ANSWERS, 1, first=531)
    # The same telephone in another case, of another captain: a family has one number.
    colleague, other_case = await repair_in_hand(database, clock, customer, own)
    async with agent_phone(pbx, "1001") as phone:
        async with dial_stage(
            ami_of(pbx), database, tmp_path, clock, dial=False, board=lambda: board(clock)
        ) as stage:
            made = await masked_of(stage, Extension()).call_customer(captain, case_id)
            call = await phone.rings(within=20)
        # Killed: the captain picks up, and Asterisk alone goes on.
        await call.answer()
        await eventually(lambda: outside.talking[customer[3:]] == 1, timeout=30, what="the customer answers")
        async with dial_stage(
            ami_of(pbx), database, tmp_path, clock, dial=False, board=lambda: board(clock)
        ) as stage:
            await eventually(lambda: _is(stage, made.attempt_id, "answered"), timeout=20, what="it is found")
            masked = masked_of(stage, Extension())
            with pytest.raises(AlreadyCalling):
                await masked.call_customer(captain, case_id)
            with pytest.raises(DialRefused) as refused:
                await masked_of(stage).call_customer(colleague, other_case)
            assert refused.value.refusal.code is RefusalCode.OPEN_ATTEMPT
            await call.hang_up()
            await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
            assert await stage.dialling.outcomes() == {customer: "answered"}
    assert outside.offered[customer[3:]] == 1


@pytest.mark.parametrize("can_tell", [True, False], ids=["notice", "no-notice"])
async def test_the_customer_hears_the_notice_before_the_first_recorded_word(
    database: Database, tmp_path: Path, can_tell: bool
) -> None:
    """Nothing said during the notice is in any file; where it cannot be played nothing is recorded."""
    clock = ShiftedClock()
    (customer,) = numbers(ANSWERS, 1, first=540)
    captain, case_id = await repair_in_hand(database, clock, customer, None)
    async with running_pbx(tmp_path, record=True) as pbx:
        if can_tell:
            write_wav(pbx.config.prompts_dir / "huifang-recording.wav", samples(NOTICE, 3.0))
        async with (
            agent_phone(pbx, "1001") as phone,
            outside_phone(pbx, customer[3:], answers()) as outside,
            dial_stage(
                ami_of(pbx), database, tmp_path, clock, dial=False, board=lambda: board(clock)
            ) as stage,
        ):
            made = await masked_of(stage, Extension()).call_customer(captain, case_id)
            captains = await phone.rings(within=20)
            await captains.answer()
            customers = await outside.rings(within=20)
            await customers.until("talking", within=20)
            if can_tell:
                await eventually(
                    lambda: moments(customers.ear.samples(), NOTICE), timeout=20, what="the notice begins"
                )
                captains.handset.say(samples(CAPTAIN_EARLY, 1.5))
                customers.handset.say(samples(CUSTOMER_EARLY, 1.5))
                await captains.handset.finished()
                await customers.handset.finished()

            async def together() -> bool:
                call = stage.ingest.book.get(made.attempt_id)
                return call is not None and call.state == "talking" and len(call.live) == 2

            await eventually(together, timeout=20, what="both are in one bridge")
            captains.handset.say(samples(CAPTAIN, 1.5))
            customers.handset.say(samples(CUSTOMER, 1.5))
            await captains.handset.finished()
            await customers.handset.finished()
            await eventually(
                lambda: len(moments(customers.ear.samples(), CAPTAIN)) > 50, timeout=20, what="they talk"
            )
            await captains.hang_up()
            await customers.ended()
            await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
        await eventually(pbx.idle, timeout=20, what="no channel is left")
        files = {path.stem.rpartition("-")[2]: read_wav(path) for path in pbx.config.recordings_dir.iterdir()}
    if not can_tell:
        assert files == {}
        return
    heard = customers.ear.samples()
    told, talked = moments(heard, NOTICE), moments(heard, CAPTAIN)
    assert len(told) * 0.02 > 2.5, "the whole of the notice"
    assert told[-1] < talked[0]
    assert moments(heard, CAPTAIN_EARLY) == []
    assert len(files) == 3
    assert len(moments(files["customer"], CUSTOMER)) > 50
    assert len(moments(files["agent"], CAPTAIN)) > 50
    for name, sound in files.items():
        for early in (NOTICE, CAPTAIN_EARLY, CUSTOMER_EARLY):
            assert moments(sound, early) == [], f"{early} Hz in {name}"
