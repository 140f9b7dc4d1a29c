"""The dialler round by round over an exchange that is played: limits, pauses, campaigns beside each other."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.domain.campaign import CampaignMode, CampaignState
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.events import CampaignPulse
from callback_campaigns.exchange import People
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.dialling import (
    OFFICE_HOUR,
    Dialling,
    build,
    numbers,
    set_state,
    start_campaign,
    waiting_customers,
)
from tests.support.fake_exchange import FakeExchange, Fault
from tests.support.network import SILENT
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration

ANSWERS = "0"


class World:
    """A dialler that is led by hand."""

    def __init__(self, database: Database, start: Any = OFFICE_HOUR, **more: Any) -> None:
        self.database, self.clock, self.bus = database, FakeClock(start), Bus()
        self.exchange = FakeExchange(self.bus, self.clock, by_itself=False)
        self.dialling: Dialling = build(database, self.clock, self.exchange, self.exchange, self.bus, **more)
        keeper, watch = self.dialling.keeper, self.dialling.dialler.watch
        self.heard = self.bus.subscribe(name="world", maxsize=10_000)
        self.hears = (keeper.hear, watch.hear)
        self.pulses: list[CampaignPulse] = []

    async def round(self, seconds: float = 1.0) -> int:
        """Let one round be made, its news be heard and stored, and time pass."""
        begun = await self.dialling.dialler.round()
        await self.listen()
        self.clock.advance(timedelta(seconds=seconds))
        return begun

    async def listen(self) -> None:
        """Have what was told so far heard and stored."""
        placing = self.dialling.dialler._placing
        while placing._sending:
            await next(iter(placing._sending))
        for event in self.heard.waiting():
            if isinstance(event, CampaignPulse):
                self.pulses.append(event)
                continue
            self.dialling.keeper.hear(event)  # type: ignore[arg-type]
            if type(event).__name__ in {"CallProgressed", "CallAnswered", "CallEnded"}:
                self.dialling.dialler.watch.hear(event)  # type: ignore[arg-type]
        await self.dialling.keeper.moves.flush()

    async def over(self) -> None:
        """Let every call come to its end."""
        while self.exchange.calls:
            for call_id in list(self.exchange.calls):
                self.exchange.go_on(call_id)
        await self.listen()


async def test_lines_and_calls_per_second_are_kept(sqlite: Database) -> None:
    world = World(sqlite, trunk_lines=12)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 40))
    campaign = await start_campaign(sqlite, world.clock, per_second=5, lines=10)
    begun = [await world.round(0.5) for _ in range(8)]
    assert sum(begun) == 10
    assert all(first + second <= 5 for first, second in itertools.pairwise(begun))
    assert world.exchange.used("main") == 10
    # What holds it back is written down once, whatever number of rounds it lasts.
    for _ in range(5):
        assert await world.round() == 0
    assert (None, "concurrency") in await world.dialling.refusals()
    assert len(await world.dialling.refusals()) == 1
    assert world.pulses[-1].dialling == 10
    assert world.pulses[-1].campaign_id == campaign.campaign_id
    await world.over()
    assert await world.round() > 0


async def test_outside_of_the_hours_everybody_is_put_off_once(sqlite: Database) -> None:
    world = World(sqlite, at("2026-03-03 12:30"))
    tasks = await waiting_customers(sqlite, world.clock, numbers(SILENT, 6))
    await start_campaign(sqlite, world.clock)
    for _ in range(4):
        assert await world.round() == 0
    refusals = await world.dialling.refusals()
    assert sorted(refusals) == sorted((task, "outside_window") for task in tasks.values())
    assert set((await world.dialling.statuses()).values()) == {"planned"}
    world.clock.advance(timedelta(hours=2))
    await world.dialling.centre.bring_due()
    assert await world.round() == 6


async def test_a_pause_and_a_stop_hold_from_the_next_dial_on_and_calls_go_on(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(ANSWERS, 20))
    campaign = await start_campaign(sqlite, world.clock, per_second=5)
    assert await world.round(0.1) == 2
    # The dialler still believes that it runs; what is committed says no.
    await set_state(sqlite, campaign, CampaignState.PAUSED)
    assert await world.round(0.1) == 0
    assert await world.dialling.refusals() != []
    assert len(world.exchange.calls) == 2
    await set_state(sqlite, campaign, CampaignState.RUNNING)
    assert await world.round(2.0) > 0
    await set_state(sqlite, campaign, CampaignState.STOPPED)
    for _ in range(3):
        assert await world.round() == 0
    await world.over()
    outcomes = {row.outcome for row in await world.dialling.attempts()}
    assert outcomes == {"answered"}


async def test_a_campaign_that_cannot_be_dialled_holds_no_other_up(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 3))
    others = await waiting_customers(sqlite, world.clock, numbers(SILENT, 3, first=50), kind="ZQ")
    await start_campaign(sqlite, world.clock, carrier="nobody", priority=90)
    await start_campaign(sqlite, world.clock, kinds=frozenset({CallbackType.MIDTERM}))
    assert await world.round() == len(others)


async def test_without_a_link_nobody_is_called_and_it_is_said(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 3))
    await start_campaign(sqlite, world.clock)
    world.exchange.cut()
    assert await world.round() == 0
    assert await world.dialling.refusals() == [(None, "link_down")]
    assert world.pulses[-1].decision == "link_down"
    world.exchange.mend()
    world.exchange.silent_since = world.clock.now() - timedelta(minutes=1)
    assert await world.round() == 0
    assert (None, "stale_state") in await world.dialling.refusals()
    world.exchange.silent_since = None
    assert await world.round() == 3


async def test_what_an_originate_came_to_is_kept(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 5))
    await start_campaign(sqlite, world.clock)
    world.exchange.faults += [Fault.REFUSED, Fault.LOST, Fault.UNANSWERED, Fault.NO_CHANNEL]
    assert await world.round() == 5
    await world.over()
    for _ in range(3):
        world.clock.advance(timedelta(seconds=30))
        await world.dialling.keeper.look()
        await world.listen()
    outcomes = [row.outcome for row in await world.dialling.attempts()]
    assert outcomes == ["failed", "unknown", "no_answer", "failed", "no_answer"]


async def test_agents_are_dialled_for_and_an_end_that_nobody_heard_keeps_none_waiting(
    sqlite: Database,
) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 9), channel="agent")
    await start_campaign(sqlite, world.clock, mode=CampaignMode.PROGRESSIVE, queue="service")
    assert await world.round() == 0
    assert await world.dialling.refusals() == [(None, "no_agents")]
    world.exchange.agents = People(free=2)
    assert await world.round() == 2
    assert await world.round() == 0
    # The calls end while nobody listens; their records are found, and the agents are dialled for again.
    world.exchange.cut()
    while world.exchange.calls:
        for call_id in list(world.exchange.calls):
            world.exchange.go_on(call_id)
    world.exchange.mend()
    await world.listen()
    await world.dialling.keeper.look()
    await world.listen()
    assert {row.outcome for row in await world.dialling.attempts()} == {"no_answer"}
    assert await world.round() == 2


@pytest.mark.parametrize("heard", [True, False])
async def test_who_answers_and_hangs_up_before_anybody_is_there_was_abandoned(
    sqlite: Database, heard: bool
) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(ANSWERS, 2), channel="agent")
    campaign = await start_campaign(
        sqlite, world.clock, mode=CampaignMode.PROGRESSIVE, queue="service", abandon_cap=0.03
    )
    world.exchange.agents = People(free=2)
    assert await world.round() == 2
    mine, taken = list(world.exchange.calls)
    for call_id in (mine, mine, taken, taken):  # they ring, then they are answered
        world.exchange.go_on(call_id)
    await world.listen()
    if not heard:
        world.exchange.cut()
    # The customer hangs up in the queue after 1.9 seconds: nobody was there, and nobody said so.
    world.clock.advance(timedelta(seconds=1.9))
    world.exchange.end(mine, "ANSWERED", 16)
    world.exchange.end(taken, "ANSWERED", 16, agent="1001")
    if not heard:
        world.exchange.mend()
        await world.listen()
        await world.dialling.keeper.look()
    await world.listen()
    rows = {row.id: row for row in await world.dialling.attempts()}
    assert (rows[mine].outcome, rows[taken].outcome) == ("abandoned", "answered")
    assert (await world.dialling.statuses())[rows[mine].task_id or ""] == "retry_wait"
    now = world.clock.monotonic()
    assert world.dialling.dialler.watch.pace(campaign).share(now) == pytest.approx(0.5)
    # A new process learns the same from what is stored.
    learnt = build(sqlite, world.clock, world.exchange, world.exchange, world.bus).dialler.watch
    await learnt.open(campaign)
    assert learnt.pace(campaign).share(now) == pytest.approx(0.5)


async def test_the_fact_of_a_call_that_nobody_took_says_abandoned(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(ANSWERS, 1), channel="agent")
    await start_campaign(sqlite, world.clock, mode=CampaignMode.POWER, queue="service")
    world.exchange.agents = People(free=1)
    assert await world.round() == 1
    (call_id,) = world.exchange.calls
    world.exchange.cut()
    world.exchange.go_on(call_id)
    world.exchange.go_on(call_id)
    world.exchange.end(call_id, "ANSWERED", 16)
    async with sqlite.transaction() as session:
        await world.dialling.keeper.take(session, world.exchange.records[call_id])
    assert [row.outcome for row in await world.dialling.attempts()] == ["abandoned"]


async def test_a_trunk_is_given_no_more_calls_in_a_second_than_it_takes_from_everybody_together(
    sqlite: Database,
) -> None:
    world = World(sqlite, trunk_per_second=3)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 20))
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 20, first=100), channel="agent")
    await start_campaign(sqlite, world.clock, per_second=10, priority=9)
    await start_campaign(sqlite, world.clock, per_second=10, mode=CampaignMode.PROGRESSIVE, queue="service")
    world.exchange.agents = People(free=20)
    begun = [await world.round(0.5) for _ in range(6)]
    assert sum(begun) == 9
    assert all(first + second <= 3 for first, second in itertools.pairwise(begun))
    # Another process has the same trunk, and sees what was begun here.
    await world.round(0.0)
    other = build(sqlite, world.clock, world.exchange, world.exchange, world.bus, trunk_per_second=3)
    assert await other.dialler.round() == 0
