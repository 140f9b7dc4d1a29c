"""Taps: who is listened to, on a fake PBX and a fake listener; the call model is the real one's class."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.errors import TooMany, Unavailable
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiDown
from telephony.domain.call import Call, Direction
from telephony.domain.leg import Leg, LegKind
from telephony.events import CallMerged, CallProgressed, LinkStateChanged, ListeningPaused, ListeningResumed
from telephony.tap_ports import TapPlace
from telephony.taps import PREFIX, Taps, TapsConfig, speakers
from tests.support.waiting import eventually

pytestmark = pytest.mark.unit

CALL = "01JD0000000000000000000001"
OTHER = "01JD0000000000000000000002"


@dataclass
class Pbx:
    """Remembers what was asked of it."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    down: bool = False

    async def originate(self, channel: str, **rest: Any) -> None:
        if self.down:
            raise AmiDown("no link", sent=False)
        self.asked.append({"channel": channel, **rest})

    async def core_show_channels(self) -> tuple[dict[str, str], ...]:
        return tuple({"uniqueid": uniqueid} for uniqueid in self.channels)

    async def hangup(self, channel: str) -> None:
        self.hung_up.append(channel)


class Ears:
    """Remembers who is listened to."""

    def __init__(self) -> None:
        self.ready = True
        self.places = 100
        self.open: dict[UUID, tuple[str, str, str | None]] = {}
        self.ends: dict[UUID, Callable[[str], None]] = {}
        self.gaps: list[tuple[str, str, float, float]] = []
        self.paused_calls: list[tuple[str, bool]] = []
        self.merged: list[tuple[str, str]] = []

    @property
    def who(self) -> set[str]:
        return {speaker + (f" {number}" if number else "") for _, speaker, number in self.open.values()}

    def expect(
        self,
        call_id: str,
        speaker: str,
        *,
        agent_number: str | None,
        call_age: timedelta,
        on_end: Callable[[str], None],
        language: str = "",
    ) -> TapPlace:
        if len(self.open) >= self.places:
            raise TooMany("full")
        stream = uuid4()
        self.open[stream] = (call_id, speaker, agent_number)
        self.ends[stream] = on_end
        return TapPlace(address="127.0.0.1:4574", stream=stream)

    def close(self, stream: UUID) -> None:
        if self.open.pop(stream, None) is not None:
            self.ends[stream]("closed")

    def break_off(self, reason: str) -> None:
        for stream in tuple(self.open):
            del self.open[stream]
            self.ends[stream](reason)

    def merge(self, call_id: str, into: str) -> None:
        self.merged.append((call_id, into))

    def missed(
        self, call_id: str, speaker: str, start: float, end: float, *, agent_number: str | None
    ) -> None:
        if end - start >= 0.5:
            self.gaps.append((call_id, speaker, start, end))

    def paused(self, call_id: str, *, paused: bool) -> None:
        self.paused_calls.append((call_id, paused))


