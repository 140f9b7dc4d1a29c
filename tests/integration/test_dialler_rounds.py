"""The dialler round by round over an exchange that is played: limits, pauses, campaigns beside each other."""

import itertools
from datetime import timedelta

import pytest

from callback_campaigns.campaign_results import AttemptFilter
from callback_campaigns.domain.campaign import CampaignMode, CampaignState
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.exchange import People
from kernel.db import Database
from telephony.events import AgentStateChanged
from tests.support.campaigns import SUPERVISOR, make_campaigns
from tests.support.dial_world import World
from tests.support.dialling import (
    build,
    numbers,
    set_state,
    start_campaign,
    waiting_customers,
)
from tests.support.fake_exchange import Fault
from tests.support.network import SILENT
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration

ANSWERS = "0"


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


async def test_a_call_that_was_decided_long_ago_is_not_made_any_more(sqlite: Database) -> None:
    # The process stood still between the commit and the write, or the clock jumped: the hour may have passed.
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(SILENT, 1))
    await start_campaign(sqlite, world.clock)
    assert await world.dialling.dialler.round() == 1
    world.clock.advance(timedelta(seconds=11))
    await world.listen()
    assert not world.exchange.placed
    (attempt,) = await world.dialling.attempts()
    assert (attempt.state, attempt.outcome) == ("ended", "failed")


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


async def test_who_was_connected_late_is_abandoned_in_the_account_in_the_figures_and_after_a_restart(
    sqlite: Database,
) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(ANSWERS, 3), channel="agent")
    campaign = await start_campaign(sqlite, world.clock, mode=CampaignMode.PROGRESSIVE, queue="service")
    services = await make_campaigns(sqlite, world.clock)
    world.exchange.agents = People(free=3)
    assert await world.round() == 3
    late, in_time, alone = list(world.exchange.calls)
    for call_id in (late, in_time, alone) * 2:
        world.exchange.go_on(call_id)
    world.clock.advance(timedelta(seconds=1.9))
    world.exchange.take(in_time)
    world.clock.advance(timedelta(seconds=0.5))
    world.exchange.take(late, "1002")
    await world.listen()

    async def shares() -> list[float]:
        counts = await services.figures.counts(SUPERVISOR, campaign.campaign_id)
        learnt = build(sqlite, world.clock, world.exchange, world.exchange, world.bus).dialler.watch
        await learnt.open(campaign)
        now = world.clock.monotonic()
        paces = [one.pace(campaign) for one in (world.dialling.dialler.watch, learnt)]
        return [counts.abandoned_share, *(pace.share(now) for pace in paces)]

    # They still talk.
    assert await shares() == [0.5, 0.5, 0.5]
    world.exchange.end(alone, "ANSWERED", 16)
    world.exchange.end(late, "ANSWERED", 16, agent="1002")
    world.exchange.end(in_time, "ANSWERED", 16, agent="1001")
    await world.listen()
    assert await shares() == pytest.approx([2 / 3] * 3)
    rows = {row.id: row for row in await world.dialling.attempts()}
    assert [rows[one].outcome for one in (late, in_time, alone)] == ["answered", "answered", "abandoned"]
    assert [rows[one].connect_seconds for one in (late, in_time, alone)] == [2.4, 1.9, None]
    listed = await services.results.attempts(SUPERVISOR, AttemptFilter(campaign_id=campaign.campaign_id))
    assert {one.attempt_id for one in listed.items if one.late} == {late}


async def test_calls_in_progress_are_taken_over_by_the_next_process(sqlite: Database) -> None:
    world = World(sqlite)
    await waiting_customers(sqlite, world.clock, numbers(ANSWERS, 2), channel="agent")
    campaign = await start_campaign(sqlite, world.clock, mode=CampaignMode.POWER, queue="service")
    world.exchange.agents = People(free=2)
    assert await world.round() == 2
    next_one = build(sqlite, world.clock, world.exchange, world.exchange, world.bus)
    watch = next_one.dialler.watch
    await watch.open(campaign)
    assert set(watch.pace(campaign).dials) == set(world.exchange.calls)
    ringing, other = list(world.exchange.calls)
    for _ in range(2):
        world.exchange.go_on(ringing)
    world.clock.advance(timedelta(seconds=1))
    world.exchange.end(ringing, "ABANDONED_QUEUE", 16, reason="no_agent")
    for event in world.heard.waiting():
        watch.hear(event)  # type: ignore[arg-type]
    assert set(watch.pace(campaign).dials) == {other}
    assert watch.pace(campaign).share(world.clock.monotonic()) == 1.0


async def test_how_long_agents_write_is_learnt_live_and_from_the_day(sqlite: Database) -> None:
    world = World(sqlite)
    campaign = await start_campaign(sqlite, world.clock, mode=CampaignMode.PREDICTIVE, queue="service")
    watch = world.dialling.dialler.watch
    await watch.open(campaign)
    history, began = watch.pace(campaign).history, world.clock.now()

    def state(number: str, state: str, seconds: float, version: int, queue: str = "service") -> None:
        since = began + timedelta(seconds=seconds)
        watch.agent(
            AgentStateChanged(
                at=since,
                agent_id=number,
                agent_number=number,
                state=state,
                since=since,
                queue=queue,
                version=version,
            )
        )

    for number, queue in (("1001", "service"), ("1002", "repair")):
        state(number, "on_call", 0, 1, queue)
        state(number, "wrap_up", 60, 2, queue)
        state(number, "available", 72, 3, queue)
        state(number, "wrap_up", 60, 2, queue)  # older than what is known
    assert (history.wraps.count, history.wraps.mean) == (1, 12.0)
    # Without a form they are free at once; a break is no wrap-up that ends free.
    state("1003", "on_call", 0, 1)
    state("1003", "paused", 30, 2)
    assert history.wraps.count == 2
    assert history.wraps.mean == pytest.approx(6.0, abs=0.1)
    assert history.returns.value < 0.9


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
