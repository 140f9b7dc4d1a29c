"""Hold, consult, three-way and transfer on a real Asterisk: who hears whom, and nobody is left behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from app.sipp.phone import AgentPhone, PhoneCall, answers, rejects
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig
from telephony.call_control import CallControl
from telephony.domain.hand import HandState, Step
from telephony.events import HandChanged
from telephony.hand_keeper import EVENTS, ControlConfig
from telephony.hand_views import (
    Destination,
    HandNotice,
    HandView,
    NotYourCall,
    StepNotPossible,
    StepUnderWay,
    Target,
    TargetKind,
)
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.call_service import Service, service
from tests.support.calls import AGENTS
from tests.support.db import sqlite_database
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.sipp import agent_phone, customer, outside_phone, sign_in
from tests.support.voices import TONES, all_hear, hears_something, hum
from tests.support.waiting import eventually

# One Asterisk for all of them.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

JING = Actor(user_id="u1", name="李静", role=Role.AGENT)


async def to_service(agi: AgiSession) -> None:
    await agi.set_variable("HF_NOTICE", "yes")
    await to_queue(agi, "service")


class Anywhere:
    """Whoever is named is there."""

    async def find(self, target: Target, *, agent_number: str, ask: bool) -> Destination:
        return Destination(kind=target.kind, value=target.value, label=f"{target.kind.value} {target.value}")


@dataclass
class Desk:
    """An agent's hand on a call, and everybody's telephone."""

    pbx: Pbx
    service: Service
    control: CallControl
    phones: dict[str, PhoneCall] = field(default_factory=dict)
    call_id: str = ""

    async def act(
        self, step: Step, to: str = "", kind: TargetKind = TargetKind.AGENT, number: str = "1001"
    ) -> HandView:
        target = Target(kind=kind, value=to) if to else None
        return await self.control.act(JING, self.call_id, number, step, target=target)

    async def state(self, number: str = "1001") -> HandState:
        return (await self.control.look(JING, self.call_id, number)).state

    async def becomes(self, state: HandState, number: str = "1001") -> None:
        async def there() -> bool:
            return await self.state(number) is state

        await eventually(there, timeout=10, what=state.value)

    def joins(self, letter: str, call: PhoneCall) -> None:
        """Somebody is on the telephone and hums."""
        self.phones[letter] = call
        hum(call, TONES["CAT".index(letter)])

    async def hear(self, **wanted: str) -> None:
        await all_hear(wanted, {letter: self.phones[letter] for letter in "CAT" if letter in self.phones})

    def told_to(self, number: str) -> str:
        told = [str(event.state) for event in self.service.of(HandChanged) if event.agent_number == number]
        return told[-1] if told else ""

    def kinds(self) -> list[str]:
        call = self.service.ingest.book.get(self.call_id)
        assert call is not None
        return [row.kind.value for row in call.rows]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pbx]:
    routes = {"flow": to_service, "after-queue": hang_up_after_queue}
    async with running_pbx(tmp_path_factory.mktemp("hands"), record=True) as started:
        async with agi_routes(started.config.agi_port, routes):
            yield started
        assert started.log("ERROR") == []


@pytest_asyncio.fixture(loop_scope="module")
async def database() -> AsyncIterator[Database]:
    async with sqlite_database() as found:
        yield found


@contextlib.asynccontextmanager
async def control_of(pbx: Pbx, database: Database, folder: Path, *, ring: float = 10) -> AsyncIterator[Desk]:
    """Our side: the call model and what takes steps."""
    config = AmiConfig(
        host=pbx.config.ami_host,
        port=pbx.config.ami_port,
        username=pbx.config.ami_user,
        secret=pbx.config.ami_secret,
    )
    async with service(database, folder, config) as running:
        bus: Bus = running.ingest._bus
        control = CallControl(
            running.ingest.book,
            running.link.actions,
            Anywhere(),
            agent_id_of=AGENTS.get,
            bus=bus,
            clock=SystemClock(),
            config=ControlConfig(trunk="main", caller_id=HOTLINE, ring=timedelta(seconds=ring)),
        )
        running.ingest.add_sink(control.sink, *EVENTS)
        task = asyncio.create_task(control.run())
        try:
            yield Desk(pbx, running, control)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def talking(
    pbx: Pbx, database: Database, folder: Path, agent: AgentPhone, *, ring: float = 10
) -> AsyncIterator[Desk]:
    """A customer whom the agent has taken from the queue."""
    async with control_of(pbx, database, folder, ring=ring) as desk:
        await sign_in(pbx, agent.number, "service")
        async with customer(pbx) as caller:
            call = await agent.rings(within=10)
            await call.answer()
            desk.joins("C", caller)
            desk.joins("A", call)
            await desk.hear(C="A", A="C")
            (found,) = desk.service.ingest.book.open_calls()
            desk.call_id = found.call_id
            try:
                yield desk
            finally:
                await pbx.cli(f"queue remove member PJSIP/{agent.number} from service")
        await eventually(pbx.idle, timeout=20, what="every call is over")


async def test_hold_consult_swap_three_way_and_leaving_the_customer_with_a_colleague(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002", answers()) as colleague,
        talking(pbx, database, tmp_path, agent) as desk,
    ):
        assert (await desk.act(Step.HOLD)).state is HandState.HELD
        await desk.hear(C="", A="")
        await eventually(lambda: hears_something(desk.phones["C"]), what="music")
        with pytest.raises(StepNotPossible):
            await desk.act(Step.HOLD)
        with pytest.raises(NotYourCall):
            await desk.act(Step.UNHOLD, number="1002")
        assert (await desk.act(Step.UNHOLD)).state is HandState.TALKING
        await desk.hear(C="A", A="C")

        view = await desk.act(Step.CONSULT, "1002")
        assert (view.target, view.target_label) == ("1002", "agent 1002")
        await desk.becomes(HandState.CONSULTING)
        asked = await colleague.rings()
        desk.joins("T", asked)
        await desk.hear(C="", A="T", T="A")
        assert await desk.state("1002") is HandState.ASKED
        assert desk.service.ingest.live_call(desk.call_id).agent == "1001"  # type: ignore[union-attr]
        assert (await desk.act(Step.SWAP)).state is HandState.SWAPPED
        await desk.hear(C="A", A="C", T="")
        assert (await desk.act(Step.SWAP)).state is HandState.CONSULTING
        await desk.hear(C="", A="T", T="A")
        first, second = (asyncio.create_task(desk.act(Step.CONFERENCE)) for _ in range(2))
        done = await asyncio.gather(first, second, return_exceptions=True)
        assert sum(isinstance(one, StepUnderWay) for one in done) == 1
        await desk.becomes(HandState.CONFERENCE)
        await desk.hear(C="AT", A="CT", T="CA")
        assert (await desk.act(Step.COMPLETE)).state is HandState.NONE
        await desk.hear(C="T", T="C")
        assert await desk.phones["A"].ended() == "far"
        assert await desk.state("1002") is HandState.TALKING
        assert desk.service.ingest.live_call(desk.call_id).agent == "1002"  # type: ignore[union-attr]
        # The colleague may do the same with it.
        assert (await desk.act(Step.HOLD, number="1002")).state is HandState.HELD
        assert (await desk.act(Step.UNHOLD, number="1002")).state is HandState.TALKING
        await desk.hear(C="T", T="C")
        wanted = ["answered", "held", "unheld", "held", "consulted", "unheld", "held", "unheld"]
        told = [kind for kind in desk.kinds() if kind in {*wanted, "conference", "transferred"}]
        assert told == [*wanted, "conference", "answered", "transferred", "held", "unheld"]
        await desk.phones["T"].hang_up()
        assert await desk.phones["C"].ended() == "far"
        stored = await desk.service.ended(desk.call_id)
        assert (stored.result, stored.hangup_by, stored.agent) == ("ANSWERED", "agent", "1002")
        assert {leg.agent_number for leg in stored.legs} == {None, "1001", "1002"}
        assert stored.hold_seconds > 0 < stored.talk_seconds
    calls = {path.name for path in pbx.config.recordings_dir.glob("*.wav")}
    assert len({name[:26] for name in calls}) == 1
    assert len(calls) == 3, "one recording: the whole and two sides"
    told_pages = [event.state for event in desk.service.of(HandChanged) if event.agent_number == "1001"]
    assert told_pages[-1] == "none"


async def test_whoever_is_asked_may_not_come_or_leave_and_the_customer_is_fetched_back(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    async with agent_phone(pbx, "1001") as agent, talking(pbx, database, tmp_path, agent, ring=2) as desk:
        async with agent_phone(pbx, "1002", rejects(486)):
            await desk.act(Step.CONSULT, "1002")
            await desk.becomes(HandState.TALKING)
            await desk.hear(C="A", A="C")
            assert (await desk.control.look(JING, desk.call_id, "1001")).notice is HandNotice.BUSY
        async with agent_phone(pbx, "1002") as colleague:
            await desk.act(Step.CONSULT, "1002")
            assert await (await colleague.rings()).ended(within=10) == "cancelled"
            await desk.becomes(HandState.TALKING)
            assert (await desk.control.look(JING, desk.call_id, "1001")).notice is HandNotice.NO_ANSWER
            await desk.act(Step.CONSULT, "1002")
            ringing = await colleague.rings()
            assert (await desk.act(Step.CANCEL)).state is HandState.TALKING
            assert await ringing.ended() == "cancelled"
            await desk.act(Step.CONSULT, "1002")
            asked = await colleague.rings()
            await asked.answer()
            await desk.becomes(HandState.CONSULTING)
            # The page has said so, too: of a colleague who is gone before that nothing is told.
            await eventually(lambda: desk.told_to("1001") == "consulting", timeout=5, what="the page has it")
            await asked.hang_up()
            await desk.becomes(HandState.TALKING)
            await desk.hear(C="A", A="C")

            async def told() -> bool:
                return (await desk.control.look(JING, desk.call_id, "1001")).notice is HandNotice.HUNG_UP

            await eventually(told, timeout=5, what="the agent is told who hung up")
            # Both of them, and then the customer goes: they may finish what they say.
            await desk.act(Step.CONSULT, "1002")
            asked = await colleague.rings()
            await asked.answer()
            await desk.becomes(HandState.CONSULTING)
            desk.joins("T", asked)
            await desk.phones["C"].hang_up()
            await desk.becomes(HandState.LEFT)
            await desk.hear(A="T", T="A")
            await desk.act(Step.HANG_UP)
            assert await asked.ended() == "far"


async def test_a_held_customer_whose_agent_is_gone_is_somebody_elses_at_once(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002") as other,
        talking(pbx, database, tmp_path, agent) as desk,
    ):
        await desk.act(Step.HOLD)
        await pbx.cli("queue remove member PJSIP/1001 from service")
        await sign_in(pbx, "1002", "service")
        await desk.phones["A"].hang_up()
        taken = await other.rings(within=10)
        await taken.answer()
        desk.joins("T", taken)
        await desk.hear(C="T", T="C")
        assert desk.kinds().count("transferred") == 1
        # And with the colleague who is asked, when the telephone of who asks is gone.
        async with agent_phone(pbx, "1003", answers()) as third:
            await desk.act(Step.CONSULT, "1003", number="1002")
            asked = await third.rings()
            await desk.becomes(HandState.CONSULTING, "1002")
            await taken.hang_up()
            await desk.becomes(HandState.TALKING, "1003")
            desk.phones.pop("T")
            desk.joins("T", asked)
            await desk.hear(C="T", T="C")
            await pbx.cli("queue remove member PJSIP/1002 from service")


async def test_a_customer_is_sent_to_an_agent_a_queue_and_a_number_outside(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002") as colleague,
        talking(pbx, database, tmp_path, agent) as desk,
    ):
        assert (await desk.act(Step.TRANSFER, "1002")).state is HandState.NONE
        assert await desk.phones["A"].ended() == "far"
        taken = await colleague.rings()
        await taken.answer()
        desk.joins("T", taken)
        await desk.hear(C="T", T="C")
        # Nobody comes: back to the queue, where 1001 is free again, on hold before.
        await desk.act(Step.HOLD, number="1002")
        async with agent_phone(pbx, "1003", rejects(603)):
            await desk.act(Step.TRANSFER, "1003", number="1002")
            again = await agent.rings(within=10)
        await again.answer()
        desk.phones.pop("T")
        desk.joins("A", again)
        await desk.hear(C="A", A="C")
        await pbx.cli("queue add member PJSIP/1002 to repair")
        await desk.act(Step.TRANSFER, "repair", TargetKind.QUEUE)
        taken = await colleague.rings(within=10)
        await taken.answer()
        desk.joins("T", taken)
        await desk.hear(C="T", T="C")
        async with outside_phone(pbx, "13900139000", answers()) as outside:
            await desk.act(Step.CONSULT, "13900139000", TargetKind.OUTSIDE, number="1002")
            expert = await outside.rings()
            assert expert.caller == HOTLINE
            await desk.becomes(HandState.CONSULTING, "1002")
            assert (await desk.act(Step.COMPLETE, number="1002")).state is HandState.NONE
            desk.phones.pop("T")
            desk.joins("T", expert)
            await desk.hear(C="T", T="C")
            await expert.hang_up()
            assert await desk.phones["C"].ended() == "far"
        kinds = [
            (row.detail.get("type"), row.detail.get("to"))
            for row in (await desk.service.ended(desk.call_id)).timeline
            if row.kind == "transferred"
        ]
        await pbx.cli("queue remove member PJSIP/1002 from repair")
    assert kinds == [
        ("blind", "1002"),
        ("blind", "1003"),
        ("returned", "service"),
        ("blind", "repair"),
        ("attended", "+8613900139000"),
    ]


async def test_a_new_service_sees_what_is_on_hold_and_goes_on_with_it(
    pbx: Pbx, database: Database, tmp_path: Path
) -> None:
    async with agent_phone(pbx, "1001") as agent, talking(pbx, database, tmp_path, agent) as desk:
        await desk.act(Step.HOLD)
        async with control_of(pbx, database, tmp_path / "new") as new:
            new.call_id, new.phones = desk.call_id, desk.phones
            await new.becomes(HandState.HELD)
            assert (await new.act(Step.UNHOLD)).state is HandState.TALKING
            await new.hear(C="A", A="C")


async def test_without_the_service_a_held_customer_goes_back_to_the_queue(
    database: Database, tmp_path: Path
) -> None:
    routes = {"flow": to_service, "after-queue": hang_up_after_queue}
    async with (
        running_pbx(tmp_path / "pbx", hold_seconds=2) as short,
        agi_routes(short.config.agi_port, routes),
        agent_phone(short, "1001") as agent,
        agent_phone(short, "1002") as other,
        talking(short, database, tmp_path, agent) as desk,
    ):
        await desk.act(Step.HOLD)
        desk.control._follow = _asleep  # type: ignore[method-assign]
        await sign_in(short, "1002", "service")
        taken = await other.rings(within=10)
        await taken.answer()
        desk.joins("T", taken)
        await desk.hear(C="T", T="C")


async def _asleep(call_id: str) -> None:
    """Follow nothing."""
