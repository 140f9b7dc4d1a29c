"""Agents on a real Asterisk: members, states, wrap-up and the board, through restarts and cut links."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from app.runtime import Runtime
from app.sipp.phone import AgentPhone, PhoneCall
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.agent_feed import AgentFeed
from telephony.ami import AmiConfig, AmiLink
from telephony.board import Board
from telephony.desk import AgentDesk
from telephony.domain.agent_state import AgentPolicy, AgentState
from telephony.domain.call_book import CallBook
from telephony.ingest import TelephonyIngest
from telephony.members import MemberSync
from telephony.spool import CallSpool
from telephony.writer import CallWriter
from tests.support.agents import QUEUES, centre
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import agent_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


@dataclass
class Centre:
    """A running centre: Asterisk, the link, the call model, the agents' side, and three telephones."""

    pbx: Pbx
    link: AmiLink
    desk: AgentDesk
    members: MemberSync
    board: Board
    ids: dict[str, str]
    phones: dict[str, AgentPhone]
    _plugged_in: AsyncExitStack

    async def plug_in_phones(self) -> None:
        """Register the telephones, those that are plugged in already once more."""
        await self._plugged_in.aclose()
        for number in ("1001", "1002", "1003"):
            phone = agent_phone(self.pbx, number)
            self.phones[number] = await self._plugged_in.enter_async_context(phone)

    @property
    def jing(self) -> AgentPhone:
        """The telephone of 李静 (1001), who works for repairs and as a person."""
        return self.phones["1001"]

    async def customer(self, queue: str = "repair") -> PhoneCall:
        """Somebody calls and waits in a queue."""
        return await self.phones["1003"].dial(queue)

    async def rings(self, number: str = "1001") -> PhoneCall:
        """The agent's telephone rings."""
        return await self.phones[number].rings(within=10)

    async def shows(self, state: AgentState, number: str = "1001", *, reason: str | None = None) -> None:
        async def there() -> bool:
            found = await self.desk.state(self.ids[number])
            return found.state is state and found.reason == reason

        await eventually(there, timeout=8, what=f"{number} {state} {reason}")

    async def member(self, queue: str, *, number: str = "1001") -> str | None:
        """How Asterisk itself has the member: ``free``, the reason of its pause, or None."""
        status = await self.link.actions.queue_status(queue)
        for row in status.members:
            if row.get("Location") == f"PJSIP/{number}":
                return row.get("PausedReason") if row.get("Paused") == "1" else "free"
        return None

    async def member_becomes(self, queue: str, standing: str | None, *, number: str = "1001") -> None:
        async def there() -> bool:
            return await self.member(queue, number=number) == standing

        await eventually(there, timeout=8, what=f"{number} in {queue}: {standing}")