class Stage:
    """A node with one queue call that can be moved about."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.bus = Bus()
        self.pbx = Pbx()
        self.ears = Ears()
        self.calls: dict[str, Call] = {}
        self.wanted = True
        self.asked_rule = 0
        self.rule_fails = False

    async def rule(self, call: Call) -> bool:
        self.asked_rule += 1
        if self.rule_fails:
            raise Unavailable("no database")
        return self.wanted

    def call(self, call_id: str = CALL, queue: str | None = "complaint") -> Call:
        call = Call(
            node="pbx1",
            direction=Direction.IN,
            from_number="+8613800138000",
            to_number="+861065558800",
            from_name="",
            started_at=self.clock.now(),
            call_id=call_id,
            queue=queue,
        )
        self.calls[call_id] = call
        return call

    def leg(self, call: Call, name: str, kind: LegKind, bridge: str = "b1") -> Leg:
        leg = Leg(
            call=call,
            uniqueid=f"u-{name}",
            linkedid="l",
            channel=f"PJSIP/{name}-0000000{len(call.live)}",
            kind=kind,
            agent_number=name if kind is LegKind.AGENT else None,
            number="",
            started_at=self.clock.now(),
            bridge=bridge,
        )
        call.live[leg.uniqueid] = leg
        return leg

    def talk(self) -> Call:
        call = self.call()
        self.leg(call, "trunk-main", LegKind.CALLER)
        self.leg(call, "1001", LegKind.AGENT)
        return call

    def move(self, call_id: str = CALL) -> None:
        self.bus.publish(
            CallProgressed(
                at=self.clock.now(), call_id=call_id, node="pbx1", seq=1, kind="x", state="talking"
            )
        )

    def end(self, call_id: str = CALL) -> None:
        del self.calls[call_id]
        self.move(call_id)

    @contextlib.asynccontextmanager
    async def running(self, **config: Any) -> AsyncIterator[Taps]:
        # Only the clock moves time; what waits looks again at once.
        quick = {"sweep": timedelta(milliseconds=5), "linger": timedelta(milliseconds=5)}
        calls = SimpleNamespace(get=self.calls.get, open_calls=lambda: tuple(self.calls.values()))
        taps = Taps(
            "pbx1",
            cast(Any, calls),
            cast(AmiActions, self.pbx),
            self.ears,
            self.rule,
            bus=self.bus,
            clock=self.clock,
            config=TapsConfig(**{**quick, **config}),
        )
        task = asyncio.create_task(taps.run())
        try:
            yield taps
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def stage(clock: FakeClock) -> Stage:
    return Stage(clock)


async def both(stage: Stage) -> None:
    await eventually(lambda: stage.ears.who == {"customer", "agent 1001"}, timeout=20)


async def test_both_speakers_have_a_tap_of_their_own(stage: Stage) -> None:
    stage.talk()
    async with stage.running() as taps:
        await both(stage)
        assert taps.tapped == 2
        asked = stage.pbx.asked[0]
        (stream, _), *_ = stage.ears.open.items()
        assert asked["channel"] == f"AudioSocket/127.0.0.1:4574/{stream}"
        assert (asked["application"], asked["data"]) == ("ChanSpy", "PJSIP/trunk-main-00000000,qouES")
        assert asked["channel_id"].startswith(PREFIX)
        assert "Local" not in asked["channel"]
    assert stage.ears.open == {}, "none is left when we end"


async def test_nobody_is_listened_to_before_they_talk_or_after(stage: Stage) -> None:
    call = stage.call()
    customer = stage.leg(call, "trunk-main", LegKind.CALLER, bridge="")
    async with stage.running():
        stage.move()
        await eventually(lambda: stage.bus is not None and stage.asked_rule == 0)
        agent = stage.leg(call, "1001", LegKind.AGENT)
        customer.bridge = "b1"
        stage.move()
        await both(stage)
        del call.live[agent.uniqueid]
        customer.bridge = ""
        stage.move()
        await eventually(lambda: stage.ears.who == {"customer"}, timeout=20)
        stage.clock.advance(timedelta(seconds=2))
        await eventually(lambda: stage.ears.open == {}, timeout=20)
        stage.end()


async def test_a_transfer_moves_the_agents_tap_and_leaves_the_customers(stage: Stage) -> None:
    call = stage.talk()
    async with stage.running():
        await both(stage)
        customers = [stream for stream, who in stage.ears.open.items() if who[1] == "customer"]
        del call.live["u-1001"]
        stage.leg(call, "1002", LegKind.AGENT)
        stage.move()
        await eventually(lambda: stage.ears.who == {"customer", "agent 1002"}, timeout=20)
        assert [stream for stream, who in stage.ears.open.items() if who[1] == "customer"] == customers


async def test_a_moment_without_a_bridge_ends_no_tap(stage: Stage) -> None:
    call = stage.talk()
    async with stage.running(linger=timedelta(seconds=1)):
        await both(stage)
        before = set(stage.ears.open)
        for bridge in ("", "b2"):
            for leg in call.live.values():
                leg.bridge = bridge
            stage.move()
            stage.clock.advance(timedelta(milliseconds=300))
            await asyncio.sleep(0.02)
        assert set(stage.ears.open) == before


async def test_what_is_not_wanted_is_not_tapped_and_asked_once(stage: Stage) -> None:
    stage.wanted = False
    call = stage.talk()
    async with stage.running():
        await eventually(lambda: stage.asked_rule == 1, timeout=20)
        for _ in range(5):
            stage.move()
            await asyncio.sleep(0.01)
        assert (stage.asked_rule, stage.ears.open) == (1, {})
        stage.wanted, call.queue = True, "repair"
        stage.move()
        await both(stage)
        assert stage.asked_rule == 2, "another queue is another question"


async def test_a_rule_that_cannot_be_read_means_no_until_it_can(stage: Stage) -> None:
    stage.rule_fails = True
    stage.talk()
    async with stage.running():
        await eventually(lambda: stage.asked_rule > 1, timeout=20)
        assert stage.ears.open == {}
        stage.rule_fails = False
        await both(stage)


async def test_no_more_than_the_node_may_have_and_the_rest_is_a_gap(stage: Stage) -> None:
    stage.talk()
    second = stage.call(OTHER)
    stage.leg(second, "trunk-two", LegKind.CALLER, bridge="b2")
    stage.leg(second, "1002", LegKind.AGENT, bridge="b2")
    async with stage.running(most=2) as taps:
        await eventually(lambda: taps.tapped == 2, timeout=20)
        stage.clock.advance(timedelta(seconds=30))
        assert taps.tapped == 2
        stage.end(OTHER)
        await eventually(lambda: len(stage.ears.gaps) == 2, timeout=20)
        assert {(call_id, end - start) for call_id, _, start, end in stage.ears.gaps} == {(OTHER, 30.0)}


async def test_a_paused_call_is_not_listened_to_and_leaves_no_gap_to_fill(stage: Stage) -> None:
    stage.talk()
    async with stage.running():
        await both(stage)
        stage.bus.publish(ListeningPaused(at=stage.clock.now(), call_id=CALL))
        await eventually(lambda: stage.ears.open == {}, timeout=20)
        stage.clock.advance(timedelta(seconds=20))
        stage.move()
        await asyncio.sleep(0.05)
        assert (stage.ears.open, stage.ears.paused_calls) == ({}, [(CALL, True)])
        stage.bus.publish(ListeningResumed(at=stage.clock.now(), call_id=CALL))
        await both(stage)
        assert (stage.ears.gaps, stage.ears.paused_calls[-1]) == ([], (CALL, False))


async def test_a_tap_that_breaks_is_made_again_but_not_for_ever(stage: Stage) -> None:
    stage.talk()
    async with stage.running(tries=3):
        for _ in range(2):
            await both(stage)
            stage.ears.break_off("lost")
        await both(stage)
        stage.ears.break_off("lost")
        await asyncio.sleep(0.05)
        assert (stage.ears.open, len(stage.pbx.asked)) == ({}, 6)


async def test_a_telephone_on_hold_for_long_is_tapped_again(stage: Stage) -> None:
    stage.talk()
    async with stage.running(tries=1):
        for _ in range(3):
            await both(stage)
            stage.ears.break_off("idle")
        await both(stage)


async def test_no_link_no_tap_and_nobody_waits_for_it(stage: Stage) -> None:
    stage.pbx.down = True
    stage.talk()
    async with stage.running(tries=2):
        await eventually(lambda: len(stage.ears.ends) >= 4, timeout=20)
        assert stage.ears.open == {}


async def test_without_a_model_nothing_is_tapped(stage: Stage) -> None:
    stage.ears.ready = False
    stage.talk()
    async with stage.running():
        stage.move()
        await asyncio.sleep(0.05)
        assert stage.pbx.asked == []
        stage.ears.ready = True
        await both(stage)


async def test_a_consultation_that_becomes_the_call(stage: Stage) -> None:
    stage.talk()
    async with stage.running():
        await both(stage)
        stage.calls[OTHER] = stage.calls.pop(CALL)
        stage.calls[OTHER].call_id = OTHER
        stage.bus.publish(CallMerged(at=stage.clock.now(), call_id=CALL, into_call_id=OTHER, node="pbx1"))
        await eventually(lambda: stage.ears.merged == [(CALL, OTHER)], timeout=20)
        await asyncio.sleep(0.05)
        assert len(stage.pbx.asked) == 2, "the taps go on"


async def test_taps_that_a_killed_service_left_are_hung_up(stage: Stage) -> None:
    stage.talk()
    async with stage.running():
        await both(stage)
        own = [asked["channel_id"] for asked in stage.pbx.asked]
        stage.pbx.channels = [*own, PREFIX + "01JOLD", "1763850000.1"]
        stage.bus.publish(LinkStateChanged(at=stage.clock.now(), node="pbx1", state="live"))
        await eventually(lambda: stage.pbx.hung_up == [PREFIX + "01JOLD"], timeout=20)


async def test_a_hostile_channel_name_never_reaches_the_pbx(stage: Stage) -> None:
    call = stage.talk()
    call.live["u-trunk-main"].channel = "PJSIP/x,w\r\nAction: Originate"
    async with stage.running():
        await eventually(lambda: stage.ears.who == {"agent 1001"}, timeout=20)
        assert len(stage.pbx.asked) == 1


def test_who_speaks_with_whom(stage: Stage) -> None:
    call = stage.call()
    stage.leg(call, "1001", LegKind.AGENT, bridge="b1")
    stage.leg(call, "1002", LegKind.AGENT, bridge="b1")
    assert speakers(call) == {}, "agents among themselves"
    stage.leg(call, "trunk-main", LegKind.OUTSIDE, bridge="b2")
    assert speakers(call) == {}, "a customer who waits"
    stage.leg(call, "supervisor", LegKind.OTHER, bridge="b1")
    call.live["u-trunk-main"].bridge = "b1"
    assert {uniqueid: who for uniqueid, (_, who) in speakers(call).items()} == {
        "u-1001": "agent",
        "u-1002": "agent",
        "u-trunk-main": "customer",
    }
    call.live["u-trunk-main"].leaving = True
    assert speakers(call) == {}, "whoever hangs up"


def test_whoever_works_on_a_case_is_one_of_ours_on_any_telephone(stage: Stage) -> None:
    call = stage.call()
    own = stage.leg(call, "own", LegKind.OUTSIDE)
    stage.leg(call, "trunk-main", LegKind.OUTSIDE)
    assert speakers(call) == {}, "two outside"
    own.uniqueid, own.is_root = f"att-{CALL}-own", True
    assert {who: leg.channel for leg, who in speakers(call).values()} == {
        "agent": "PJSIP/own-00000000",
        "customer": "PJSIP/trunk-main-00000001",
    }
