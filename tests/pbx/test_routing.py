"""Where callers go, on a real Asterisk: rung first, served first, and a decision that never comes."""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.sipp.phone import PhoneCall
from ivr.domain.flow import Voice
from ivr.domain.languages import channel_of
from ivr.domain.routing import Asked, Known, QueueNow, QueueRule, RoutingRules
from ivr.line_messages import LineMessage, MessageKind, Then
from ivr.line_words import MOST_AHEAD, LineWords
from ivr.prompts.store import SoundFile
from ivr.routing import CallRouter
from ivr.waiting_words import WAITING
from kernel.clock import SystemClock
from kernel.phone import Phone
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig
from telephony.asterisk.model import Strategy
from telephony.audio import RATE, write_wav
from telephony.events import AgentRinging
from telephony.history import CallHistory
from telephony.views import CallView
from telephony.waiting_told import WaitingTold
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.call_service import Service, service
from tests.support.db import sqlite_database
from tests.support.pbx import QUEUES, Pbx, running_pbx
from tests.support.pitches import pitch, strength
from tests.support.sipp import agent_phone, customer, sign_in
from tests.support.waiting import eventually

pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

ALL_RING = tuple(replace(queue, strategy=Strategy.RING_ALL) for queue in QUEUES)
TOLD_SECONDS = 3
IMPORTANT = "13800138001"
STRANGER = "13900139002"


@dataclass
class Rules:
    """Implements :class:`ivr.routing.RulesInForce`."""

    rules: RoutingRules = field(
        default_factory=lambda: RoutingRules(
            version=4,
            levels={"A": 10},
            last_agent_for=frozenset({Known.LEVEL_A}),
            first=timedelta(seconds=3),
        )
    )


@dataclass
class Records:
    """Implements :class:`ivr.routing.CallerKnowledge` with what the test says."""

    free: frozenset[str] = frozenset()
    last: str = ""
    delay: float = 0
    blocks: float = 0
    waiting: int = 0

    async def gather(self, asked: Asked, phone: Phone | None, rules: RoutingRules) -> Asked:
        time.sleep(self.blocks)  # noqa: ASYNC251 - a fault of ours that holds everything up
        await asyncio.sleep(self.delay)
        queues = {name: QueueNow(free=self.free, waiting=self.waiting) for name in ("repair", "service")}
        queues["repair"] = replace(queues["repair"], waiting=0)
        level = "A" if phone is not None and phone.national == IMPORTANT else "C"
        return replace(asked, queues=queues, level=level, last_agent=self.last)

    async def talk(self, queue: str) -> timedelta | None:
        return None


@dataclass
class Switchboard:
    """The messages that are on, and a voice that is a tone of two seconds."""

    folder: Path
    on: tuple[LineMessage, ...] = ()

    async def in_force(self) -> tuple[LineMessage, ...]:
        return self.on

    async def clip(self, text: str, voice: Voice) -> SoundFile:
        path = self.folder / f"{voice.name}-{len(text)}"
        write_wav(path.with_suffix(".wav"), array("h", [6000, 6000, -6000, -6000] * RATE))
        return SoundFile(path, timedelta(seconds=4))


async def straight_to_a_person(agi: AgiSession) -> None:
    """The shortest menu there is."""
    await to_queue(agi, "service", 60)


@dataclass
class Stage:
    pbx: Pbx
    here: Service
    records: Records
    board: Switchboard
    words: LineWords
    rules: Rules

    async def ended(self) -> CallView:
        history = CallHistory(self.here.database)

        async def over() -> bool:
            calls = (await history.page()).items
            return bool(calls) and all(call.state == "ended" for call in calls)

        await eventually(over, timeout=10, what="every call has ended")
        newest = (await history.page()).items[0]
        return await history.get(newest.call_id)

    def rings(self) -> list[str]:
        return [ring.agent_number for ring in self.here.of(AgentRinging)]

    async def waiting(self, count: int) -> None:
        def there() -> bool:
            return [call.state for call in self.here.ingest.live_calls()].count("queued") == count

        await eventually(there, timeout=10, what=f"{count} wait")


