"""Whatever fails while the dialler works, the network behind the trunk sees each number called once.

The other side of the trunk is what counts: it counts the calls that reach it. One Asterisk for all of them.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from callback_campaigns.domain.terms import Outcome
from kernel.db import Database, create_database
from telephony.agi.session import AgiSession
from tests.support.agi_routes import agi_routes
from tests.support.db import sqlite_database
from tests.support.dial_stage import DialStage, ami_of, dial_stage
from tests.support.dialling import OFFICE_HOUR, ShiftedClock, numbers, start_campaign, waiting_customers
from tests.support.network import SILENT, Network, network
from tests.support.pbx import Pbx, running_pbx
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

ANSWERS = "0"
STEPS = {
    # step: how often the customer's telephone rang, and what the attempt came to
    "before_commit": (1, {"no_answer"}),  # it never was: the next dialler makes the call
    "after_commit": (0, {"unknown"}),  # nobody can know that nothing was sent: it counts, and is not repeated
    "after_write": (1, {"no_answer", "unknown"}),
    "ringing": (1, {"no_answer", "unknown"}),
    "answered": (1, {"answered"}),
}


async def survey(agi: AgiSession) -> None:
    """The customer listens for two seconds."""
    await agi.exec("Wait", "2", waits=timedelta(seconds=3))
    await agi.set_variable("HF_NEXT", "hangup")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pbx]:
    async with (
        running_pbx(tmp_path_factory.mktemp("faults")) as started,
        agi_routes(started.config.agi_port, {"survey": survey}),
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


@dataclass
class Case:
    """Customers to be called, over a database of their own."""

    database: Database
    clock: ShiftedClock
    wanted: Sequence[str]
    outside: Network

    def calls(self) -> list[int]:
        """How often each number was called, as the network counted."""
        return [self.outside.offered[number[3:]] for number in self.wanted]


async def case(database: Database, outside: Network, wanted: Sequence[str], **campaign: object) -> Case:
    """Prepare a campaign for these numbers."""
    clock = ShiftedClock()
    await waiting_customers(database, clock, wanted)
    await start_campaign(database, clock, **campaign)
    return Case(database, clock, wanted, outside)


async def dialled_more(made: Case) -> None:
    """Wait until somebody else is called."""
    before = sum(made.calls())
    await eventually(lambda: sum(made.calls()) > before, timeout=20, what="it dials")


async def over(stage: DialStage, made: Case) -> None:
    """Wait until every number has an attempt and all are over."""
    await eventually(lambda: stage.dialling.settled(len(made.wanted)), timeout=40, what="all are over")


async def kill_at_every_step(pbx: Pbx, cases: Mapping[str, Case], tmp_path: Path) -> None:
    """Have a dialler for each case, and have each killed at its step."""
    config = pbx.config
    runs = [
        {
            "step": step,
            "url": str(made.database.engine.url),
            "port": config.ami_port,
            "user": config.ami_user,
            "secret": config.ami_secret,
            "folder": str(tmp_path / step),
            "moment": OFFICE_HOUR.isoformat(),
        }
        for step, made in cases.items()
    ]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.dial_child", json.dumps(runs)), stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await asyncio.wait_for(child.communicate(), 90)
    finally:
        if child.returncode is None:
            child.kill()
    assert json.loads(out.splitlines()[-1]) == [-signal.SIGKILL] * len(runs)


async def goes_on(pbx: Pbx, step: str, made: Case, folder: Path) -> None:
    """Have another dialler go on after a kill."""
    made.clock.set(OFFICE_HOUR + timedelta(seconds=30))
    async with dial_stage(ami_of(pbx), made.database, folder, made.clock) as stage:
        await over(stage, made)
        (row,) = await stage.dialling.attempts()
    calls, outcomes = STEPS[step]
    assert made.calls() == [calls], step
    assert row.outcome in outcomes, step


async def test_killed_at_every_step_of_an_attempt(pbx: Pbx, outside: Network, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        cases = {}
        for index, step in enumerate(STEPS):
            (tmp_path / step).mkdir()
            database = await stack.enter_async_context(sqlite_database())
            number = numbers(ANSWERS if step == "answered" else SILENT, 1, first=1000 + index)
            cases[step] = await case(database, outside, number)
        await kill_at_every_step(pbx, cases, tmp_path)
        async with asyncio.TaskGroup() as group:
            for step, made in cases.items():
                group.create_task(goes_on(pbx, step, made, tmp_path / step))


@pytest.mark.parametrize("fault", ["cut", "half_open"])
async def test_the_link_is_lost_while_calls_are_made(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path, fault: str
) -> None:
    wanted = numbers(SILENT, 12, first=1100 if fault == "cut" else 1200)
    made = await case(database, outside, wanted, per_second=10)
    async with (
        TcpProxy(pbx.config.ami_port) as wire,
        dial_stage(ami_of(pbx, wire.port), database, tmp_path, made.clock) as stage,
    ):
        await eventually(lambda: sum(made.calls()) >= 3, timeout=20, what="it dials")
        if fault == "cut":
            wire.cut()
        else:
            wire.freeze()
            # Two pings without an answer end the link; what was written lies in a socket that is gone.
            await eventually(lambda: not stage.dialling.exchange.picture().live, timeout=20)
            wire.cut()
            wire.thaw()
        await eventually(lambda: stage.dialling.exchange.picture().live, timeout=20, what="it is back")
        await over(stage, made)
        rows = await stage.dialling.attempts()
    assert max(made.calls()) == 1
    assert len({row.number for row in rows}) == len(rows) == len(wanted)
    assert {row.outcome for row in rows} <= {"no_answer", "unknown", "failed"}


async def test_asterisk_is_started_again(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    wanted = numbers(SILENT, 8, first=1300)
    made = await case(database, outside, wanted, per_second=4)
    async with dial_stage(ami_of(pbx), database, tmp_path, made.clock) as stage:
        await eventually(lambda: sum(made.calls()) >= 3, timeout=20, what="it dials")
        await pbx.restart()
        await eventually(lambda: stage.dialling.exchange.picture().live, timeout=30, what="it is back")
        await over(stage, made)
        rows = await stage.dialling.attempts()
    assert max(made.calls()) == 1
    assert len({row.number for row in rows}) == len(rows) == len(wanted)


async def test_two_diallers_at_once(pbx: Pbx, outside: Network, database: Database, tmp_path: Path) -> None:
    wanted = numbers(SILENT, 20, first=1400)
    made = await case(database, outside, wanted, per_second=20)
    # The same list a second time: other tasks of other customers, the same numbers.
    await waiting_customers(database, made.clock, wanted)
    other = create_database(str(database.engine.url))
    (tmp_path / "b").mkdir()
    try:
        async with (
            dial_stage(ami_of(pbx), database, tmp_path, made.clock) as one,
            dial_stage(ami_of(pbx), other, tmp_path / "b", made.clock) as two,
        ):
            await over(one, made)
            await over(two, made)
            rows = await one.dialling.attempts()
    finally:
        await other.dispose()
    assert made.calls() == [1] * len(wanted)
    assert {row.outcome for row in rows} == {"no_answer"}


async def test_the_database_is_locked_for_a_while(
    pbx: Pbx, outside: Network, database: Database, tmp_path: Path
) -> None:
    wanted = numbers(SILENT, 8, first=1500)
    made = await case(database, outside, wanted, per_second=8)
    other = create_database(str(database.engine.url))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(other.dispose)
        stage = await stack.enter_async_context(dial_stage(ami_of(pbx), database, tmp_path, made.clock))
        await eventually(lambda: sum(made.calls()) >= 1, timeout=20, what="it dials")
        async with other.transaction():
            began = sum(made.calls())
            # Nothing can be committed, so nobody new is called; what is in progress goes on.
            await asyncio.sleep(3)
            assert sum(made.calls()) <= began + 1
        await over(stage, made)
        rows = await stage.dialling.attempts()
    assert made.calls() == [1] * len(wanted)
    assert {row.outcome for row in rows} == {"no_answer"}


async def test_the_clock_jumps(pbx: Pbx, outside: Network, database: Database, tmp_path: Path) -> None:
    wanted = numbers(SILENT, 8, first=1600)
    made = await case(database, outside, wanted, per_second=4)
    async with dial_stage(ami_of(pbx), database, tmp_path, made.clock) as stage:
        for jump in (timedelta(minutes=20), timedelta(minutes=-25), timedelta(minutes=31)):
            await dialled_more(made)
            made.clock.set(made.clock.now() + jump)
        await over(stage, made)
        rows = await stage.dialling.attempts()
    # A call that the clock jumped over before it was written is not made; its number is tried again later.
    unsent = [row.number for row in rows if row.outcome == Outcome.FAILED.value]
    assert len(unsent) <= 3, "one for each jump"
    called = dict(zip(made.wanted, made.calls(), strict=True))
    assert all(count <= 1 for count in called.values())
    assert {number for number, count in called.items() if count == 0} <= set(unsent)
