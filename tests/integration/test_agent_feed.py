"""From the PBX's events to the agents' states, and back to the PBX's members, with faults on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.agent_feed import AgentFeed
from telephony.ami import AmiEvent, AmiLink, EpochEnded, EpochStarted
from telephony.desk import AgentDesk
from telephony.domain.agent_state import AgentState
from telephony.domain.agent_steps import SignIn
from telephony.members import MemberSync
from tests.support.agents import QUEUES, Centre, centre
from tests.support.fake_ami import FakeAmi
from tests.support.fake_pbx import Channel
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CALL = "01M80X33NTSGRKCAEXRZ3AAJ4X"


@dataclass
class Calls:
    """A call model that knows what it is told."""

    known: dict[str, str] = field(default_factory=dict)

    def call_id_of(self, uniqueid: str) -> str | None:
        return self.known.get(uniqueid)


@dataclass
class Here:
    """Fake PBX, link, feed, members and desk on one database."""

    base: Centre
    pbx: FakeAmi
    feed: AgentFeed
    members: MemberSync
    desk: AgentDesk
    devices_changed: list[int]

    async def state(self) -> AgentState:
        return (await self.desk.state(self.base.jing)).state

    async def becomes(self, state: AgentState) -> None:
        async def there() -> bool:
            return await self.state() is state

        await eventually(there, what=state.value)

    def member(self) -> tuple[bool, str] | None:
        found = self.pbx.pbx.queues["repair"].get("PJSIP/1001")
        return (found.paused, found.reason) if found is not None else None

    def agent_event(self, name: str, *, uniqueid: str = "1.1", queue: str = "repair") -> None:
        self.pbx.event(
            name,
            {
                "Channel": "PJSIP/trunk-main-00000000",
                "DestChannel": "PJSIP/1001-00000001",
                "DestUniqueid": uniqueid,
                "ChanVariable": f"HF_CALL={CALL}",
                "Queue": queue,
            },
        )

    def channel(self, state: str = "Up", *, uniqueid: str = "1.1") -> Channel:
        variables = {"HF_CALL": CALL}
        return Channel("PJSIP/1001-00000001", uniqueid, "1.0", state=state, variables=variables)


@asynccontextmanager
async def world(database: Database, *, calls: Calls | None = None, limit: int = 1000) -> AsyncIterator[Here]:
    clock = SystemClock()
    base = await centre(database, clock)
    async with FakeAmi() as pbx:
        link = AmiLink(pbx.config(), clock=clock, node="pbx1")
        desk: AgentDesk
        members = MemberSync(link.actions, lambda: desk.member_book(), settle=0.02, first_retry=0.05)
        desk = AgentDesk(database, clock, Bus(), worker="w", follower=members)
        changed: list[int] = []

        async def wrap_ups() -> dict[str, timedelta]:
            return {queue.name: queue.wrap_up for queue in QUEUES}

        feed = AgentFeed(
            desk,
            members,
            link.actions,
            calls or Calls(),
            wrap_ups,
            node="pbx1",
            on_device=lambda: changed.append(1),
            limit=limit,
            retry=timedelta(milliseconds=50),
        )

        async def read() -> None:
            async for item in link.items():
                match item:
                    case EpochStarted() | EpochEnded():
                        feed.sink(item, clock.now())
                    case AmiEvent() if item.name in feed.names:
                        feed.sink(item, clock.now())
                    case _:
                        pass

        tasks = [asyncio.create_task(work()) for work in (read, feed.run, members.run)]
        try:
            async with link:
                await eventually(lambda: members.live)
                await desk.sign_in(base.jing)
                yield Here(base, pbx, feed, members, desk, changed)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_call_from_the_queue(sqlite: Database) -> None:
    async with world(sqlite) as here:
        await eventually(lambda: here.member() == (False, ""))
        here.agent_event("AgentCalled")
        await here.becomes(AgentState.RINGING)
        here.agent_event("AgentConnect")
        await here.becomes(AgentState.ON_CALL)
        await eventually(lambda: here.member() == (True, "wrap-up"))
        here.pbx.event("Hangup", {"Channel": "PJSIP/1001-00000001", "Uniqueid": "1.1", "Cause": "16"})
        await here.becomes(AgentState.WRAP_UP)
        assert here.member() == (True, "wrap-up")
        assert len(here.pbx.seen("QueuePause")) == 1
        await here.desk.save_wrap_up(here.base.jing, CALL, disposition="nuisance")
        await eventually(lambda: here.member() == (False, ""))


async def test_a_customer_handed_over_whose_call_was_over_before_that_was_told(sqlite: Database) -> None:
    """The agent writes about the call, and does not talk for ever."""
    async with world(sqlite) as here:
        await eventually(lambda: here.member() == (False, ""))
        up = {"Channel": "PJSIP/1001-00000001", "Uniqueid": "1.1", "ChanVariable": f"HF_CALL={CALL}"}
        here.pbx.event("Newstate", {**up, "ChannelState": "6"})
        await here.becomes(AgentState.ON_CALL)
        here.pbx.event("Hangup", {**up, "Cause": "16"})
        await here.becomes(AgentState.AVAILABLE)
        here.feed.handed_over("1001", "1.1", CALL, "repair", SystemClock().now())
        await here.becomes(AgentState.WRAP_UP)
        await here.desk.save_wrap_up(here.base.jing, CALL, disposition="nuisance")
        await here.becomes(AgentState.AVAILABLE)
        await eventually(lambda: here.member() == (False, ""))


async def test_the_call_model_names_the_call(sqlite: Database) -> None:
    calls = Calls({"1.1": "01M80X33NTSGRKCAEXRZ3AAJ4Y"})
    async with world(sqlite, calls=calls) as here:
        here.agent_event("AgentCalled")
        await here.becomes(AgentState.RINGING)
        assert (await here.desk.state(here.base.jing)).call_id == "01M80X33NTSGRKCAEXRZ3AAJ4Y"


async def test_a_call_that_ended_while_nobody_listened(sqlite: Database) -> None:
    async with world(sqlite) as here:
        here.agent_event("AgentCalled")
        here.agent_event("AgentConnect")
        await here.becomes(AgentState.ON_CALL)
        here.pbx.cut()
        await here.becomes(AgentState.WRAP_UP)


async def test_a_call_that_goes_on_is_not_ended_by_a_lost_link(sqlite: Database) -> None:
    async with world(sqlite) as here:
        here.pbx.pbx.channels["1.1"] = here.channel()
        here.agent_event("AgentCalled")
        here.agent_event("AgentConnect")
        await here.becomes(AgentState.ON_CALL)
        here.pbx.cut()
        await here.pbx.asked("CoreShowChannels", count=2)
        await eventually(lambda: here.members.live)
        assert await here.state() is AgentState.ON_CALL
        here.pbx.pbx.end_channel("1.1")
        await here.becomes(AgentState.WRAP_UP)


async def test_a_restart_of_asterisk_in_the_middle_of_a_call(sqlite: Database) -> None:
    async with world(sqlite) as here:
        here.agent_event("AgentCalled")
        here.agent_event("AgentConnect")
        await here.becomes(AgentState.ON_CALL)
        here.pbx.restart()
        await here.becomes(AgentState.WRAP_UP)
        await eventually(lambda: here.member() == (True, "wrap-up"))
        await here.desk.save_wrap_up(here.base.jing, CALL, disposition="customer_hung_up")
        await eventually(lambda: here.member() == (False, ""))


async def test_a_phone_that_registers_during_the_snapshot_is_not_taken_for_gone(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(sqlite) as here:
        here.pbx.pbx.device_states["PJSIP/1001"] = "UNAVAILABLE"
        here.pbx.pbx.device_states["PJSIP/1002"] = "NOT_INUSE"
        resync = here.desk.resync

        async def slow(*asked: Any) -> None:
            here.pbx.event("DeviceStateChange", {"Device": "PJSIP/1001", "State": "NOT_INUSE"})
            await eventually(lambda: here.feed.devices.get("1001") == "NOT_INUSE")
            await resync(*asked)

        monkeypatch.setattr(here.desk, "resync", slow)
        here.pbx.cut()
        await eventually(lambda: "1002" in here.feed.devices)
        assert here.feed.devices == {"1001": "NOT_INUSE", "1002": "NOT_INUSE"}


async def test_phones_are_known_and_forgotten(sqlite: Database) -> None:
    async with world(sqlite) as here:
        here.pbx.event("DeviceStateChange", {"Device": "PJSIP/1001", "State": "INUSE"})
        here.pbx.event("DeviceStateChange", {"Device": "Queue:repair", "State": "INUSE"})
        await eventually(lambda: here.feed.devices == {"1001": "INUSE"})
        here.pbx.pbx.device_states["PJSIP/1002"] = "UNAVAILABLE"
        seen = len(here.devices_changed)
        here.pbx.cut()
        await eventually(lambda: here.feed.devices == {"1002": "UNAVAILABLE"})
        assert len(here.devices_changed) > seen


async def test_a_database_that_is_away_delays_and_loses_nothing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(sqlite) as here:
        await eventually(lambda: here.member() == (False, ""))
        take, failures = here.desk.take, []

        async def failing(events: object) -> None:
            failures.append(events)
            raise OperationalError("away", None, Exception("away"))

        monkeypatch.setattr(here.desk, "take", failing)
        here.agent_event("AgentCalled")
        here.agent_event("AgentConnect")
        await eventually(lambda: len(failures) >= 2)
        # The record of the call's end could not end a pause either, so there is none.
        await eventually(lambda: here.member() == (False, ""))
        monkeypatch.setattr(here.desk, "take", take)
        await here.becomes(AgentState.ON_CALL)
        await eventually(lambda: here.member() == (True, "wrap-up"))


async def test_more_events_than_fit_end_in_a_snapshot(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(sqlite, limit=3) as here:
        here.pbx.pbx.channels["1.9"] = here.channel(uniqueid="1.9")
        gate = asyncio.Event()
        take = here.desk.take

        async def slow(events: object) -> None:
            await gate.wait()
            await take(events)  # type: ignore[arg-type]

        monkeypatch.setattr(here.desk, "take", slow)
        snapshots = len(here.pbx.seen("CoreShowChannels"))
        for number in range(9):
            here.agent_event("AgentCalled", uniqueid=f"2.{number}")
        await asyncio.sleep(0)
        await eventually(lambda: len(here.feed._waiting) == 3)
        gate.set()
        await here.pbx.asked("CoreShowChannels", count=snapshots + 1)
        await here.becomes(AgentState.ON_CALL)


async def test_hostile_events_are_nothing(sqlite: Database) -> None:
    async with world(sqlite) as here:
        for name in ("AgentCalled", "AgentConnect", "Hangup", "Newstate", "DeviceStateChange"):
            here.pbx.event(name, {})
            here.pbx.event(name, {"DestChannel": "PJSIP/9999-00000001", "DestUniqueid": "9.9"})
            here.pbx.event(name, {"Channel": "PJSIP/1001-00000001<script>", "Uniqueid": "x" * 5000})
        here.agent_event("AgentCalled")
        await here.becomes(AgentState.RINGING)


async def test_a_person_and_the_pbx_act_at_once(sqlite: Database) -> None:
    async with world(sqlite) as here:
        now = SystemClock().now()
        await asyncio.gather(
            here.desk.pause(here.base.jing, "lunch"),
            here.desk.take([("1001", SignIn(), now)]),
            here.desk.heartbeat(here.base.jing),
        )
        assert await here.state() is AgentState.PAUSED
        await eventually(lambda: here.member() == (True, "lunch"))
