"""A call from ring to wrap-up on the page, and the wrap-ups that are unfinished."""

import asyncio
from datetime import timedelta

import pytest

from telephony.domain.agent_state import AgentState
from tests.support.desktop import CALL, OTHER, Desktop
from tests.support.waiting import eventually
from tests.unit.web.test_pop import end, written

pytestmark = pytest.mark.unit


async def test_a_missed_ring_leaves_a_notice_until_the_next_call(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    desktop.stop_ringing()
    notice = await desktop.until("notice")
    assert (notice["reason"], notice["number"]) == ("no_answer", "138****8000")
    desktop.pass_time(1)
    desktop.ring()
    await desktop.until("pop")
    assert dict(desktop.pops.snapshot("agent:a"))["notice"] is None


async def test_ring_answer_hang_up_wrap_up_and_done(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    desktop.pass_time(3)
    desktop.answer()
    pop = await desktop.until("pop")
    assert (pop["phase"], pop["wait_seconds"]) == ("talking", 15.0)
    desktop.change(AgentState.ON_CALL)
    desktop.pass_time(75)
    desktop.desk.drafts[CALL] = written(agent_id="a")
    desktop.bus.publish(end())
    desktop.change(AgentState.WRAP_UP, wrap_up_until=desktop.clock.now() + timedelta(seconds=60))
    async with asyncio.timeout(20):
        while pop["wrap_up_until"] is None:
            pop = await desktop.until("pop")
    assert (pop["phase"], pop["talk_seconds"], pop["wrap_up_seconds"]) == ("wrap_up", 75.0, 60.0)
    desktop.pass_time(10)
    desktop.change(AgentState.AVAILABLE, None, wrap_up_until=None)
    assert await desktop.until("pop") is None


async def test_the_unfinished_wrap_up_of_a_timer_that_ran_out_is_offered_again(desktop: Desktop) -> None:
    desktop.change(AgentState.WRAP_UP)
    await desktop.open()
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="客户很急")
    desktop.pass_time(60)
    desktop.change(AgentState.AVAILABLE, None)
    unfinished = await desktop.until("unfinished")
    assert [item["notes"] for item in unfinished] == ["客户很急"]


async def test_a_saved_wrap_up_is_off_the_list_at_once(desktop: Desktop) -> None:
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="客户很急")
    assert [item["call_id"] for item in (await desktop.open())["unfinished"]] == [CALL]
    desktop.desk.drafts[CALL] = saved = written(agent_id="a", saved_at=desktop.clock.now())
    desktop.pops.wrap_up_saved("a", saved)
    assert await desktop.until("unfinished") == []


async def test_a_list_that_is_being_read_does_not_bring_a_saved_wrap_up_back(desktop: Desktop) -> None:
    desktop.desk.drafts = {key: written(agent_id="a", call_id=key) for key in (CALL, OTHER)}
    desktop.change(AgentState.WRAP_UP)
    await desktop.open()
    desktop.desk.gate.clear()
    desktop.pass_time(60)
    desktop.change(AgentState.AVAILABLE, None)
    await eventually(lambda: desktop.reading)
    desktop.pops.wrap_up_saved("a", written(agent_id="a", saved_at=desktop.clock.now()))
    assert [item["call_id"] for item in await desktop.until("unfinished")] == [OTHER]
    desktop.desk.gate.set()
    await eventually(lambda: not desktop.reading)
    assert "unfinished" not in [name for name, _ in await desktop.told(0.1)]


async def test_a_long_list_of_unfinished_wrap_ups_is_filled_up_again(desktop: Desktop) -> None:
    calls = [f"01JZZZZZZZZZZZZZZZZZZZZZ{number:02}" for number in range(10, 19)]
    desktop.desk.drafts = {call_id: written(agent_id="a", call_id=call_id) for call_id in calls}
    assert len((await desktop.open())["unfinished"]) == 8
    saved = desktop.desk.drafts[calls[0]] = written(
        agent_id="a", call_id=calls[0], saved_at=desktop.clock.now()
    )
    desktop.pops.wrap_up_saved("a", saved)
    assert [item["call_id"] for item in await desktop.until("unfinished")] == calls[1:]


async def test_what_was_saved_during_the_call_is_done_when_its_wrap_up_begins(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    desktop.change(AgentState.ON_CALL)
    await desktop.until("state")
    desktop.desk.drafts[CALL] = saved = written(agent_id="a", saved_at=desktop.clock.now())
    desktop.pops.wrap_up_saved("a", saved)
    desktop.change(AgentState.WRAP_UP)
    async with asyncio.timeout(20):
        while (pop := await desktop.until("pop"))["phase"] != "wrap_up":
            pass
    assert pop["wrap_up"] == "done"


async def test_a_draft_of_another_page_is_there_when_the_wrap_up_begins(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="写到一半")
    desktop.change(AgentState.WRAP_UP)
    async with asyncio.timeout(20):
        while not (pop := await desktop.until("pop"))["draft"]:
            pass
    assert (pop["phase"], pop["draft"]["notes"]) == ("wrap_up", "写到一半")
