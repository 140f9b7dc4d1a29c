"""Who keeps their place in the queue is called before whoever came later, on the whole running centre."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.sipp.phone import AgentPhone, PhoneCall
from callback_campaigns.domain.queue_place import PlaceState
from callback_campaigns.queue_place_tables import QueuePlaceRow
from kernel.business_time import SHANGHAI
from kernel.clock import SystemClock
from kernel.supervise import end_tasks
from telephony.domain.agent_state import AgentState
from tests.support.centre import RunningCentre, running_centre
from tests.support.dialling import ShiftedClock
from tests.support.sipp import agent_phone, choose, customer, outside_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

FIRST, KEEPS, LATER = "13800138001", "13512340001", "13512340002"
QUEUE = "complaint"


def an_afternoon() -> ShiftedClock:
    """Customers who asked for a call are called from 8:30 to 20:30; tests run at any hour."""
    tomorrow = SystemClock().now().astimezone(SHANGHAI).date() + timedelta(days=1)
    return ShiftedClock(datetime.combine(tomorrow, time(15), SHANGHAI).astimezone(UTC))


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    async with running_centre(
        tmp_path, users=False, clock=an_afternoon(), centre={"hotline": "4008001234", "wrap_up_seconds": 600}
    ) as found:
        yield found


async def waiting(centre: RunningCentre) -> int:
    assert centre.service.telephony is not None
    queues = centre.service.telephony.board.snapshot().queues
    return sum(one.waiting for one in queues if one.name == QUEUE)


async def place(centre: RunningCentre) -> QueuePlaceRow | None:
    async with centre.database.session() as session:
        return (await session.scalars(select(QueuePlaceRow))).one_or_none()


async def is_in_state(centre: RunningCentre, agent_id: str, state: AgentState) -> bool:
    return (await centre.service.desk.state(agent_id)).state is state


async def joins(centre: RunningCentre, caller: PhoneCall, *, as_number: int) -> None:
    await choose(caller, "1")

    async def in_line() -> bool:
        return await waiting(centre) == as_number

    await eventually(in_line, timeout=20, what=f"caller {as_number} waits")


async def keeps_the_place(centre: RunningCentre, caller: PhoneCall) -> None:
    """Press the key while waiting, and confirm the number."""
    await caller.press("1")

    async def asked() -> bool:
        return await waiting(centre) == 0

    await eventually(asked, timeout=10, what="the caller has left the queue for the question")
    packets = caller.ear.packets
    await eventually(lambda: caller.ear.packets > packets + 100, what="two seconds of the question")
    await caller.press("1")
    assert await caller.ended(within=40) == "far"
    row = await place(centre)
    assert row is not None
    assert (row.state, row.number, row.queue) == (PlaceState.WAITING.value, "+86" + KEEPS, QUEUE)


@contextlib.asynccontextmanager
async def talking(centre: RunningCentre, phone: AgentPhone, agent_id: str) -> AsyncIterator[None]:
    """The only agent has a customer; somebody keeps their place meanwhile. The customer goes at the end."""
    async with customer(centre.pbx, number=FIRST) as first:
        await choose(first, "1")
        call = await phone.rings(within=20)
        await call.answer()
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.ON_CALL), timeout=10)
        async with customer(centre.pbx, number=KEEPS) as keeps:
            await joins(centre, keeps, as_number=1)
            await keeps_the_place(centre, keeps)
        yield
        await first.hang_up()


@contextlib.asynccontextmanager
async def seen_on_the_board(centre: RunningCentre, number: str) -> AsyncIterator[list[str]]:
    """Collect what a supervisor sees of an agent, every state once per time."""
    assert centre.service.telephony is not None
    board, seen = centre.service.telephony.board, list[str]()

    async def look() -> None:
        while True:
            (state,) = [one.state for one in board.snapshot().agents if one.number == number]
            if seen[-1:] != [state]:
                seen.append(state)
            await asyncio.sleep(0.01)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        assert await end_tasks([looking]) == ()


async def wraps_up(centre: RunningCentre, agent_id: str) -> None:
    """The agent says what became of the last call, and is free."""
    desk = centre.service.desk
    await eventually(lambda: is_in_state(centre, agent_id, AgentState.WRAP_UP), timeout=20)
    call_id = (await desk.state(agent_id)).call_id
    assert call_id is not None
    await desk.save_wrap_up(agent_id, call_id, disposition="complaint_logged")


async def the_place_is_called_first(
    centre: RunningCentre, phone: AgentPhone, agent_id: str, network: AgentPhone
) -> None:
    """The agent is free: their telephone rings for the place, then the customer's, only then the line's."""
    ring = await phone.rings(within=30)
    await ring.answer()
    called = await network.rings(within=20)
    assert await waiting(centre) == 1, "whoever came later waits still"
    await called.answer()
    await eventually(lambda: ring.up and called.up, timeout=10)

    async def talked() -> bool:
        row = await place(centre)
        return row is not None and row.state == PlaceState.CALLING.value and await waiting(centre) == 1

    await eventually(talked, what="they talk")
    await called.hang_up()
    await ring.ended(within=10)

    async def over() -> bool:
        row = await place(centre)
        return row is not None and row.state == PlaceState.TALKED.value

    await eventually(over, timeout=20, what="the place is over")
    await wraps_up(centre, agent_id)
    later = await phone.rings(within=30)
    await later.answer()
    await eventually(lambda: is_in_state(centre, agent_id, AgentState.ON_CALL), timeout=10)
    assert await waiting(centre) == 0


async def test_a_kept_place_goes_before_whoever_came_later(centre: RunningCentre) -> None:
    agent_id = await centre.agent_id("1001")
    async with (
        agent_phone(centre.pbx, "1001") as phone,
        outside_phone(centre.pbx, KEEPS) as network,
        contextlib.AsyncExitStack() as line,
    ):
        await centre.service.desk.sign_in(agent_id)
        async with talking(centre, phone, agent_id):
            later = await line.enter_async_context(customer(centre.pbx, number=LATER))
            await joins(centre, later, as_number=1)
        async with seen_on_the_board(centre, "1001") as seen:
            await wraps_up(centre, agent_id)
            await the_place_is_called_first(centre, phone, agent_id, network)
        after = seen[seen.index("wrap_up") :]
        assert after[:4] == ["wrap_up", "reserved", "ringing", "on_call"]


async def test_a_service_that_is_started_anew_lets_nobody_pass(centre: RunningCentre) -> None:
    """It is away while the customer hangs up, and the agent is free as soon as it is there again."""
    agent_id = await centre.agent_id("1001")
    async with (
        agent_phone(centre.pbx, "1001") as phone,
        outside_phone(centre.pbx, KEEPS) as network,
        contextlib.AsyncExitStack() as line,
    ):
        await centre.service.desk.sign_in(agent_id)
        async with talking(centre, phone, agent_id):
            later = await line.enter_async_context(customer(centre.pbx, number=LATER))
            await joins(centre, later, as_number=1)
            await centre.stop_service()
        await centre.restart_service()
        await wraps_up(centre, agent_id)
        await the_place_is_called_first(centre, phone, agent_id, network)
