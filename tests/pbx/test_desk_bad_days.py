"""Bad days at the desk, on a real Asterisk: a new start with twenty at work; both hang up in one moment."""

import asyncio
from pathlib import Path

import pytest

from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.domain.agent_state import AgentState
from telephony.history import CallHistory
from telephony.roster import Roster
from tests.support.centre import RunningCentre, running_centre
from tests.support.pbx import HOTLINE
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

MORE = [str(number) for number in range(2001, 2017)]
QUEUE = "complaint"
ROUNDS = 6


async def _sixteen_more(database: Database) -> None:
    roster = Roster(database, SystemClock(), Bus())
    for number in MORE:
        agent_id = await roster.put_agent(number=number, name=f"坐席{number}", sip_password="a" * 16)
        await roster.set_memberships(agent_id, {QUEUE: 1})


async def members(centre: RunningCentre) -> dict[str, str]:
    """Return agent number → ``free`` or why they are paused, as Asterisk has its members."""
    shown = await centre.pbx.cli(f"queue show {QUEUE}")
    found = {}
    for line in shown.splitlines():
        _, _, rest = line.strip().partition("(PJSIP/")
        if rest:
            reason = rest.partition("(paused:")[2].partition(" was")[0] or "free"
            found[rest.partition(")")[0]] = reason
    return found


async def test_asterisk_starts_anew_with_twenty_signed_in(tmp_path: Path) -> None:
    async with running_centre(
        tmp_path, users=False, also=_sixteen_more, centre={"hotline": HOTLINE, "wrap_up_seconds": 600}
    ) as centre:
        desk = centre.service.desk
        ids = {one.number: one.agent_id for one in await desk.states()}
        working = ["1001", "1002", "1003", "1004", *MORE]
        assert len(working) == 20
        for number in working:
            await desk.sign_in(ids[number])
        for number in MORE[:5]:
            await desk.pause(ids[number], "lunch")

        async def as_they_are() -> bool:
            found = await members(centre)
            free = sum(state == "free" for state in found.values())
            return (len(found), free) == (20, 15)

        await eventually(as_they_are, timeout=20, what="twenty are members, five of them paused")
        async with agent_phone(centre.pbx, "1001") as phone:
            async with customer(centre.pbx, number="13800138001") as caller:
                await choose(caller, "1")
                await (await phone.rings(within=20)).answer()
                await _is(centre, ids["1001"], AgentState.ON_CALL)
                await centre.pbx.server.stop()
            # Somebody changes their mind while there is no telephone system.
            await desk.pause(ids["2010"], "meeting")
            await centre.pbx.server.start()
        await _is(centre, ids["1001"], AgentState.WRAP_UP)

        async def back() -> bool:
            found = await members(centre)
            paused = [number for number, state in found.items() if state != "free"]
            return len(found) == 20 and sorted(paused) == ["1001", *MORE[:5], "2010"]

        await eventually(back, timeout=40, what="everybody is as they were, and the newly paused are paused")
        states = {one.number: one.state for one in await desk.states()}
        assert {number: states[number] for number in working} == {
            **dict.fromkeys(working, AgentState.AVAILABLE),
            **dict.fromkeys([*MORE[:5], "2010"], AgentState.PAUSED),
            "1001": AgentState.WRAP_UP,
        }
        # The one who was in a call is not stuck: the call is over, and after the outcome they are free.
        state = await desk.state(ids["1001"])
        assert state.wrap_up_call_id is not None
        await desk.save_wrap_up(ids["1001"], state.wrap_up_call_id, disposition="customer_hung_up")

        async def free() -> bool:
            return (await members(centre)).get("1001") == "free"

        await eventually(free, timeout=20, what="free again")


async def _is(centre: RunningCentre, agent_id: str, state: AgentState) -> None:
    async def so() -> bool:
        return (await centre.service.desk.state(agent_id)).state is state

    await eventually(so, timeout=20, what=f"the agent is {state.value}")


async def test_both_hang_up_in_one_moment(tmp_path: Path) -> None:
    async with running_centre(tmp_path, users=False, centre={"hotline": HOTLINE}) as centre:
        desk, agent_id = centre.service.desk, await centre.agent_id("1001")
        await desk.sign_in(agent_id)
        history = CallHistory(centre.database)
        async with agent_phone(centre.pbx, "1001") as phone:
            for number in range(1, ROUNDS + 1):
                async with customer(centre.pbx, number="13800138001") as caller:
                    await choose(caller, "1")
                    ring = await phone.rings(within=20)
                    await ring.answer()
                    await _is(centre, agent_id, AgentState.ON_CALL)
                    await asyncio.gather(ring.hang_up(), caller.hang_up(), return_exceptions=True)
                await _is(centre, agent_id, AgentState.WRAP_UP)
                wrapped = (await desk.state(agent_id)).wrap_up_call_id
                assert wrapped is not None
                await desk.save_wrap_up(agent_id, wrapped, disposition="customer_hung_up")
                await _is(centre, agent_id, AgentState.AVAILABLE)

                async def over(number: int = number) -> bool:
                    calls = (await history.page()).items
                    return len(calls) == number and all(one.state == "ended" for one in calls)

                await eventually(over, timeout=20, what=f"{number} calls, each over")
        calls = (await history.page()).items
        assert {(one.result, one.agent) for one in calls} == {("ANSWERED", "1001")}
        assert {one.hangup_by for one in calls} <= {"caller", "agent"}
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
