"""An agent calls a number that a page shows, on a whole centre: whose telephone rings, and what follows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from callback_campaigns.domain.terms import Outcome
from callback_campaigns.masked_calls import AlreadyCalling
from callback_campaigns.number_calls import NotAtWork, PhoneAway
from callback_campaigns.number_targets import NumberKind, NumberTarget
from callback_campaigns.task_tables import DialAttemptRow
from crm.tables import CallbackRequest, Customer, CustomerPhone
from kernel.access import Actor, Role
from kernel.business_time import SHANGHAI
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.agent_tables import AgentStateLogRow
from telephony.domain.agent_state import AgentState
from telephony.tables import CallRow
from tests.support.centre import RunningCentre, running_centre
from tests.support.dialling import ShiftedClock
from tests.support.sip_capture import sip_capture
from tests.support.sipp import AUDIBLE, agent_phone, outside_phone
from tests.support.waiting import eventually
from web.tables import UserRow

pytestmark = pytest.mark.pbx

NUMBER, HOTLINE = "13512340001", "4008001234"


def an_afternoon() -> ShiftedClock:
    """Customers who asked for a call are called from 8:30 to 20:30; tests run at any hour."""
    tomorrow = SystemClock().now().astimezone(SHANGHAI).date() + timedelta(days=1)
    return ShiftedClock(datetime.combine(tomorrow, time(15), SHANGHAI).astimezone(UTC))


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[RunningCentre]:
    async with running_centre(
        tmp_path,
        clock=an_afternoon(),
        centre={"hotline": HOTLINE, "wrap_up_seconds": 600},
        pbx={"record_calls": True},
    ) as found:
        yield found


async def waits_for_a_call(database: Database) -> tuple[NumberTarget, str]:
    """Write down that a customer asked to be called; return the wish as its list names it, and them."""
    customer_id, wish_id, number = new_ulid(), new_ulid(), "+86" + NUMBER
    async with database.transaction() as session:
        session.add(Customer(id=customer_id, name="王建军", level="B", created_at=datetime.now(UTC)))
        await session.flush()
        session.add(CustomerPhone(customer_id=customer_id, e164=number, kind="mobile"))
        session.add(
            CallbackRequest(
                id=wish_id,
                e164=number,
                call_id=new_ulid(),
                reason="请求回电",
                requested_at=datetime.now(UTC),
                open_key=number,
            )
        )
    return NumberTarget(kind=NumberKind.CALLBACK, ref=wish_id), customer_id


async def an_agent(centre: RunningCentre) -> tuple[str, Actor]:
    agent_id = await centre.agent_id("1001")
    async with centre.database.session() as session:
        user = (await session.scalars(select(UserRow).where(UserRow.agent_id == agent_id))).one()
    return agent_id, Actor(user_id=user.user_id, name=user.display_name, role=Role(user.role))


async def is_in_state(centre: RunningCentre, agent_id: str, state: AgentState) -> bool:
    return (await centre.service.desk.state(agent_id)).state is state


async def outcome(centre: RunningCentre, attempt_id: str) -> str | None:
    async with centre.database.session() as session:
        return (await session.get_one(DialAttemptRow, attempt_id)).outcome


async def ends_as(centre: RunningCentre, attempt_id: str, wanted: Outcome) -> None:
    async def over() -> bool:
        return await outcome(centre, attempt_id) == wanted.value

    await eventually(over, timeout=30, what=f"the call ends as {wanted.value}")


async def test_the_agents_telephone_rings_then_the_customers_and_a_wrap_up_follows(
    centre: RunningCentre, tmp_path: Path
) -> None:
    agent_id, actor = await an_agent(centre)
    target, customer_id = await waits_for_a_call(centre.database)
    assert centre.service.dialler is not None
    numbers, desk = centre.service.dialler.numbers, centre.service.desk
    with pytest.raises(NotAtWork):
        await numbers.call_number(actor, target)
    await desk.sign_in(agent_id)
    await desk.pause(agent_id, "lunch")
    with pytest.raises(PhoneAway):
        await numbers.call_number(actor, target)
    async with (
        agent_phone(centre.pbx, "1001") as phone,
        outside_phone(centre.pbx, NUMBER) as network,
        sip_capture(centre.pbx, tmp_path / "sip.pcap") as said,
    ):
        made = await eventually_placed(centre, actor, target)
        own = await phone.rings(within=20)
        assert own.caller == HOTLINE
        with pytest.raises(AlreadyCalling):
            await numbers.call_number(actor, target)
        await own.answer()
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.ON_CALL), timeout=10)
        theirs = await network.rings(within=20)
        assert theirs.caller == HOTLINE
        await theirs.answer()
        # The notice that the call is recorded, then the agent.
        await eventually(lambda: theirs.ear.loudness() > AUDIBLE, timeout=20, what="the notice is heard")

        async def talking() -> bool:
            assert centre.service.telephony is not None
            call = centre.service.telephony.ingest.book.get(made)
            return call is not None and call.state == "talking" and len(call.live) == 2

        await eventually(talking, timeout=40, what="both are in one bridge")
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.ON_CALL), timeout=10)
        await theirs.hang_up()
        await own.ended(within=10)
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.WRAP_UP), timeout=20)
        await ends_as(centre, made, Outcome.ANSWERED)
        await desk.save_wrap_up(agent_id, made, disposition="complaint_logged")
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.PAUSED), timeout=10)
    asked = [one for one in said if one.first.startswith("INVITE sip:1001@")]
    assert any("answer-after=0" in one.header("Call-Info") for one in asked)
    assert not [one for one in asked if NUMBER in one.text]
    async with centre.database.session() as session:
        call = await session.get_one(CallRow, made)
        assert (call.direction, call.result, call.agent_number) == ("out", "ANSWERED", "1001")
        assert call.to_number == "+86" + NUMBER
        log = select(AgentStateLogRow.state).where(AgentStateLogRow.call_id == made)
        states = set(await session.scalars(log))
        assert {AgentState.ON_CALL.value, AgentState.WRAP_UP.value} <= states

    async def on_the_time_line() -> bool:
        async with centre.database.session() as session:
            return (await session.get_one(CallRow, made)).customer_id == customer_id

    await eventually(on_the_time_line, timeout=20, what="the call is the customer's")
    assert list((centre.settings.data_dir / "recordings").glob(f"{made}-*.wav"))


async def eventually_placed(centre: RunningCentre, actor: Actor, target: NumberTarget) -> str:
    """Place the call as soon as the agent's telephone is known to be there."""
    assert centre.service.dialler is not None
    numbers = centre.service.dialler.numbers
    reachable = numbers._exchange.reachable
    await eventually(lambda: reachable("1001"), timeout=20, what="the telephone is there")
    return (await numbers.call_number(actor, target)).attempt_id


async def test_who_is_busy_is_told_of_and_an_agent_who_declines_has_nobody_called(
    centre: RunningCentre,
) -> None:
    agent_id, actor = await an_agent(centre)
    target, _ = await waits_for_a_call(centre.database)
    await centre.service.desk.sign_in(agent_id)
    async with agent_phone(centre.pbx, "1001") as phone, outside_phone(centre.pbx, NUMBER) as network:
        declined = await eventually_placed(centre, actor, target)
        own = await phone.rings(within=20)
        await own.reject(603)
        await ends_as(centre, declined, Outcome.FAILED)
        made = await eventually_placed(centre, actor, target)
        own = await phone.rings(within=20)
        await own.answer()
        theirs = await network.rings(within=20)
        await theirs.reject(486)
        await eventually(lambda: own.ear.loudness() > AUDIBLE, timeout=20, what="the agent is told")
        assert await own.ended(within=30) == "far"
        await ends_as(centre, made, Outcome.BUSY)
        # Nobody was talked with: there is nothing to write about.
        await eventually(lambda: is_in_state(centre, agent_id, AgentState.AVAILABLE), timeout=10)
