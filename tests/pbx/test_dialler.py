"""The dialler on a real Asterisk: who is called, what comes of it, and never twice."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from callback_campaigns.domain.campaign import CampaignState
from kernel.db import Database
from telephony.agi.session import AgiSession
from tests.support.agi_routes import agi_routes, hang_up_after_queue
from tests.support.db import sqlite_database
from tests.support.dial_stage import ami_of, dial_stage
from tests.support.dialling import ShiftedClock, numbers, set_state, start_campaign, waiting_customers
from tests.support.network import BUSY, DECLINES, EMPTY, NO_WAY, OFF, SILENT, Network, network
from tests.support.pbx import Pbx, running_pbx
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