@dataclass
class House:
    """What all tests share."""

    pbx: Pbx
    records: Records
    board: Switchboard
    words: LineWords
    rules: Rules


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("routing")
    records, board, rules = Records(), Switchboard(folder), Rules()
    words = LineWords(board, board, SystemClock())
    router = CallRouter(
        rules, records, SystemClock(), default_queue="service", default_area="010", words=words
    )
    routes = {"flow": straight_to_a_person, "after-queue": hang_up_after_queue, **router.routes()}
    changes: dict[str, Any] = {"queues": ALL_RING, "waiting_told_seconds": TOLD_SECONDS}
    async with running_pbx(folder, **changes) as started, agi_routes(started.config.agi_port, routes):
        yield House(started, records, board, words, rules)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(house: House, tmp_path: Path) -> AsyncIterator[Stage]:
    pbx, records = house.pbx, house.records
    records.__dict__.update(Records().__dict__)
    house.board.on, house.rules.rules = (), Rules().rules
    await house.words.look()
    ami = AmiConfig(port=pbx.config.ami_port, username=pbx.config.ami_user, secret=pbx.config.ami_secret)
    async with sqlite_database() as database, service(database, tmp_path, ami) as here:
        yield Stage(pbx, here, records, house.board, house.words, house.rules)
        await eventually(pbx.idle, timeout=10, what="every channel is gone")
    for number in ("1001", "1002"):
        for queue in ("service", "repair"):
            await pbx.cli(f"queue remove member PJSIP/{number} from {queue}")


async def test_the_last_agent_rings_first_and_then_everybody(stage: Stage) -> None:
    stage.records.free, stage.records.last = frozenset({"1001", "1002"}), "1002"
    async with AsyncExitStack() as phones:
        one, two = [
            await phones.enter_async_context(agent_phone(stage.pbx, number)) for number in ("1001", "1002")
        ]
        for number in ("1001", "1002"):
            await sign_in(stage.pbx, number, "service")
        async with customer(stage.pbx, number=IMPORTANT) as caller:
            unanswered = await two.rings(within=10)
            assert await eventually(stage.rings) == ["1002"]
            await unanswered.until("ended")
            taken = await one.rings(within=15)
            await taken.answer()
            await caller.until("answered")
            await asyncio.wait_for(taken.hang_up(), 5)
    call = await stage.ended()
    kinds = [entry.kind for entry in call.timeline]
    assert kinds[:5] == ["offered", "routed", "queued", "ringing", "ring_ended"]
    assert (call.result, call.queue, call.agent) == ("ANSWERED", "service", "1001")
    assert call.wait_seconds is not None
    assert call.wait_seconds >= 2.5
    routed = call.timeline[1]
    assert (routed.queue, routed.detail["first"], routed.detail["priority"]) == ("service", "1002", "10")
    assert (routed.detail["because"], routed.detail["rules"]) == ("level:A last_agent", "4")


async def test_the_last_agent_answers_and_it_counts_for_the_queue(stage: Stage) -> None:
    stage.records.free, stage.records.last = frozenset({"1002"}), "1002"
    async with agent_phone(stage.pbx, "1002") as two, customer(stage.pbx, number=IMPORTANT):
        await sign_in(stage.pbx, "1002", "service")
        taken = await two.rings(within=10)
        await taken.answer()
        await eventually(lambda: [one.state for one in stage.here.ingest.live_calls()] == ["talking"])
        await taken.hang_up()
        call = await stage.ended()
    assert (call.result, call.queue, call.agent, call.hangup_by) == ("ANSWERED", "service", "1002", "agent")


async def test_who_gives_up_while_the_last_agent_rings_has_abandoned(stage: Stage) -> None:
    stage.records.free, stage.records.last = frozenset({"1002"}), "1002"
    async with agent_phone(stage.pbx, "1002") as two:
        await sign_in(stage.pbx, "1002", "service")
        async with customer(stage.pbx, number=IMPORTANT) as caller:
            await two.rings(within=10)
            await caller.hang_up()
            call = await stage.ended()
    assert call.result in ("ABANDONED_SHORT", "ABANDONED_QUEUE")
    assert (call.queue, call.hangup_by) == ("service", "caller")


async def test_level_a_goes_before_others(stage: Stage) -> None:
    async with customer(stage.pbx, number=STRANGER), AsyncExitStack() as later:
        await stage.waiting(1)
        await later.enter_async_context(customer(stage.pbx, number=IMPORTANT))
        await stage.waiting(2)
        async with agent_phone(stage.pbx, "1001") as one:
            await sign_in(stage.pbx, "1001", "service")
            ring = await one.rings(within=10)
            # The telephone may ring before our side has read of it.
            (rung,) = await eventually(lambda: stage.here.of(AgentRinging), what="a ring is known")
            assert rung.from_number == "+86" + IMPORTANT
            await ring.answer()
            await later.aclose()


@pytest.mark.parametrize(
    ("delay", "blocks"),
    [pytest.param(30, 0, id="slow"), pytest.param(0, 2.5, id="everything-held-up")],
)
async def test_a_decision_that_does_not_come_leaves_the_call_in_its_queue(
    stage: Stage, delay: float, blocks: float
) -> None:
    stage.records.delay, stage.records.blocks = delay, blocks
    async with customer(stage.pbx, number=IMPORTANT):
        await stage.waiting(1)
    call = await stage.ended()
    assert call.queue == "service"
    assert call.queued_at is not None
    offered, routed, queued = call.timeline[:3]
    assert (offered.kind, routed.kind, queued.kind) == ("offered", "routed", "queued")
    assert routed.detail["because"] == "late"
    # Where all of our side is held up, it is Asterisk itself that goes on.
    assert ("took" in routed.detail) == (not blocks)
    if not blocks:
        assert queued.at - offered.at < timedelta(seconds=2)


