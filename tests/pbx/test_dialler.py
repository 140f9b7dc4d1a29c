"""The dialler on a real Asterisk: who is called, what comes of it, and never twice."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from app.sipp.phone import answers, rejects
from callback_campaigns.domain.campaign import CampaignMode, CampaignState
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.preview import DialRefused, PreviewCalls, PreviewConfig
from kernel.db import Database
from telephony.agi.session import AgiSession
from telephony.board_views import NO_FIGURES, AgentView, BoardView
from tests.support.agi_routes import agi_routes, hang_up_after_queue
from tests.support.db import sqlite_database
from tests.support.dial_stage import DialStage, ami_of, dial_stage
from tests.support.dialling import ShiftedClock, numbers, set_state, start_campaign, waiting_customers
from tests.support.network import BUSY, DECLINES, EMPTY, NO_WAY, OFF, SILENT, Network, network
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.people import AGENT
from tests.support.sipp import agent_phone, sign_in
from tests.support.waiting import eventually

# One Asterisk and one network for all of them.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

ANSWERS = "0"


async def survey(agi: AgiSession) -> None:
    """A survey in small: the channel knows whose call it is, and it is over."""
    call = await agi.get_variable("HF_CALL") or ""
    await agi.user_event("HuifangMenu", Call=call, Node="q1", Key="1", Label="满意")
    await agi.set_variable("HF_NEXT", "hangup")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pbx]:
    routes = {"survey": survey, "after-queue": hang_up_after_queue}
    async with (
        running_pbx(tmp_path_factory.mktemp("dialler")) as started,
        agi_routes(started.config.agi_port, routes),
    ):
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outside(pbx: Pbx) -> AsyncIterator[Network]:
    async with network(pbx, talk=timedelta(seconds=20)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def database() -> AsyncIterator[Database]:
    async with sqlite_database() as found:
        yield found


async def test_everybody_is_called_once_and_the_outcome_is_what_their_telephone_did(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    wanted = {
        numbers(digit, 1, first=100)[0]: outcome
        for digit, outcome in (
            (ANSWERS, "answered"),
            (BUSY, "busy"),
            (DECLINES, "rejected"),
            (EMPTY, "empty"),
            (OFF, "off"),
            (SILENT, "no_answer"),
            (NO_WAY, "congestion"),
        )
    }
    tasks = await waiting_customers(database, clock, wanted)
    await start_campaign(database, clock)
    async with dial_stage(ami_of(pbx), database, tmp_path, clock) as stage:
        await eventually(lambda: stage.dialling.settled(len(wanted)), timeout=30, what="all are over")
        assert await stage.dialling.outcomes() == wanted
        rows = await stage.dialling.attempts()
        assert len(rows) == len(wanted)
        for row in rows:
            call = await stage.history.get(row.id)
            assert (call.direction, call.to_number) == ("out", row.number)
        statuses = await stage.dialling.statuses()
        by_outcome = {outcome: statuses[tasks[number]] for number, outcome in wanted.items()}
        assert by_outcome.pop("empty") == "bad_number"
        assert by_outcome.pop("answered") == "talking"  # told by whoever talked
        assert set(by_outcome.values()) == {"retry_wait"}
        assert stage.dialling.pulses
    assert {number: outside.offered[number[3:]] for number in wanted} == dict.fromkeys(wanted, 1)


async def test_a_pause_holds_from_the_next_dial_on(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    wanted = numbers(SILENT, 30, first=200)
    await waiting_customers(database, clock, wanted)
    campaign = await start_campaign(database, clock, per_second=5)
    async with dial_stage(ami_of(pbx), database, tmp_path, clock) as stage:
        await eventually(
            lambda: sum(outside.offered[n[3:]] for n in wanted) >= 3, timeout=20, what="it dials"
        )
        await set_state(database, campaign, CampaignState.PAUSED)
        made = len(await stage.dialling.attempts())
        # Calls in progress end as they would; nobody else is called.
        await eventually(lambda: stage.dialling.settled(made), timeout=20, what="calls in progress end")
        rows = await stage.dialling.attempts()
        assert {row.outcome for row in rows} == {"no_answer"}
        assert len(rows) <= made + 1  # one may have been on its way into the database
    assert sum(outside.offered[n[3:]] for n in wanted) == len(rows)


def board_of(clock: ShiftedClock, number: str) -> BoardView:
    """A board on which one agent is free for the queue."""
    agent = AgentView(
        agent_id="A",
        number=number,
        name="李静",
        state="available",
        reason=None,
        since=clock.now(),
        call_id=None,
        queue=None,
        next_state=None,
        queues=("service",),
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


async def test_whoever_answers_is_put_through_to_the_agent_who_is_free(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    wanted = numbers(ANSWERS, 1, first=300)
    await waiting_customers(database, clock, wanted, channel="agent")
    await start_campaign(database, clock, mode=CampaignMode.PROGRESSIVE, queue="service")
    async with (
        agent_phone(pbx, "1001", answers()) as phone,
        dial_stage(ami_of(pbx), database, tmp_path, clock, board=lambda: board_of(clock, "1001")) as stage,
    ):
        await sign_in(pbx, "1001", "service")
        call = await phone.rings(within=20)
        await call.until("talking", within=20)
        # The telephone was asked to answer by itself; nothing of it was wrong.
        assert not [line for line in pbx.log("WARNING", "ERROR") if "HEADER" in line or "at-once" in line]
        await call.hang_up()
        await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
        (row,) = await stage.dialling.attempts()
        stored = await stage.history.get(row.id)
        assert (row.outcome, stored.agent, stored.queue) == ("answered", "1001", "service")
        assert stage.dialling.pulses[-1].abandoned_share == 0.0
    await pbx.cli("queue remove member PJSIP/1001 from service")


async def test_whoever_answers_and_has_nobody_within_two_seconds_was_abandoned(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    wanted = numbers(ANSWERS, 1, first=310)
    (task,) = (await waiting_customers(database, clock, wanted, channel="agent")).values()
    await start_campaign(database, clock, mode=CampaignMode.PROGRESSIVE, queue="service")
    # The board is wrong: nobody of the queue can be rung.
    async with dial_stage(
        ami_of(pbx), database, tmp_path, clock, board=lambda: board_of(clock, "1001")
    ) as stage:
        await eventually(lambda: stage.dialling.settled(1), timeout=30, what="the call is over")
        (row,) = await stage.dialling.attempts()
        assert row.outcome == "abandoned"
        assert (await stage.dialling.statuses())[task] == "retry_wait"
        await eventually(
            lambda: any(pulse.abandoned_share == 1.0 for pulse in stage.dialling.pulses), timeout=20
        )


def preview_of(stage: DialStage) -> PreviewCalls:
    dialler = stage.dialling.dialler
    return PreviewCalls(
        stage.dialling.centre.desk.office,
        stage.dialling.centre.attempts,
        dialler._campaigns.lines,
        stage.dialling.exchange,
        dialler._placing,
        PreviewConfig(trunk="main", caller_id=HOTLINE, ring=timedelta(seconds=3)),
    )


async def test_an_agent_looks_at_a_task_and_has_the_customer_called(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    answering, busy = numbers(ANSWERS, 1, first=400)[0], numbers(BUSY, 1, first=401)[0]
    tasks = await waiting_customers(database, clock, (answering, busy), channel="agent")
    async with (
        agent_phone(pbx, "1001", answers()) as phone,
        dial_stage(ami_of(pbx), database, tmp_path, clock, dial=False) as stage,
    ):
        preview = preview_of(stage)
        made = await preview.call(AGENT, tasks[answering], agent_number="1001")
        call = await phone.rings(within=10)
        await eventually(lambda: outside.talking[answering[3:]] == 1, timeout=20, what="the customer answers")
        with pytest.raises(DialRefused) as refused:
            await preview.call(AGENT, tasks[answering], agent_number="1001")
        assert refused.value.refusal.code is RefusalCode.TASK_NOT_READY
        await call.hang_up()
        await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the call is over")
        stored = await stage.history.get(made.attempt_id)
        assert (stored.result, stored.agent, stored.to_number) == ("ANSWERED", "1001", answering)

        await preview.call(AGENT, tasks[busy], agent_number="1001")
        await eventually(lambda: stage.dialling.settled(2), timeout=30, what="the busy call is over")
        assert (await stage.dialling.outcomes())[busy] == "busy"
    assert (outside.offered[answering[3:]], outside.offered[busy[3:]]) == (1, 1)


async def test_an_agent_who_does_not_answer_has_nobody_called(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    (number,) = numbers(ANSWERS, 1, first=420)
    tasks = await waiting_customers(database, clock, (number,), channel="agent")
    async with (
        agent_phone(pbx, "1001", rejects()),
        dial_stage(ami_of(pbx), database, tmp_path, clock, dial=False) as stage,
    ):
        await preview_of(stage).call(AGENT, tasks[number], agent_number="1001")
        await eventually(lambda: stage.dialling.settled(1), timeout=20, what="the attempt is over")
        assert (await stage.dialling.outcomes())[number] == "failed"
    assert outside.offered[number[3:]] == 0
