"""What a page is told when news come late, twice, out of order or not at all."""

from dataclasses import replace

import pytest

from telephony.domain.agent_state import AgentState
from telephony.domain.queue import Membership
from telephony.events import (
    AgentReserved,
    CallMerged,
    CallProgressed,
    LinkStateChanged,
)
from tests.support.desktop import CALL, OTHER, Desktop
from tests.support.waiting import eventually
from tests.support.web import call_view
from tests.unit.web.test_pop import written

pytestmark = pytest.mark.unit


async def test_a_change_is_shown_from_what_is_told_without_asking_the_desk(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    asked = desktop.desk.asked
    desktop.change(AgentState.ON_CALL, queue="complaint", next_state=AgentState.PAUSED, next_reason="lunch")
    state = await desktop.until("state")
    assert (state["state"], state["next_state"], state["next_reason"]) == ("on_call", "paused", "lunch")
    assert (state["queues"], state["version"]) == (["complaint", "repair"], 4)
    assert desktop.desk.asked == asked
    assert desktop.pops._screen("a").state == desktop.desk.agent


async def test_a_change_that_is_older_than_what_is_shown_is_dropped(desktop: Desktop) -> None:
    await desktop.open()
    desktop.change(AgentState.PAUSED, None, reason="lunch")
    assert (await desktop.until("state"))["state"] == "paused"
    late = replace(desktop.desk.agent, state=AgentState.AVAILABLE, reason=None, version=3)
    desktop.desk.agent, now = late, desktop.desk.agent
    desktop.tell()
    desktop.desk.agent = now
    desktop.change(AgentState.AVAILABLE, None, reason=None)
    assert (await desktop.until("state"))["version"] == 5


async def test_other_queues_are_shown_when_somebody_gave_them_to_the_agent(desktop: Desktop) -> None:
    await desktop.open()
    desktop.desk.agent = replace(desktop.desk.agent, queues=(Membership("service"),))
    desktop.edit_roster()
    assert (await desktop.until("state"))["queues"] == ["service"]


async def test_a_desk_that_does_not_know_of_the_ring_yet_does_not_take_it_away(desktop: Desktop) -> None:
    await desktop.open()
    desktop.pass_time(1)
    desktop.desk.gate.clear()
    # The desk is asked because of this, and answers only after the phone has begun to ring.
    desktop.edit_roster()
    await eventually(lambda: desktop.reading)
    desktop.pass_time(1)
    desktop.ring()
    assert (await desktop.until("pop"))["phase"] == "ringing"
    desktop.desk.gate.set()
    assert "pop" not in [name for name, _ in await desktop.told(0.1)]
    assert dict(desktop.pops.snapshot("agent:a"))["pop"] is not None


async def test_a_desk_that_is_still_with_the_call_before_does_not_bring_it_back(desktop: Desktop) -> None:
    desktop.change(AgentState.ON_CALL)
    await desktop.open()
    desktop.pass_time(60)
    desktop.ring(call_id=OTHER)
    assert (await desktop.until("pop"))["phase"] == "ringing"
    # Told late: what the desk says is older than the ring.
    desktop.tell()
    desktop.desk.gate.clear()
    desktop.edit_roster()
    await eventually(lambda: desktop.reading)
    desktop.desk.gate.set()
    await eventually(lambda: not desktop.reading)
    assert desktop.shown == OTHER


async def test_news_of_the_call_before_does_not_hide_a_ring_that_the_desk_has_not_met(
    desktop: Desktop,
) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    desktop.pass_time(1)
    desktop.change(AgentState.AVAILABLE, None)
    await desktop.until("state")
    assert desktop.shown == CALL
    desktop.change(AgentState.RINGING)
    desktop.change(AgentState.AVAILABLE, None)
    assert await desktop.until("pop") is None


async def test_a_second_ring_that_ends_leaves_the_call_that_the_agent_is_in(desktop: Desktop) -> None:
    desktop.change(AgentState.ON_CALL, OTHER)
    desktop.calls.calls[OTHER] = call_view(OTHER)
    await desktop.open()
    desktop.pass_time(60)
    desktop.ring()
    assert (await desktop.until("pop"))["phase"] == "ringing"
    desktop.stop_ringing()
    assert await desktop.until("pop") is None
    assert (await desktop.until("pop"))["call_id"] == OTHER


async def test_a_desk_that_has_not_heard_of_the_end_does_not_bring_the_ring_back(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    desktop.change(AgentState.RINGING)
    desktop.stop_ringing()
    assert await desktop.until("pop") is None
    desktop.change(AgentState.RINGING)
    await desktop.told(0.1)
    assert dict(desktop.pops.snapshot("agent:a"))["pop"] is None


async def test_a_transfer_that_never_rang_here_is_drawn_from_the_record(desktop: Desktop) -> None:
    await desktop.open()
    desktop.change(AgentState.ON_CALL)
    desktop.answer()
    pop = await desktop.until("pop")
    assert (pop["phase"], pop["lookup"], pop["number"]) == ("talking", "found", "138 0013 8000")


async def test_a_page_opened_in_the_middle_of_a_call_shows_it(desktop: Desktop) -> None:
    desktop.desk.agent = replace(desktop.desk.agent, state=AgentState.ON_CALL, call_id=CALL)
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="写到一半")
    snapshot = await desktop.open()
    assert snapshot["pop"]["phase"] == "talking"
    assert snapshot["pop"]["draft"]["notes"] == "写到一半"
    assert snapshot["state"]["state"] == "on_call"


async def test_a_reload_reads_the_draft_again(desktop: Desktop) -> None:
    desktop.desk.agent = replace(desktop.desk.agent, state=AgentState.ON_CALL, call_id=CALL)
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="一")
    await desktop.open()
    desktop.desk.drafts[CALL] = written(agent_id="a", draft_notes="一二")
    assert (await desktop.open())["pop"]["draft"]["notes"] == "一二"


