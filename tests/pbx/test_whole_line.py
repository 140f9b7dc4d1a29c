"""The line works: trunk, menu, queue, agent, wrap-up, time line, on the whole running centre."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sipp.phone import answers
from crm.service import CustomerDirectory
from crm.timeline import Channel, Timeline, TimelineEntry
from kernel.access import Actor
from kernel.phone import Phone
from telephony.domain.agent_state import AgentState
from telephony.events import AgentRinging
from telephony.history import CallHistory
from telephony.views import CallFilter
from tests.support.centre import RunningCentre, running_centre
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    async with running_centre(tmp_path, users=False, centre={"hotline": "4008001234"}) as found:
        yield found


async def test_a_complaint_reaches_an_agent_and_the_customers_time_line(centre: RunningCentre) -> None:
    desk = centre.service.desk
    agent_id = await centre.agent_id("1001")
    bus = centre.service.base.bus
    assert centre.service.telephony is not None
    (card,) = await CustomerDirectory(centre.database).find_by_phone(Phone.parse("13800138001"))
    line, reader = Timeline(centre.database), Actor.system("test")

    async def calls() -> tuple[TimelineEntry, ...]:
        return (await line.page(reader, card.customer_id, channels=[Channel.CALL])).items

    before = len(await calls())
    async with (
        agent_phone(centre.pbx, "1001") as phone,
        bus.subscribe(AgentRinging, name="test") as rings,
        customer(centre.pbx, number="13800138001") as caller,
    ):
        await desk.sign_in(agent_id)
        await choose(caller, "1")
        ring = await phone.rings(within=20)
        rang = await rings.get()
        assert isinstance(rang, AgentRinging)
        assert (rang.agent_id, rang.from_number, rang.queue) == (agent_id, "+8613800138001", "complaint")
        assert rang.menu_path == ("投诉",)
        await ring.answer()

        async def talking() -> bool:
            return (await desk.state(agent_id)).state is AgentState.ON_CALL

        await eventually(talking)
        await caller.hang_up()

        async def wrapping_up() -> bool:
            return (await desk.state(agent_id)).state is AgentState.WRAP_UP

        await eventually(wrapping_up)
        await desk.save_wrap_up(agent_id, rang.call_id, disposition="complaint_logged", notes="漏水")

        async def available() -> bool:
            return (await desk.state(agent_id)).state is AgentState.AVAILABLE

        await eventually(available)

    async def on_the_time_line() -> bool:
        line = await calls()
        return len(line) == before + 1 and line[0].notes == "漏水" and line[0].result == "ANSWERED"

    await eventually(on_the_time_line, timeout=10)


async def test_a_call_that_nobody_of_us_saw_is_in_the_history(centre: RunningCentre) -> None:
    agent_id = await centre.agent_id("1001")
    calls = CallHistory(centre.database)
    async with agent_phone(centre.pbx, "1001", answers()) as phone:
        await centre.service.desk.sign_in(agent_id)
        await eventually(lambda: member_of(centre, "1001"), timeout=10)
        await centre.stop_service()
        async with customer(centre.pbx, number="13800138002") as caller:
            # The dialplan alone: a word of apology, then whoever is in the default queue.
            ring = await phone.rings(within=20)
            # The caller was connected before, to hear the word of apology: the agent's answer is what counts.
            await ring.until("talking", within=10)
            await caller.hang_up()
        await centre.restart_service()

    async def recorded() -> bool:
        page = await calls.page(CallFilter(number="+8613800138002"))
        return [(call.result, call.agent, call.queue, call.hangup_by) for call in page.items] == [
            ("ANSWERED", "1001", "service", "caller")
        ]

    await eventually(recorded, timeout=10)


def member_of(centre: RunningCentre, number: str) -> bool:
    assert centre.service.telephony is not None
    return bool(centre.service.telephony.members.actual(number))
