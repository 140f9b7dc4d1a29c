"""Calls through a cut link, a restarted Asterisk, an absent service: none is lost, none is made up."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from kernel.db import Database
from telephony.events import AgentRinging, LinkStateChanged
from tests.pbx.calls.conftest import ANSWERED, Stage, check, kinds, queued, running, talking
from tests.support.pbx import Pbx
from tests.support.sipp import agent_phone, customer, sign_in
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

# One Asterisk for all of them: every story ends with no channel and no member left.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]


async def test_the_link_is_cut_in_the_middle_and_the_call_goes_on(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        stage.wire.cut()
        await eventually(lambda: len([e for e in stage.here.of(LinkStateChanged) if e.state == "live"]) == 2)
        await stage.state("talking")
        await call.hang_up()
        await caller.ended(within=10)
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "agent", "1001")
        assert kinds(found) == f"{ANSWERED} gap ended"


async def test_the_link_is_cut_and_the_call_ends_meanwhile(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        stage.wire.shut()
        await eventually(lambda: stage.here.ingest.status.state != "live")
        await caller.hang_up()
        assert await call.ended() == "far"
        await eventually(stage.pbx.idle)
        stage.wire.reopen()
        found = await stage.the_call()
        check(found)
        # Nobody saw it; the PBX's own log knows who hung up and when.
        assert (found.result, found.hangup_by, found.end_reason) == ("ANSWERED", "caller", "gap")
        assert kinds(found) == f"{ANSWERED} ended"


async def test_the_link_is_cut_while_the_agent_answers(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, queued(stage, "1001") as caller:
        call = await phone.rings(within=10)
        stage.wire.shut()
        await eventually(lambda: stage.here.ingest.status.state != "live")
        await call.answer()
        stage.wire.reopen()
        await stage.state("talking")
        assert stage.here.ingest.live_calls()[0].agent == "1001"
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "caller", "1001")


@pytest.mark.parametrize("end", ["stopped", "killed"])
async def test_asterisk_is_restarted_in_the_middle(stage: Stage, end: str) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone):
        # Asterisk tells when it was started to the second: the next start must lie in another one.
        second = int(time.time())
        await eventually(lambda: int(time.time()) > second, timeout=5)
        if end == "killed":
            pid = stage.pbx.server.pid
            assert pid is not None
            os.killpg(pid, signal.SIGKILL)
        await stage.pbx.restart()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.end_reason) == ("ANSWERED", "system", "pbx_restart")
        await eventually(lambda: stage.here.ingest.status.state == "live", timeout=10)


async def test_our_service_is_restarted_in_the_middle(pbx: Pbx, tmp_path: Path, database: Database) -> None:
    async with TcpProxy(pbx.config.ami_port) as wire, contextlib.AsyncExitStack() as phones:
        phone = await phones.enter_async_context(agent_phone(pbx, "1001"))
        async with running(pbx, wire, database, tmp_path) as first:
            caller, _ = await phones.enter_async_context(talking(Stage(pbx, wire, first), phone))
        async with running(pbx, wire, database, tmp_path) as second:
            stage = Stage(pbx, wire, second)
            await stage.state("talking")
            await caller.hang_up()
            found = await stage.the_call()
            check(found)
            assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "caller", "1001")
            assert kinds(found) == f"{ANSWERED} gap ended"
    await pbx.cli("queue remove member PJSIP/1001 from repair")


async def test_a_whole_call_while_our_service_is_away_is_not_lost(
    pbx: Pbx, tmp_path: Path, database: Database
) -> None:
    async with TcpProxy(pbx.config.ami_port) as wire:
        async with running(pbx, wire, database, tmp_path):
            pass
        await sign_in(pbx, "1001", "repair")
        async with agent_phone(pbx, "1001") as phone, customer(pbx) as caller:
            await caller.until("answered")
            await caller.press("2")
            call = await phone.rings(within=10)
            await call.answer()
            await call.hang_up()
            await caller.ended(within=10)
        await eventually(pbx.idle)
        async with running(pbx, wire, database, tmp_path) as here:
            found = await Stage(pbx, wire, here).the_call()
            assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "agent", "1001")
            assert (found.queue, found.end_reason, found.adopted) == ("repair", "gap", True)
            assert (found.from_number, found.to_number) == ("+8613800138000", "4008001234")
            # The log tells of the menu as well.
            assert kinds(found) == "offered menu queued ringing ring_ended answered ended"
            assert here.of(AgentRinging) == []
    await pbx.cli("queue remove member PJSIP/1001 from repair")