async def test_a_merged_call_goes_on_under_its_new_id(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    merged = CallMerged(at=desktop.clock.now(), call_id=CALL, into_call_id=OTHER, node="pbx1")
    desktop.bus.publish(merged)
    assert (await desktop.until("pop"))["call_id"] == OTHER


async def test_the_link_to_the_pbx_is_shown_when_it_breaks_and_when_it_is_back(desktop: Desktop) -> None:
    assert (await desktop.open())["link"]["state"] == "live"
    for state in ("down", "live"):
        desktop.bus.publish(LinkStateChanged(at=desktop.clock.now(), node="pbx1", state=state))
        assert (await desktop.until("link"))["state"] == state


async def test_who_is_kept_for_a_customer_sees_it_while_free(desktop: Desktop) -> None:
    await desktop.open()

    def keep(reserved: bool) -> None:
        desktop.bus.publish(
            AgentReserved(
                at=desktop.clock.now(), node="pbx1", agent_number="1001", agent_id="a", reserved=reserved
            )
        )

    keep(True)
    assert (await desktop.until("state"))["state"] == "reserved"
    desktop.change(AgentState.RINGING)
    assert (await desktop.until("state"))["state"] == "ringing"
    desktop.change(AgentState.AVAILABLE, None)
    assert (await desktop.until("state"))["state"] == "reserved"
    keep(False)
    assert (await desktop.until("state"))["state"] == "available"
    keep(True)
    assert (await desktop.until("state"))["state"] == "reserved"
    # Whoever kept them may be gone with the link, and begins anew.
    desktop.bus.publish(LinkStateChanged(at=desktop.clock.now(), node="pbx1", state="connecting"))
    desktop.change(AgentState.AVAILABLE, None, reason=None)
    assert (await desktop.until("state"))["state"] == "available"


async def test_a_page_opened_during_an_outage_says_so(desktop: Desktop) -> None:
    desktop.desk.agent = replace(desktop.desk.agent, stale=True)
    assert (await desktop.open())["link"]["state"] == "down"


async def test_events_that_were_dropped_are_made_up_for(desktop: Desktop) -> None:
    await desktop.open()
    desktop.desk.agent = replace(
        desktop.desk.agent, state=AgentState.ON_CALL, call_id=CALL, since=desktop.clock.now()
    )
    for subscription in tuple(desktop.bus._subscriptions):
        subscription.mark_lagged()
    assert (await desktop.until("pop"))["phase"] == "talking"


async def test_a_database_that_is_away_leaves_the_page_as_it_is(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    await desktop.until("pop")
    desktop.desk.broken = True
    desktop.change(AgentState.RINGING)
    assert [name for name, _ in await desktop.told()] == ["state"]
    desktop.desk.broken = False
    desktop.answer()
    assert (await desktop.until("pop"))["phase"] == "talking"


async def test_1_14_a_held_caller_is_counted_until_the_agent_comes_back(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    desktop.answer()
    while (pop := await desktop.until("pop"))["phase"] != "talking":
        pass
    assert pop["held_since"] is None

    def progress(kind: str) -> None:
        now = desktop.clock.now()
        desktop.bus.publish(
            CallProgressed(at=now, call_id=CALL, node="pbx1", seq=9, kind=kind, state="talking")
        )

    desktop.pass_time(30)
    progress("held")
    while (await desktop.until("pop"))["held_since"] is None:
        pass
    progress("unheld")
    while (await desktop.until("pop"))["held_since"] is not None:
        pass
