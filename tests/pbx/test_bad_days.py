"""The service, the link or Asterisk fails while people are talking (architecture.md §7)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from telephony.views import CallView
from tests.support.days import CALLER, SOON, Day, at_work, beginning, over, talking, waiting
from tests.support.sipp import customer
from tests.support.staff import in_state, leave
from tests.support.waiting import eventually

# One centre for all of them: each day ends with nobody on the line and everybody signed out.
pytestmark = [pytest.mark.pbx, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Day]:
    async with beginning(tmp_path_factory.mktemp("days")) as day:
        yield day


@pytest_asyncio.fixture(loop_scope="module")
async def day(shared: Day) -> AsyncIterator[Day]:
    yield shared
    await over(shared)


# -- our service ----------------------------------------------------------------------------------------


async def test_the_service_is_started_again_during_a_conversation(day: Day) -> None:
    async with talking(day) as (caller, _, call_id):
        await day.centre.stop_service()
        assert await day.centre.pbx.channels()
        await day.centre.restart_service()
        assert (await day.call_is("talking")).call_id == call_id
        await in_state(day.centre, "1001", AgentState.ON_CALL, timeout=SOON)
        await caller.hang_up()
        call = await day.stored(call_id)
        assert (call.result, call.hangup_by, call.agent) == ("ANSWERED", "caller", "1001")
        assert call.menu_path == ("人工服务",)
        await day.saves()


async def test_a_conversation_ends_while_the_service_is_away(day: Day) -> None:
    async with talking(day) as (caller, _, call_id):
        await day.centre.stop_service()
        await caller.hang_up()
        await eventually(day.centre.pbx.idle, interval=0.1)
        await day.centre.restart_service()
        call = await day.stored(call_id)
        assert (call.result, call.agent) == ("ANSWERED", "1001")
        assert call.talk_seconds > 0
        await day.saves()


async def test_the_service_is_started_again_while_somebody_waits(day: Day) -> None:
    async with waiting(day) as caller:
        call_id = (await day.call_is("queued")).call_id
        await day.centre.stop_service()
        await day.centre.restart_service()
        assert (await day.call_is("queued")).call_id == call_id
        async with at_work(day) as phone:
            call = await phone.rings(within=10)
            await call.answer()
            await day.call_is("talking")
            await call.hang_up()
            await caller.ended()
            found = await day.stored(call_id)
            assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "agent", "1001")
            assert found.wait_seconds is not None
            await day.saves()


async def test_who_called_and_left_while_the_service_was_away_is_in_the_history(day: Day) -> None:
    history = CallHistory(day.centre.database)
    before = {call.call_id for call in (await history.page(limit=200)).items}
    await day.centre.stop_service()
    async with customer(day.centre.pbx, number=CALLER) as caller:
        # Nobody answers FastAGI: the dialplan's own apology, then the queue.
        await caller.until("answered", within=10)
        await eventually(lambda: caller.ear.packets > 50)
        await caller.hang_up()
    await eventually(day.centre.pbx.idle, interval=0.1)
    await day.centre.restart_service()

    async def told() -> list[CallView]:
        return [call for call in (await history.page()).items if call.call_id not in before]

    (call,) = await eventually(told, timeout=SOON)
    assert (call.state, call.direction, call.from_number) == ("ended", "in", f"+86{CALLER}")


# -- Asterisk -------------------------------------------------------------------------------------------


async def test_asterisk_is_started_again_with_calls_up(day: Day) -> None:
    async with talking(day) as (_, _, call_id), at_work(day, "1002") as phone:
        await day.centre.pbx.restart()
        await day.centre.service.wait_live()
        call = await day.stored(call_id)
        assert (call.result, call.end_reason, call.agent) == ("ANSWERED", "pbx_restart", "1001")
        # Nobody does anything, and both are members again: one free, one with a wrap-up to save.
        await day.works("1002")
        await day.saves("1001")
        await leave(day.centre, "1001")
        # Asterisk still knows where the other one's telephone is.
        async with waiting(day) as caller:
            ring = await phone.rings(within=10)
            await ring.answer()
            call_id = (await day.call_is("talking")).call_id
            await caller.hang_up()
            assert (await day.stored(call_id)).result == "ANSWERED"
            await day.saves("1002")


# -- the link to the PBX --------------------------------------------------------------------------------


async def test_the_link_is_cut_while_a_telephone_rings_and_the_caller_leaves(day: Day) -> None:
    async with at_work(day) as phone, waiting(day) as caller:
        call = await phone.rings(within=10)
        call_id = (await day.call_is("ringing")).call_id
        day.wire.shut()
        await eventually(lambda: not day.followed())
        await caller.hang_up()
        assert await call.ended() == "cancelled"
        day.wire.reopen()
        await day.centre.service.wait_live()
        found = await day.stored(call_id)
        assert found.result in ("ABANDONED_SHORT", "ABANDONED_QUEUE")
        await day.works("1001")


async def test_the_link_is_cut_while_a_telephone_rings_and_the_agent_answers(day: Day) -> None:
    async with at_work(day) as phone, waiting(day) as caller:
        call = await phone.rings(within=10)
        call_id = (await day.call_is("ringing")).call_id
        day.wire.shut()
        await call.answer()
        day.wire.reopen()
        await day.centre.service.wait_live()
        assert (await day.call_is("talking")).call_id == call_id
        await in_state(day.centre, "1001", AgentState.ON_CALL, timeout=SOON)
        await caller.hang_up()
        found = await day.stored(call_id)
        assert (found.result, found.hangup_by, found.agent) == ("ANSWERED", "caller", "1001")
        await day.saves()


async def test_the_link_is_cut_and_the_conversation_ends_in_the_gap(day: Day) -> None:
    async with talking(day) as (caller, call, call_id):
        day.wire.shut()
        await caller.hang_up()
        await call.ended()
        await eventually(day.centre.pbx.idle, interval=0.1)
        day.wire.reopen()
        await day.centre.service.wait_live()
        found = await day.stored(call_id)
        assert (found.result, found.agent) == ("ANSWERED", "1001")
        await day.saves()


async def test_the_link_is_half_open(day: Day) -> None:
    async with talking(day) as (caller, _, call_id):
        day.wire.freeze()
        await caller.hang_up()
        await eventually(lambda: not day.followed(), timeout=10)
        day.wire.cut()
        day.wire.thaw()
        await day.centre.service.wait_live()
        assert (await day.stored(call_id)).result == "ANSWERED"
        await day.saves()