async def test_a_message_that_is_on_is_heard_before_the_line_is_closed(stage: Stage) -> None:
    now = SystemClock().now()
    stage.board.on = (
        LineMessage(
            message_id="01JD0000000000000000000001",
            kind=MessageKind.EMERGENCY,
            queue="",
            text_zh="今天停电，请明天再拨。",
            text_en="",
            then=Then.HANGUP,
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            created_by="陈主管",
            ended_at=None,
            ended_by=None,
        ),
    )
    await stage.words.look()
    async with customer(stage.pbx, number=STRANGER) as caller:
        await caller.until("ended", within=15)
        heard = caller.ear.samples()
        assert sum(abs(one) > 3000 for one in heard) > RATE
    call = await stage.ended()
    routed = next(entry for entry in call.timeline if entry.kind == "routed")
    assert routed.detail["because"] == "menu message"
    assert call.hangup_by == "system"


async def test_a_full_queue_sends_callers_on(stage: Stage) -> None:
    full = QueueRule(waiting=2, over="repair")
    stage.rules.rules = replace(stage.rules.rules, queues={"service": full})
    stage.records.waiting = 2
    async with agent_phone(stage.pbx, "1001") as one, customer(stage.pbx, number=STRANGER) as caller:
        await sign_in(stage.pbx, "1001", "repair")
        taken = await one.rings(within=10)
        await taken.answer()
        await caller.until("answered")
        await asyncio.wait_for(taken.hang_up(), 5)
        call = await stage.ended()
    routed = next(entry for entry in call.timeline if entry.kind == "routed")
    assert (call.result, call.queue, routed.queue) == ("ANSWERED", "repair", "repair")
    assert routed.detail["because"] == "overflow:service"
    assert [entry.queue for entry in call.timeline if entry.kind == "queued"] == ["repair"]


async def test_who_waited_long_goes_on_to_another_queue_and_hears_no_end(stage: Stage) -> None:
    patience = QueueRule(longest=timedelta(seconds=4), over="repair")
    stage.rules.rules = replace(stage.rules.rules, queues={"service": patience})
    async with agent_phone(stage.pbx, "1002") as two, customer(stage.pbx, number=STRANGER) as caller:
        await sign_in(stage.pbx, "1002", "repair")
        taken = await two.rings(within=15)
        await taken.answer()
        await caller.until("answered")
        await asyncio.wait_for(taken.hang_up(), 5)
        call = await stage.ended()
    assert (call.result, call.queue, call.agent) == ("ANSWERED", "repair", "1002")
    assert call.wait_seconds is not None
    assert call.wait_seconds >= 4, "what was waited in the first queue counts"
    routed = [entry for entry in call.timeline if entry.kind == "routed"]
    assert [(entry.queue, entry.detail["because"].split()[-1]) for entry in routed][1:] == [
        ("repair", "waited")
    ]


async def test_callers_hear_again_how_many_are_before_them(stage: Stage) -> None:
    """Tones stand for the words: 500 Hz, you are next; 1000 Hz, one is before you; 700 Hz, nothing of it."""
    prompts = stage.pbx.config.prompts_dir
    for folder, hertz in (("", 700), ("zh_p0", 500), ("zh_p1", 1000)):
        (prompts / folder).mkdir(exist_ok=True)
        write_wav(prompts / folder / f"{WAITING}.wav", pitch(hertz, 1.5))
    wanted = True
    told = WaitingTold(
        stage.here.link.actions,
        stage.here.ingest.book.open_calls,
        channel_language=channel_of,
        wanted=lambda: wanted,
        most_ahead=MOST_AHEAD,
    )
    async with AsyncExitStack() as later, customer(stage.pbx, number=STRANGER) as first:
        await stage.waiting(1)
        second = await later.enter_async_context(customer(stage.pbx, number="13700137003"))
        await stage.waiting(2)

        async def hears(caller: PhoneCall, hertz: int) -> None:
            await eventually(
                lambda: strength(caller.ear.samples(), hertz) > 0.6, timeout=15, what=f"{hertz} Hz"
            )

        await hears(second, 700)
        assert await told.look() == 2
        await hears(first, 500)
        await hears(second, 1000)
        assert await told.look() == 0
        await first.hang_up()
        await stage.waiting(1)
        assert await told.look() == 1
        await hears(second, 500)
        wanted = False
        assert await told.look() == 1
        await hears(second, 700)