@asynccontextmanager
async def running_centre(
    folder: Path, runtime: Runtime, database: Database, *, policy: AgentPolicy | None = None
) -> AsyncIterator[Centre]:
    clock, bus = SystemClock(), Bus()
    base = await centre(database, clock)
    ids = {"1001": base.jing, "1002": base.wei}
    await base.roster.set_memberships(base.wei, {"repair": 5})
    async with running_pbx(folder, runtime=runtime) as pbx:
        config = AmiConfig(
            host=pbx.config.ami_host,
            port=pbx.config.ami_port,
            username=pbx.config.ami_user,
            secret=pbx.config.ami_secret,
            backoff_first=timedelta(milliseconds=100),
            backoff_most=timedelta(milliseconds=500),
        )
        link = AmiLink(config, clock=clock, node="pbx1")
        writer = CallWriter(database, CallSpool(folder / "spool.jsonl"), agent_id_of=ids.get)
        book = CallBook("pbx1")
        ingest = TelephonyIngest(
            link, book, bus=bus, writer=writer, database=database, clock=clock, agent_id_of=ids.get
        )
        desk: AgentDesk
        members = MemberSync(link.actions, lambda: desk.member_book())
        desk = AgentDesk(database, clock, bus, worker="pbx", policy=policy, follower=members)

        async def wrap_ups() -> dict[str, timedelta]:
            return {queue.name: queue.wrap_up for queue in QUEUES}

        feed = AgentFeed(desk, members, link.actions, ingest, wrap_ups, node="pbx1")
        ingest.add_sink(feed.sink, *feed.names)
        board = Board(
            database,
            clock,
            bus,
            open_calls=book.open_calls,
            link=lambda: ingest.status,
            devices=lambda: feed.devices,
        )
        works = (writer.run, ingest.run, members.run, feed.run, desk.run_follow, desk.run_timers, board.run)
        tasks = [asyncio.create_task(work()) for work in works]
        try:
            async with link, AsyncExitStack() as phones:
                await eventually(lambda: members.live, timeout=10)
                here = Centre(pbx, link, desk, members, board, ids, {}, phones)
                await here.plug_in_phones()
                yield here
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_shift_from_sign_in_to_sign_out(tmp_path: Path, runtime: Runtime, sqlite: Database) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        jing = here.ids["1001"]
        await here.desk.sign_in(jing)
        await here.member_becomes("repair", "free")
        await here.member_becomes("service", "free")
        assert await here.member("complaint") is None

        customer = await here.customer()
        call = await here.rings()
        await here.shows(AgentState.RINGING)
        # The board hears of the call and of the agent on two ways; both have arrived in a moment.
        await eventually(
            lambda: (
                [(c.state, c.queue, c.agent) for c in here.board.snapshot().calls]
                == [("ringing", "repair", "1001")]
            )
        )
        board = here.board.snapshot()
        assert not board.stale
        assert [q.waiting for q in board.queues if q.name == "repair"] == [1]

        await call.answer()
        await here.shows(AgentState.ON_CALL)
        await here.member_becomes("repair", "wrap-up")
        await eventually(lambda: [c.state for c in here.board.snapshot().calls] == ["talking"])
        (repair,) = [q for q in here.board.snapshot().queues if q.name == "repair"]
        assert (repair.waiting, repair.answered, repair.within, repair.service_level) == (0, 1, 1, 1.0)

        await customer.hang_up()
        await here.shows(AgentState.WRAP_UP)
        state = await here.desk.state(jing)
        assert state.wrap_up_call_id is not None
        await here.desk.pause(jing, "lunch")
        await here.desk.save_wrap_up(jing, state.wrap_up_call_id, disposition="repair_logged", notes="漏水")
        await here.shows(AgentState.PAUSED, reason="lunch")
        await here.member_becomes("repair", "lunch")

        await here.desk.sign_out(jing)
        await here.member_becomes("repair", None)
        await here.member_becomes("service", None)


