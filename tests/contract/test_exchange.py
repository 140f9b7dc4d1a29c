"""What the dialler relies on of an exchange: the real one over AMI, and the one that fails at will."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from callback_campaigns.attempt_keeper import CallRecords
from callback_campaigns.dial_outcomes import CallOver, outcome_of
from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.exchange import DialOrder, Exchange, ExchangeAway, Sending, Way
from kernel.bus import Bus
from kernel.events import Event
from kernel.ids import new_ulid
from telephony.agi.session import AgiSession
from telephony.events import CallAnswered, CallEnded, CallOpened, CallProgressed, LinkStateChanged
from tests.support.agi_routes import agi_routes
from tests.support.db import sqlite_database
from tests.support.dial_stage import ami_of, dial_stage
from tests.support.dialling import ShiftedClock
from tests.support.fake_exchange import FakeExchange
from tests.support.network import BUSY, DECLINES, EMPTY, NO_WAY, OFF, SILENT, network
from tests.support.pbx import HOTLINE, running_pbx
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

ANSWERS = "0"
OUTCOMES = {
    ANSWERS: "answered", BUSY: "busy", DECLINES: "rejected", EMPTY: "empty", OFF: "off", SILENT: "no_answer",
    NO_WAY: "congestion",
}  # fmt: skip


class Wire(Protocol):
    """What may fail between us and the exchange."""

    def cut(self) -> None: ...

    def mend(self) -> None: ...


@dataclass
class Outside:
    """An exchange, what is heard of it, and what the network behind it counted."""

    exchange: Exchange
    records: CallRecords
    bus: Bus
    wire: Wire
    offered: Any
    heard: list[Event] = field(default_factory=list)

    async def listen(self) -> None:
        async with self.bus.subscribe(
            CallOpened, CallProgressed, CallAnswered, CallEnded, LinkStateChanged, name="contract"
        ) as events:
            async for event in events:
                assert isinstance(event, Event)
                self.heard.append(event)

    def of(self, call_id: str) -> list[Any]:
        return [event for event in self.heard if getattr(event, "call_id", None) == call_id]

    def count(self, number: str) -> int:
        return int(self.offered[number] + self.offered[number[3:]])

    async def ended(self, call_id: str) -> CallEnded:
        def found() -> CallEnded | None:
            return next((event for event in self.of(call_id) if isinstance(event, CallEnded)), None)

        fact = await eventually(found, timeout=20, what="the call has ended")
        assert isinstance(fact, CallEnded)
        return fact


class _ShutWire:
    def __init__(self, wire: TcpProxy) -> None:
        self._wire = wire

    def cut(self) -> None:
        self._wire.shut()

    def mend(self) -> None:
        self._wire.reopen()


async def survey(agi: AgiSession) -> None:
    await agi.exec("Wait", "0.3", waits=timedelta(seconds=3))
    await agi.set_variable("HF_NEXT", "hangup")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", "ami"])
async def outside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Outside]:
    clock = ShiftedClock()
    if request.param == "fake":
        bus = Bus()
        fake = FakeExchange(bus, clock)
        made = Outside(fake, fake, bus, fake, fake.offered)
        async with listening(made):
            yield made
        await fake.close()
        return
    folder: Path = tmp_path_factory.mktemp("exchange")
    async with (
        sqlite_database() as database,
        running_pbx(folder) as pbx,
        agi_routes(pbx.config.agi_port, {"survey": survey}),
        network(pbx) as people,
        TcpProxy(pbx.config.ami_port) as wire,
        dial_stage(ami_of(pbx, wire.port), database, folder, clock, dial=False) as stage,
    ):
        dialling = stage.dialling
        made = Outside(
            dialling.exchange,
            dialling.keeper._records,
            dialling.bus,
            _ShutWire(wire),
            people.offered,
        )
        async with listening(made):
            yield made


class listening:
    """Hear what is told, for the length of the block."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._outside.listen())
        await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def order(digit: str, which: int, **changes: Any) -> DialOrder:
    known: dict[str, Any] = {
        "attempt_id": new_ulid(),
        "number": f"+861390000{which:03d}{digit}",
        "trunk": "main",
        "caller_id": HOTLINE,
        "way": Way.SURVEY,
        "ring": timedelta(seconds=1),
    }
    return DialOrder(**(known | changes))


