"""After a call that the agent ended, the customer says with two keys how it was; on a whole centre."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from app.sipp.phone import PhoneCall
from kernel.db import Database
from telephony.agent_tables import QueueRow
from telephony.call_ratings import Service
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from tests.support.centre import RunningCentre, running_centre
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

QUEUE, CALLER = "complaint", "13512340001"


async def ask_its_customers(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(update(QueueRow).where(QueueRow.name == QUEUE).values(rating=True))


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    async with running_centre(tmp_path, users=False, also=ask_its_customers) as found:
        yield found


async def presses(caller: PhoneCall, key: str) -> None:
    """Press a key when half a second of a question was heard."""
    heard = caller.ear.packets
    await eventually(lambda: caller.ear.packets > heard + 25, timeout=20, what="a question is heard")
    await caller.press(key)


async def call_of(centre: RunningCentre) -> str:
    assert centre.service.telephony is not None
    (call,) = centre.service.telephony.ingest.book.open_calls()
    assert re.fullmatch(r"[0-9A-Z]{26}", call.call_id)
    return call.call_id


async def test_the_customer_says_how_it_was_with_two_keys(centre: RunningCentre) -> None:
    agent_id = await centre.agent_id("1001")
    desk = centre.service.desk
    async with agent_phone(centre.pbx, "1001") as phone, customer(centre.pbx, number=CALLER) as caller:
        await desk.sign_in(agent_id)
        await choose(caller, "1")
        call = await phone.rings(within=20)
        await call.answer()

        async def talks() -> bool:
            return (await desk.state(agent_id)).state is AgentState.ON_CALL

        await eventually(talks, timeout=10, what="they talk")
        call_id = await call_of(centre)
        await call.hang_up()
        await presses(caller, "1")  # yes, they say how it was
        await presses(caller, "2")  # so-so
        await presses(caller, "1")  # the question was answered
        assert await caller.ended(within=30) == "far"

    async def kept() -> bool:
        stored = await CallHistory(centre.database).get(call_id)
        return stored.ended_at is not None

    await eventually(kept, timeout=20, what="the call is over")
    stored = await CallHistory(centre.database).get(call_id)
    assert stored.rating is not None
    assert (stored.rating.service, stored.rating.solved) == (Service.SO_SO, True)
    assert (stored.agent, stored.result, stored.queue) == ("1001", "ANSWERED", QUEUE)
    assert stored.hangup_by == "agent"
    assert stored.menu_path[-2:] == ("一般", "已解决")


async def test_who_does_not_want_to_be_asked_hangs_up_and_nothing_is_kept(centre: RunningCentre) -> None:
    agent_id = await centre.agent_id("1001")
    async with agent_phone(centre.pbx, "1001") as phone, customer(centre.pbx, number=CALLER) as caller:
        await centre.service.desk.sign_in(agent_id)
        await choose(caller, "1")
        call = await phone.rings(within=20)
        await call.answer()
        await eventually(lambda: call.up, timeout=10)
        call_id = await call_of(centre)
        await call.hang_up()
        heard = caller.ear.packets
        await eventually(lambda: caller.ear.packets > heard + 25, timeout=20, what="the invitation is heard")
        await caller.hang_up()

    async def over() -> bool:
        return (await CallHistory(centre.database).get(call_id)).ended_at is not None

    await eventually(over, timeout=20, what="the call is over")
    stored = await CallHistory(centre.database).get(call_id)
    # They leave the question, not the conversation: that was ended by the agent.
    assert (stored.rating, stored.hangup_by) == (None, "agent")