async def test_the_next_caller_does_not_ring_into_the_wrap_up(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        await here.desk.sign_in(here.ids["1001"])
        await here.member_becomes("repair", "free")
        first = await here.customer()
        call = await here.rings()
        await call.answer()
        await here.member_becomes("repair", "wrap-up")
        second = await here.phones["1002"].dial("repair")
        await eventually(
            lambda: [q.waiting for q in here.board.snapshot().queues if q.name == "repair"] == [1]
        )
        await first.hang_up()
        await here.shows(AgentState.WRAP_UP)
        # Retry is one second: a member who could be rung would be rung by now.
        with pytest.raises(TimeoutError):
            await here.jing.rings(within=2.5)
        state = await here.desk.state(here.ids["1001"])
        assert state.wrap_up_call_id is not None
        await here.desk.save_wrap_up(here.ids["1001"], state.wrap_up_call_id, disposition="answered_enquiry")
        call = await here.rings()
        await call.answer()
        await here.shows(AgentState.ON_CALL)
        await second.hang_up()


async def test_asterisk_restarts_and_everyone_is_back(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        jing, wei = here.ids["1001"], here.ids["1002"]
        await here.desk.sign_in(jing)
        await here.desk.sign_in(wei)
        await here.desk.pause(wei, "training")
        await here.member_becomes("repair", "free")
        await here.member_becomes("repair", "training", number="1002")
        await here.customer()
        call = await here.rings()
        await call.answer()
        await here.shows(AgentState.ON_CALL)

        await here.pbx.server.stop()
        await eventually(lambda: here.board.snapshot().stale, timeout=10)
        # What is decided meanwhile is stored, and done when Asterisk is back.
        shown = await here.desk.pause(wei, "meeting")
        assert shown.stale
        await here.pbx.server.start()
        await eventually(lambda: here.members.live, timeout=20)
        await here.shows(AgentState.WRAP_UP)
        await here.member_becomes("repair", "wrap-up")
        await here.member_becomes("repair", "meeting", number="1002")
        assert here.board.snapshot().calls == ()

        state = await here.desk.state(jing)
        assert state.wrap_up_call_id is not None
        await here.desk.save_wrap_up(jing, state.wrap_up_call_id, disposition="customer_hung_up")
        await here.member_becomes("repair", "free")
        await here.member_becomes("service", "free")
        await here.plug_in_phones()
        await here.customer()
        await (await here.rings()).answer()
        await here.shows(AgentState.ON_CALL)


async def test_rejecting_is_no_offence_and_letting_it_ring_is(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    policy = AgentPolicy(no_answers_before_pause=1)
    async with running_centre(tmp_path, runtime, sqlite, policy=policy) as here:
        await here.desk.sign_in(here.ids["1001"])
        await here.member_becomes("repair", "free")
        customer = await here.customer()
        await (await here.rings()).reject(486)
        await here.shows(AgentState.AVAILABLE)
        await (await here.rings()).reject(603)
        await here.shows(AgentState.AVAILABLE)
        await here.rings()
        await here.shows(AgentState.RINGING)
        await here.shows(AgentState.PAUSED, reason="no_answer")
        await here.member_becomes("repair", "no_answer")
        await customer.hang_up()


async def test_the_next_agent_is_rung_and_the_caller_gives_up(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        for number in ("1001", "1002"):
            await here.desk.sign_in(here.ids[number])
            await here.member_becomes("repair", "free", number=number)
        customer = await here.customer()
        await here.rings("1001")
        await here.shows(AgentState.RINGING, "1001")
        await customer.hang_up()
        await here.shows(AgentState.AVAILABLE, "1001")
        await here.desk.pause(here.ids["1001"], "break")
        await here.member_becomes("repair", "break")
        customer = await here.customer()
        await here.rings("1002")
        await here.shows(AgentState.RINGING, "1002")
        await here.shows(AgentState.PAUSED, "1001", reason="break")
        await customer.hang_up()
        await here.shows(AgentState.AVAILABLE, "1002")

        def gave_up() -> bool:
            (repair,) = [q for q in here.board.snapshot().queues if q.name == "repair"]
            return (repair.offered, repair.answered, repair.abandoned) == (2, 0, 2)

        await eventually(gave_up)


async def test_internal_and_outgoing_calls_are_shown(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        for number in ("1001", "1002"):
            await here.desk.sign_in(here.ids[number])
        await here.desk.pause(here.ids["1001"], "outbound")
        call = await here.jing.dial("1002", wait=False)
        colleague = await here.rings("1002")
        await here.shows(AgentState.ON_CALL, "1001")
        await here.shows(AgentState.RINGING, "1002")
        await colleague.answer()
        await here.shows(AgentState.ON_CALL, "1002")
        state = await here.desk.state(here.ids["1001"])
        assert state.call_id is not None
        assert state.queue is None
        assert await here.desk.wrap_up(here.ids["1001"], state.call_id) is not None
        await call.hang_up()
        await here.shows(AgentState.PAUSED, "1001", reason="outbound")
        await here.shows(AgentState.AVAILABLE, "1002")


async def test_a_consulted_colleague_takes_the_call_over(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        jing, wei = here.ids["1001"], here.ids["1002"]
        await here.desk.sign_in(jing)
        await here.desk.sign_in(wei)
        await here.desk.pause(wei, "training")
        await here.member_becomes("repair", "free")
        customer = await here.customer()
        first = await here.rings()
        await first.answer()
        await here.shows(AgentState.ON_CALL)
        call_id = (await here.desk.state(jing)).call_id
        await first.hold()
        consultation = await here.jing.dial("1002", wait=False)
        second = await here.rings("1002")
        await second.answer()
        await here.shows(AgentState.ON_CALL, "1002")
        await consultation.until("answered")
        await first.transfer_to(consultation)
        await here.shows(AgentState.WRAP_UP, "1001")

        async def took_over() -> bool:
            found = await here.desk.state(wei)
            return found.state is AgentState.ON_CALL and found.call_id == call_id

        await eventually(took_over, what="the colleague talks in the customer's call")
        assert call_id is not None
        await here.desk.save_wrap_up(wei, call_id, disposition="passed_on")
        await here.desk.save_wrap_up(jing, call_id, disposition="passed_on")
        await customer.hang_up()
        await here.shows(AgentState.PAUSED, "1002", reason="training")
        await here.shows(AgentState.AVAILABLE, "1001")
        assert [c.call_id for c in here.board.snapshot().calls] == []


async def test_the_link_is_cut_while_the_agent_talks(
    tmp_path: Path, runtime: Runtime, sqlite: Database
) -> None:
    async with running_centre(tmp_path, runtime, sqlite) as here:
        await here.desk.sign_in(here.ids["1001"])
        await here.member_becomes("repair", "free")
        customer = await here.customer()
        await (await here.rings()).answer()
        await here.shows(AgentState.ON_CALL)
        before = await here.desk.state(here.ids["1001"])
        here.link.reset()
        await eventually(lambda: here.members.live, timeout=10)
        after = await here.desk.state(here.ids["1001"])
        assert (after.state, after.call_id, after.since) == (before.state, before.call_id, before.since)
        await customer.hang_up()
        await here.shows(AgentState.WRAP_UP)
