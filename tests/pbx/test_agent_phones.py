"""The dialplan from the agents' side: queue, rejection, hold, transfers, internal and outgoing calls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.runtime import Runtime
from app.sipp import SippFailed
from app.sipp.phone import AgentPhone, PhoneCall, answers, rejects
from telephony.agi.session import AgiSession
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import agent_phone, customer, outside_phone, sign_in
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


async def to_service(agi: AgiSession) -> None:
    await to_queue(agi, "service")


@pytest.fixture
async def pbx(tmp_path: Path, runtime: Runtime) -> AsyncIterator[Pbx]:
    """A centre whose menu sends every caller to the queue service."""
    routes = {"flow": to_service, "after-queue": hang_up_after_queue}
    async with running_pbx(tmp_path, runtime=runtime) as started, agi_routes(started.config.agi_port, routes):
        yield started
        await eventually(started.idle, what="every call is over")
        assert started.log("ERROR") == []


@contextlib.asynccontextmanager
async def conversation(pbx: Pbx, agent: AgentPhone) -> AsyncIterator[tuple[PhoneCall, PhoneCall]]:
    """A customer and an agent who speak with each other: (customer's side, agent's side)."""
    await sign_in(pbx, agent.number, "service")
    async with customer(pbx) as caller:
        call = await agent.rings()
        await call.answer()
        await both_hear(caller, call)
        yield caller, call


async def both_hear(one: PhoneCall, other: PhoneCall) -> None:
    """Audio arrives at both ends from now on."""
    before = one.ear.packets, other.ear.packets
    await eventually(lambda: one.ear.packets > before[0] + 5 and other.ear.packets > before[1] + 5)


async def test_a_queued_customer_is_answered_and_the_agent_hangs_up(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, conversation(pbx, agent) as (caller, call):
        assert call.caller == "13800138000"
        await call.hang_up()
        assert await caller.ended() == "far"


async def test_the_customer_hangs_up_first(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, conversation(pbx, agent) as (caller, call):
        await caller.hang_up()
        assert await call.ended() == "far"


async def test_the_customer_gives_up_while_the_agent_rings(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent:
        await sign_in(pbx, "1001", "service")
        async with customer(pbx) as caller:
            call = await agent.rings()
            await caller.hang_up()
            assert await call.ended() == "cancelled"


async def test_one_agent_rejects_and_the_next_answers(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001", rejects(603)) as first, agent_phone(pbx, "1002") as second:
        await sign_in(pbx, "1001", "service")
        async with customer(pbx) as caller:
            rejected = await first.rings()
            assert await rejected.ended() == "near"
            await sign_in(pbx, "1002", "service")
            await pbx.cli("queue pause member PJSIP/1001")
            call = await second.rings()
            await call.answer()
            await both_hear(caller, call)


async def test_one_agent_does_not_answer_and_the_next_does(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as first, agent_phone(pbx, "1002") as second:
        await sign_in(pbx, "1001", "service")
        async with customer(pbx) as caller:
            ignored = await first.rings()
            await sign_in(pbx, "1002", "service")
            call = await second.rings(within=10)
            assert await ignored.ended() == "cancelled"
            await call.answer()
            await both_hear(caller, call)


async def test_the_customer_hears_music_on_hold_and_the_agent_comes_back(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, conversation(pbx, agent) as (caller, call):
        await call.hold()
        heard = caller.ear.packets
        await eventually(lambda: caller.ear.packets > heard + 50)
        assert caller.ear.loudness() > 100
        await call.unhold()
        await both_hear(caller, call)


async def test_blind_transfer_to_a_colleague(pbx: Pbx) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002") as colleague,
        conversation(pbx, agent) as (caller, call),
    ):
        await call.transfer("1002")
        taken = await colleague.rings()
        await taken.answer()
        await both_hear(caller, taken)
        await call.ended()
        await taken.hang_up()
        assert await caller.ended() == "far"


async def test_blind_transfer_into_another_queue(pbx: Pbx) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1003") as repair,
        conversation(pbx, agent) as (caller, call),
    ):
        await sign_in(pbx, "1003", "repair")
        await call.transfer("repair")
        taken = await repair.rings()
        await taken.answer()
        await both_hear(caller, taken)


async def test_a_transfer_nobody_takes_brings_the_customer_back_to_the_queue(pbx: Pbx) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002", rejects(486)) as colleague,
        conversation(pbx, agent) as (caller, call),
    ):
        await call.transfer("1002")
        assert await (await colleague.rings()).ended() == "near"
        again = await agent.rings()
        await again.answer()
        await both_hear(caller, again)


async def test_attended_transfer(pbx: Pbx) -> None:
    async with (
        agent_phone(pbx, "1001") as agent,
        agent_phone(pbx, "1002", answers()) as colleague,
        conversation(pbx, agent) as (caller, call),
    ):
        await call.hold()
        asked = await agent.dial("1002")
        taken = await colleague.rings()
        await both_hear(asked, taken)
        await call.transfer_to(asked)
        await both_hear(caller, taken)
        await call.ended()
        assert await asked.ended() == "far"
        await caller.hang_up()
        assert await taken.ended() == "far"


async def test_internal_call_has_its_own_identity_and_direction(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, agent_phone(pbx, "1002", answers()) as colleague:
        call = await agent.dial("1002")
        taken = await colleague.rings()
        assert taken.caller == "1001"
        await both_hear(call, taken)
        channels = await pbx.channels()
        assert {await pbx.variable(name, "HF_DIR") for name in channels} == {"internal"}
        assert len({await pbx.variable(name, "HF_CALL") for name in channels}) == 1
        await call.hang_up()
        assert await taken.ended() == "far"


async def test_an_agent_calls_out_with_the_hotline_as_the_number_shown(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, outside_phone(pbx, "13900139000", answers()) as outside:
        call = await agent.dial("13900139000")
        taken = await outside.rings()
        assert taken.caller == pbx.config.hotline_number
        assert {await pbx.variable(name, "HF_DIR") for name in await pbx.channels()} == {"out"}
        await both_hear(call, taken)
        await call.hang_up()
        assert await taken.ended() == "far"


async def test_a_number_nobody_has_is_refused(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent, outside_phone(pbx, "13900139000", rejects(404)):
        with pytest.raises(SippFailed, match="refused"):
            await agent.dial("1999")
        with pytest.raises(SippFailed, match="refused"):
            await agent.dial("13900139000")


async def test_a_telephone_whose_address_another_one_has_says_so(pbx: Pbx) -> None:
    async with outside_phone(pbx, "13900139000") as first, outside_phone(pbx, "13900139001") as second:
        # Which of them has the address depends on who was quicker.
        waiting = [asyncio.create_task(one.rings(within=20)) for one in (first, second)]
        done, left = await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_EXCEPTION)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        (said,) = [str(task.exception()) for task in done if isinstance(task.exception(), SippFailed)]
        assert "does not listen at 127.0.0.2" in said


async def test_a_caller_who_claims_to_be_an_agent_is_only_a_caller(pbx: Pbx) -> None:
    async with agent_phone(pbx, "1001") as agent:
        await sign_in(pbx, "1001", "service")
        async with customer(pbx, number="1001", name="李静") as caller:
            await agent.rings()
            names = await pbx.channels()
            assert any(name.startswith("PJSIP/trunk-main-") for name in names)
            (theirs,) = (name for name in names if name.startswith("PJSIP/trunk-main-"))
            assert await pbx.variable(theirs, "HF_DIR") == "in"
            await caller.hang_up()


async def test_any_caller_number_reaches_the_trunk(pbx: Pbx) -> None:
    for number in ("anonymous", "+8613800138000", "00a'%3B%20DROP%20TABLE", "1" * 200):
        async with customer(pbx, number=number) as caller:
            await caller.until("answered")


async def test_a_stranger_and_a_wrong_password_are_refused(pbx: Pbx) -> None:
    wrong = agent_phone(pbx, "1001")
    wrong._secret = "guessed"
    with pytest.raises(SippFailed, match="cannot register"):
        await wrong.register()
    stranger = agent_phone(pbx, "1001")
    stranger.number = "1077"
    with pytest.raises(SippFailed, match="cannot register"):
        await stranger.register()
