"""Every case of a call, on a real Asterisk with SIPp's phones: one call each, right in the database."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from app.sipp.phone import AgentPhone, PhoneCall, answers, rejects
from kernel.db import Database
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig
from telephony.domain.call_table import CallRules
from telephony.event_log import EventLog
from telephony.events import AgentRinging, CallEnded, LinkStateChanged
from telephony.history import CallHistory
from telephony.views import CallFilter, CallView
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.call_service import Service, service
from tests.support.db import sqlite_database
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import agent_phone, customer, outside_phone, sign_in
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

# One Asterisk for all of them: every story ends with no channel and no member left.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]

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
async def database(pbx: Pbx, tmp_path: Path) -> AsyncIterator[Database]:
    # What the PBX logged of other tests is in no gap of this one.
    pbx.config.paths.event_log.unlink(missing_ok=True)
    async with sqlite_database(tmp_path) as found:
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


async def test_answered_and_the_customer_hangs_up_first(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await caller.hang_up()
        assert await call.ended() == "far"
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent, found.queue) == (
            "ANSWERED",
            "caller",
            "1001",
            "repair",
        )
        assert kinds(found) == f"{ANSWERED} ended"
        assert [(leg.kind, leg.agent_number) for leg in found.legs] == [("caller", None), ("agent", "1001")]
        (ring,) = stage.here.of(AgentRinging)
        assert (ring.from_number, ring.caller_name, ring.queue) == ("+8613800138000", "王建国", "repair")
        assert ring.menu_path == ("报修",)
        assert found.wait_seconds is not None
        assert found.answered_at is not None


async def test_answered_and_the_agent_hangs_up_first(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await call.hang_up()
        await caller.ended(within=10)
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, kinds(found)) == ("ANSWERED", "agent", f"{ANSWERED} ended")


async def test_hold_is_counted_apart(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, talking(stage, phone) as (caller, call):
        await call.hold()
        await stage.state("held")
        await call.unhold()
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        assert kinds(found) == f"{ANSWERED} held unheld ended"
        assert found.hold_seconds > 0


async def test_abandoned_in_the_menu(stage: Stage) -> None:
    async with customer(stage.pbx, name="王建国") as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        found = await stage.the_call()
        assert (found.result, found.hangup_by, found.queue) == ("IVR_ONLY", "caller", None)
        assert kinds(found) == "offered ended"


async def test_abandoned_in_the_queue(stage: Stage) -> None:
    async with agent_phone(stage.pbx, "1001") as phone, queued(stage, "1001") as caller:
        await phone.rings(within=10)
        waited = stage.here.ingest.live_calls()[0]
        assert waited.queued_at is not None
        await eventually(lambda: (stage.here.ingest.live_calls()[0].wait_seconds or 0) > 1.2)
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by, found.agent) == ("ABANDONED_QUEUE", "caller", None)
        assert kinds(found) == "offered menu queued ringing ring_ended left_queue ended"
        assert next(e for e in found.timeline if e.kind == "ring_ended").detail["reason"] == "abandoned"


async def test_a_short_abandon(stage: Stage) -> None:
    async with queued(stage) as caller:
        await stage.state("queued")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.hangup_by) == ("ABANDONED_SHORT", "caller")
        assert kinds(found) == "offered menu queued left_queue ended"


async def test_no_agent_until_the_queue_gives_up(stage: Stage) -> None:
    async with queued(stage, number=IMPATIENT) as caller:
        await caller.ended(within=15)
        found = await stage.the_call()
        assert (found.result, found.hangup_by) == ("NO_ANSWER", "system")
        assert found.end_reason in ("no_agent", "queue_timeout")
        assert kinds(found) == "offered menu queued left_queue ended"
        assert found.wait_seconds == pytest.approx(2, abs=0.9)


@pytest.mark.parametrize("code", [486, 603])
async def test_an_agent_rejects_and_the_next_answers(stage: Stage, code: int) -> None:
    async with (
        agent_phone(stage.pbx, "1001", rejects(code)) as first,
        agent_phone(stage.pbx, "1002", answers()) as second,
        queued(stage, "1001") as caller,
    ):
        await first.rings(within=10)
        await sign_in(stage.pbx, "1002", "repair")
        await stage.pbx.cli("queue pause member PJSIP/1001")
        await second.rings(within=10)
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent) == ("ANSWERED", "1002")
        ends = [(e.agent, e.detail["reason"]) for e in found.timeline if e.kind == "ring_ended"]
        assert ends[0] == ("1001", "rejected")
        assert ends[-1] == ("1002", "answered")
        assert stage.rings()[0] == "1001"
        assert stage.rings()[-1] == "1002"


async def test_an_agent_does_not_answer_and_the_next_does(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as first,
        agent_phone(stage.pbx, "1002", answers()) as second,
        queued(stage, "1001") as caller,
    ):
        await first.rings(within=10)
        await sign_in(stage.pbx, "1002", "repair")
        await second.rings(within=15)
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent) == ("ANSWERED", "1002")
        ends = [(e.agent, e.detail["reason"]) for e in found.timeline if e.kind == "ring_ended"]
        assert ends == [("1001", "no_answer"), ("1002", "answered")]


async def test_blind_transfer_is_one_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
        talking(stage, phone) as (caller, call),
    ):
        await call.transfer("1002")
        await colleague.rings(within=10)
        await eventually(lambda: [c.agent for c in stage.here.ingest.live_calls()] == ["1002"])
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == f"{ANSWERED} transferred ringing ring_ended answered ended"
        moved = next(entry for entry in found.timeline if entry.kind == "transferred")
        assert (moved.agent, moved.detail) == ("1001", {"type": "blind", "to": "1002"})
        assert stage.rings() == ["1001", "1002"]
        history = CallHistory(stage.here.database)
        for agent in ("1001", "1002"):
            assert [c.call_id for c in await found_by(history, agent)] == [found.call_id]


async def found_by(history: CallHistory, agent: str) -> tuple[CallView, ...]:
    return (await history.page(CallFilter(agent=agent))).items


async def test_attended_transfer_is_one_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
        talking(stage, phone) as (caller, call),
    ):
        await call.hold()
        asked = await phone.dial("1002")
        await colleague.rings(within=10)
        await eventually(lambda: len(stage.here.ingest.live_calls()) == 2, what="the consultation")
        await call.transfer_to(asked)
        await eventually(
            lambda: [(c.direction, c.agent) for c in stage.here.ingest.live_calls()] == [("in", "1002")],
            what="one call again, with the colleague",
        )
        await stage.state("talking")
        await caller.hang_up()
        found = await stage.the_call()
        check(found)
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == f"{ANSWERED} held unheld transferred answered ended"
        assert len(found.legs) == 4
        assert [ended.call_id for ended in stage.here.of(CallEnded)] == [found.call_id]


async def test_an_internal_call(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        agent_phone(stage.pbx, "1002", answers()) as colleague,
    ):
        call = await phone.dial("1002")
        await colleague.rings(within=10)
        await stage.state("talking")
        await call.hang_up()
        found = await stage.the_call()
        assert (found.direction, found.from_number, found.to_number) == ("internal", "1001", "1002")
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1002", "caller")
        assert kinds(found) == "offered ringing ring_ended answered ended"


async def test_a_call_to_the_outside(stage: Stage) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        outside_phone(stage.pbx, "13900139000", answers()) as outside,
    ):
        await phone.dial("13900139000")
        taken = await outside.rings(within=10)
        await stage.state("talking")
        await taken.hang_up()
        found = await stage.the_call()
        assert (found.direction, found.from_number, found.to_number) == ("out", "1001", "+8613900139000")
        assert (found.result, found.agent, found.hangup_by) == ("ANSWERED", "1001", "caller")


@pytest.mark.parametrize(
    ("code", "result"), [(486, "BUSY"), (404, "EMPTY"), (603, "REJECTED"), (480, "NO_ANSWER")]
)
async def test_a_call_to_the_outside_that_fails(stage: Stage, code: int, result: str) -> None:
    async with (
        agent_phone(stage.pbx, "1001") as phone,
        outside_phone(stage.pbx, "13900139000", rejects(code)) as outside,
    ):
        await phone.dial("13900139000", wait=False)
        await outside.rings(within=10)
        found = await stage.the_call()
        assert (found.direction, found.result) == ("out", result)


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
            assert kinds(found) == "offered queued ringing ring_ended answered ended"
            assert here.of(AgentRinging) == []
    await pbx.cli("queue remove member PJSIP/1001 from repair")


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [
        ("anonymous", "", ("anonymous", "")),
        ("13800138000", "<script>alert(1)</script>", ("+8613800138000", "<script>alert(1)</script>")),
        ("13800138000", "😀王" * 5, ("+8613800138000", "😀王" * 5)),
        ("1001", "李静", ("1001", "李静")),
    ],
)
async def test_whatever_the_network_says_about_the_caller(
    stage: Stage, number: str, name: str, shown: tuple[str, str]
) -> None:
    async with customer(stage.pbx, number=number, name=name) as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        found = await stage.the_call()
        assert (found.from_number, found.from_name) == shown
        assert found.direction == "in"


async def test_a_name_that_the_pbx_cuts_in_the_middle_of_a_character(stage: Stage) -> None:
    name = "😀王" * 20
    async with customer(stage.pbx, name=name) as caller:
        await caller.until("answered")
        await stage.state("menu")
        await caller.hang_up()
        shown = (await stage.the_call()).from_name
        assert name.startswith(shown.rstrip("\ufffd"))
        assert len(shown) > 10