@pytest.mark.parametrize("digit", sorted(OUTCOMES))
async def test_a_call_is_told_under_its_attempts_id_and_ends_as_the_telephone_did(
    outside: Outside, digit: str
) -> None:
    wanted = order(digit, 1)
    assert await outside.exchange.originate(wanted) is Sending.SENT
    fact = await outside.ended(wanted.attempt_id)
    assert outcome_of(CallOver.of(fact)).value == OUTCOMES[digit]
    assert (fact.direction, fact.to_number) == ("out", wanted.number)
    assert outside.count(wanted.number) == 1
    kinds = [type(event) for event in outside.of(wanted.attempt_id)]
    assert kinds[0] is CallOpened
    assert kinds[-1] is CallEnded
    assert (CallAnswered in kinds) is (digit == ANSWERS)
    rows = [event.kind for event in outside.of(wanted.attempt_id) if isinstance(event, CallProgressed)]
    assert ("ringing" in rows) is (digit in {ANSWERS, SILENT})
    # Its record says the same, and says it after the event.
    over = await eventually(lambda: outside.records.over(wanted.attempt_id), timeout=20, what="its record")
    assert isinstance(over, CallOver)
    assert outcome_of(over).value == OUTCOMES[digit]


async def test_a_call_in_progress_is_found_by_its_attempts_id(outside: Outside) -> None:
    exchange, wanted = outside.exchange, order(SILENT, 2)
    assert exchange.seen(wanted.attempt_id) is None
    assert not exchange.knows(wanted.attempt_id)
    await exchange.originate(wanted)
    await eventually(lambda: exchange.seen(wanted.attempt_id) is AttemptState.RINGING, timeout=20)
    assert wanted.attempt_id in await exchange.look()
    assert exchange.on_call(wanted.number)
    assert not exchange.on_call("+8613900000000")
    assert exchange.used("main") >= 1
    assert exchange.used("other") == 0
    await outside.ended(wanted.attempt_id)
    assert exchange.seen(wanted.attempt_id) is None
    assert exchange.knows(wanted.attempt_id)
    assert wanted.attempt_id not in await exchange.look()
    assert not exchange.on_call(wanted.number)


async def test_without_a_link_nothing_is_sent_and_nothing_can_be_known(outside: Outside) -> None:
    exchange, wanted = outside.exchange, order(SILENT, 3)
    outside.wire.cut()
    try:
        await eventually(lambda: not exchange.picture().live, timeout=20, what="the link is down")
        assert await exchange.originate(wanted) is Sending.NOT_SENT
        with pytest.raises(ExchangeAway):
            await exchange.look()
    finally:
        outside.wire.mend()
    await eventually(lambda: exchange.picture().live, timeout=20, what="the link is back")
    assert outside.count(wanted.number) == 0
    assert not exchange.knows(wanted.attempt_id)

    def told() -> bool:
        states = [event.state for event in outside.heard if isinstance(event, LinkStateChanged)]
        return "down" in states and states[-1] == "live"

    await eventually(told, timeout=20, what="both are told")


async def test_a_call_goes_on_while_the_link_is_lost_and_is_found_or_on_record_after(
    outside: Outside,
) -> None:
    exchange, wanted = outside.exchange, order(SILENT, 4, ring=timedelta(seconds=2))
    await exchange.originate(wanted)
    await eventually(lambda: exchange.seen(wanted.attempt_id) is not None, timeout=20)
    outside.wire.cut()
    await eventually(lambda: not exchange.picture().live, timeout=20)
    outside.wire.mend()
    await eventually(lambda: exchange.picture().live, timeout=20)

    async def found() -> bool:
        if exchange.seen(wanted.attempt_id) is not None:
            return True
        return await outside.records.over(wanted.attempt_id) is not None

    await eventually(found, timeout=20, what="it is in progress, or on record")
    assert outside.count(wanted.number) == 1
