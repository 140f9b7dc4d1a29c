"""The demo's telephones: registered by themselves, they ring, answer and hang up, whatever the PBX does."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.demo.customers import DemoCustomers
from app.demo.phones import DemoPhones
from app.runtime import Runtime
from callback_campaigns.domain import attempt as attempts
from kernel.clock import SystemClock
from kernel.ids import new_ulid
from telephony.agi.session import AgiSession
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import customer, sign_in
from tests.support.survey_calls import originate
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


async def to_service(agi: AgiSession) -> None:
    await to_queue(agi, "service")


@pytest.fixture
async def pbx(tmp_path: Path, runtime: Runtime) -> AsyncIterator[Pbx]:
    """A PBX whose menu sends every caller to the queue service."""
    routes = {"flow": to_service, "after-queue": hang_up_after_queue}
    async with running_pbx(tmp_path, runtime=runtime) as started, agi_routes(started.config.agi_port, routes):
        yield started


@contextlib.asynccontextmanager
async def demo_phones(
    pbx: Pbx, *, ring: float = 0.3, talk: float = 60, register_every: float = 1
) -> AsyncIterator[DemoPhones]:
    folder = pbx.config.paths.spool / "demo-phones"
    phones = DemoPhones(
        pbx.runtime.sipp,
        pbx.server,
        pbx=(pbx.config.sip_host, pbx.config.sip_port),
        agents=pbx.config.agents,
        folder=folder,
        log_file=folder / "phones.log",
        ring=timedelta(seconds=ring),
        talk=timedelta(seconds=talk),
        register_every=timedelta(seconds=register_every),
    )
    async with phones.running():
        yield phones


async def state_of(pbx: Pbx, number: str) -> str:
    """``Ringing``, ``Up`` … of the agent's channel, or nothing."""
    for line in (await pbx.cli("core show channels concise")).splitlines():
        fields = line.split("!")
        if fields[0].startswith(f"PJSIP/{number}-"):
            return fields[4]
    return ""


async def test_it_rings_then_answers_and_hangs_up_when_the_customer_does(pbx: Pbx) -> None:
    async with demo_phones(pbx, ring=1):
        await sign_in(pbx, "1001", "service")
        async with customer(pbx) as caller:
            await eventually(lambda: state_of(pbx, "1001"), timeout=10)
            assert await state_of(pbx, "1001") == "Ringing"

            async def up() -> bool:
                return await state_of(pbx, "1001") == "Up"

            await eventually(up)
            await eventually(lambda: caller.ear.packets > 10)
            await caller.hang_up()
            await eventually(pbx.idle)


async def test_a_campaigns_call_finds_a_played_customer_and_an_agent_at_once(pbx: Pbx) -> None:
    number = "+8613800138000"
    attempt = attempts.begin(new_ulid(), number, now=SystemClock().now()).attempt
    customers = DemoCustomers(
        pbx.runtime.sipp.command(),
        pbx=(pbx.config.sip_host, pbx.config.sip_port),
        trunk=pbx.trunk,
        folder=pbx.config.paths.spool / "customers",
        ring=timedelta(seconds=0.2),
        key_every=timedelta(seconds=1),
    )
    assert customers.possible
    # A telephone that would ring for a minute, and a customer who waits for two seconds.
    async with demo_phones(pbx, ring=60), customers.running():
        await eventually(lambda: not customers.possible, timeout=10, what="they listen")
        await sign_in(pbx, "1001", "service")
        await originate(pbx, attempt, number, queue="service")

        async def up() -> bool:
            return await state_of(pbx, "1001") == "Up"

        await eventually(up, timeout=20)
        await pbx.cli("channel request hangup all")
        await eventually(pbx.idle, timeout=20)


async def test_a_customer_who_gives_up_stops_the_ringing_and_the_phone_takes_the_next(pbx: Pbx) -> None:
    async with demo_phones(pbx, ring=2):
        await sign_in(pbx, "1002", "service")
        async with customer(pbx) as caller:
            await eventually(lambda: state_of(pbx, "1002"), timeout=10)
            await caller.hang_up()
            await eventually(pbx.idle)
        async with customer(pbx):

            async def up() -> bool:
                return await state_of(pbx, "1002") == "Up"

            await eventually(up, timeout=10)


async def test_it_hangs_up_by_itself_in_the_end(pbx: Pbx) -> None:
    async with demo_phones(pbx, talk=1):
        await sign_in(pbx, "1001", "service")
        async with customer(pbx) as caller:
            assert await caller.ended(within=10) == "far"


async def test_a_pbx_that_forgot_the_phones_learns_of_them_again(pbx: Pbx) -> None:
    async with demo_phones(pbx) as phones:
        pid = phones.pid
        await pbx.cli("database deltree registrar")
        await pbx.restart()
        await eventually(phones._registered, timeout=15)
        assert phones.pid == pid


async def test_phones_that_die_come_back_and_nothing_is_left_in_the_end(pbx: Pbx) -> None:
    async with demo_phones(pbx) as phones:
        assert phones.pid is not None
        os.kill(phones.pid, signal.SIGKILL)
        await eventually(lambda: phones.restarts == 1, timeout=40)
        pid = phones.pid
        assert pid is not None
    assert not Path(f"/proc/{pid}").exists()
