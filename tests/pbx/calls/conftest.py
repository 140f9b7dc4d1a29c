"""The stage of the stories: a PBX, a small menu, our services, and the wire between them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from app.sipp.phone import AgentPhone, PhoneCall
from kernel.db import Database
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig
from telephony.domain.call_table import CallRules
from telephony.event_log import EventLog
from telephony.events import AgentRinging
from telephony.history import CallHistory
from telephony.views import CallView
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.call_service import Service, service
from tests.support.db import sqlite_database
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import customer, sign_in
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

RULES = CallRules(short_abandon=timedelta(seconds=1), default_area="010")
IMPATIENT = "18600000000"  # whose queue gives up after two seconds


async def menu(agi: AgiSession) -> None:
    """The hotline in small: a key, then the queue of that key."""
    await agi.answer()
    call = await agi.get_variable("HF_CALL") or ""
    key = await agi.wait_for_digit(timedelta(seconds=20))
    if key is None:
        await agi.set_variable("HF_NEXT", "hangup")
        return
    await agi.user_event("HuifangMenu", Call=call, Node="root", Key=key, Label="报修")
    number = await agi.get_variable("CALLERID(num)")
    await to_queue(agi, "repair", 2 if number == IMPATIENT else 60)


@dataclass
class Stage:
    """The PBX, our services around it, and the wire between them."""

    pbx: Pbx
    wire: TcpProxy
    here: Service

    async def the_call(self) -> CallView:
        """Wait until exactly one call is stored and over."""
        history = CallHistory(self.here.database)

        async def over() -> bool:
            calls = (await history.page()).items
            return len(calls) == 1 and calls[0].state == "ended"

        await eventually(over, timeout=10, what="one call, ended")
        (call,) = (await history.page()).items
        return await history.get(call.call_id)

    async def state(self, state: str) -> None:
        """Wait until the one call in progress is in a state."""
        await eventually(
            lambda: [call.state for call in self.here.ingest.live_calls()] == [state], what=state
        )

    def rings(self) -> list[str]:
        """Whose phones rang, in order."""
        return [ring.agent_number for ring in self.here.of(AgentRinging)]


def ami(pbx: Pbx, port: int) -> AmiConfig:
    return AmiConfig(
        port=port,
        username=pbx.config.ami_user,
        secret=pbx.config.ami_secret,
        backoff_first=timedelta(milliseconds=50),
        backoff_most=timedelta(milliseconds=200),
    )


ROUTES = {"flow": menu, "after-queue": hang_up_after_queue}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pbx]:
    async with (
        running_pbx(tmp_path_factory.mktemp("calls")) as started,
        agi_routes(started.config.agi_port, ROUTES),
    ):
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def database(pbx: Pbx) -> AsyncIterator[Database]:
    # What the PBX logged of other tests is in no gap of this one.
    pbx.config.paths.event_log.unlink(missing_ok=True)
    async with sqlite_database() as found:
        yield found


def running(
    pbx: Pbx, wire: TcpProxy, database: Database, folder: Path
) -> contextlib.AbstractAsyncContextManager[Service]:
    """Our services, with the PBX's own log in reach."""
    log = EventLog(pbx.config.paths.event_log)
    return service(database, folder, ami(pbx, wire.port), rules=RULES, event_log=log)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(pbx: Pbx, tmp_path: Path, database: Database) -> AsyncIterator[Stage]:
    async with (
        TcpProxy(pbx.config.ami_port) as wire,
        running(pbx, wire, database, tmp_path) as here,
    ):
        yield Stage(pbx, wire, here)
        await eventually(pbx.idle, what="every channel is gone")
        await eventually(lambda: here.ingest.live_calls() == (), what="no call is open")
    for agent in pbx.config.agents:
        await pbx.cli(f"queue remove member PJSIP/{agent.number} from repair")


@contextlib.asynccontextmanager
async def queued(stage: Stage, *agents: str, number: str = "13800138000") -> AsyncIterator[PhoneCall]:
    """A customer who pressed a key and waits for one of the agents."""
    for agent in agents:
        await sign_in(stage.pbx, agent, "repair")
    async with customer(stage.pbx, number=number, name="王建国") as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.press("2")
        yield caller


@contextlib.asynccontextmanager
async def talking(stage: Stage, phone: AgentPhone) -> AsyncIterator[tuple[PhoneCall, PhoneCall]]:
    """A customer and an agent in conversation."""
    async with queued(stage, phone.number) as caller:
        call = await phone.rings(within=10)
        await call.answer()
        await stage.state("talking")
        yield caller, call


def kinds(call: CallView) -> str:
    return " ".join(entry.kind for entry in call.timeline)


ANSWERED = "offered menu queued ringing ring_ended answered"


def check(call: CallView) -> None:
    """What is true of every customer's call."""
    assert (call.from_number, call.from_name, call.direction) == ("+8613800138000", "王建国", "in")
    assert (call.menu_path, call.node, call.to_number) == (("报修",), "pbx1", "4008001234")
    assert [entry.seq for entry in call.timeline] == list(range(1, len(call.timeline) + 1))
    assert call.ended_at is not None
    assert call.started_at <= call.ended_at
