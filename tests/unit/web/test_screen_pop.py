"""The screen-pop service against fakes: what a page is told, in which order, and what never happens."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crm.views import CustomerCard
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.errors import Conflict, Invalid, Unavailable
from kernel.phone import Phone
from telephony.agent_events import RosterChanged
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.domain.queue import Membership
from telephony.events import (
    AgentRingEnded,
    AgentStateChanged,
    CallAnswered,
    CallMerged,
    CallOpened,
    LinkStateChanged,
)
from telephony.views import CallView
from tests.support.waiting import eventually
from tests.support.web import agent_snapshot, call_view, customer_card
from tests.unit.web.test_pop import end, ring, written
from web.customer_lookup import CustomerLookup
from web.live_hub import Connection, LiveHub
from web.screen_pop import ScreenPops

pytestmark = pytest.mark.unit

CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"
OTHER = "01JZZZZZZZZZZZZZZZZZZZZZ02"
PHONE = Phone.parse("13800138000")


class Desk:
    """An agent whose state a test sets."""

    def __init__(self, agent: AgentSnapshot) -> None:
        self.agent = agent
        self.drafts: dict[str, WrapUpView] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.broken = False

    async def state(self, agent_id: str) -> AgentSnapshot:
        self.asked += 1
        seen = self.agent
        await self.gate.wait()
        if self.broken:
            raise Unavailable("the database does not answer")
        return seen

    async def wrap_up(self, agent_id: str, call_id: str) -> WrapUpView | None:
        return self.drafts.get(call_id)

    async def unsaved_wrap_ups(self, agent_id: str, *, limit: int = 20) -> tuple[WrapUpView, ...]:
        unsaved = tuple(draft for draft in self.drafts.values() if draft.saved_at is None)
        await self.gate.wait()
        return unsaved[:limit]


class Calls:
    """Calls by id."""

    def __init__(self) -> None:
        self.calls = {CALL: call_view(CALL)}

    async def get(self, call_id: str) -> CallView:
        return self.calls[call_id]


class Customers:
    """Customers whose look-up a test holds up or breaks."""

    def __init__(self) -> None:
        self.cards: tuple[CustomerCard, ...] = (customer_card("C1"),)
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.broken = False

    async def find_by_phone(self, phone: Phone) -> tuple[CustomerCard, ...]:
        self.asked += 1
        await self.gate.wait()
        if self.broken:
            raise RuntimeError("no such table")
        return self.cards


class Desktop:
    """The service, its fakes and one page that reads."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.bus = Bus()
        self.hub = LiveHub(clock)
        since = clock.now() - timedelta(minutes=5)
        self.desk = Desk(agent_snapshot(agent_id="a", since=since))
        self.calls = Calls()
        self.customers = Customers()
        self.lookup = CustomerLookup(self.customers, clock, timeout=timedelta(milliseconds=200), kept=3)
        self.pops = ScreenPops(
            bus=self.bus,
            clock=clock,
            hub=self.hub,
            desk=self.desk,
            calls=self.calls,
            customers=self.lookup,
            together=timedelta(milliseconds=30),
        )
        self.page: Connection | None = None
        self._unread: list[tuple[str, Any]] = []

    async def open(self) -> dict[str, Any]:
        """Open the page; return its snapshot as event → payload."""
        await self.pops.prepare("a")
        self.page = self.hub.open(("agent:a",), user_id="u")
        ((_, snapshot),) = await self.told()
        return dict(snapshot["events"])

    async def told(self, timeout: float = 2.0) -> list[tuple[str, Any]]:
        """What the page is told next."""
        if self._unread:
            unread, self._unread = self._unread, []
            return unread
        assert self.page is not None
        chunk = await self.page.next_chunk(timeout) or b""
        found = []
        for block in chunk.decode().strip().split("\n\n"):
            if block:
                fields = dict(line.split(": ", 1) for line in block.split("\n"))
                found.append((fields["event"], json.loads(fields["data"])))
        return found

    async def until(self, name: str, timeout: float = 2.0) -> Any:
        """Read on until an event of this name; return its payload."""
        async with asyncio.timeout(timeout):
            while True:
                told = await self.told(timeout)
                for place, (event, payload) in enumerate(told):
                    if event == name:
                        self._unread = told[place + 1 :]
                        return payload

    @property
    def shown(self) -> str | None:
        """The call a page that opens now would show."""
        pop = dict(self.pops.snapshot("agent:a"))["pop"]
        return pop["call_id"] if isinstance(pop, dict) else None

    @property
    def reading(self) -> bool:
        """Whether the service is still reading the true state."""
        return self.pops._screen("a").reading

    def change(self, state: AgentState, call_id: str | None = CALL, **facts: Any) -> None:
        """The desk's state changes and is told."""
        agent = self.desk.agent
        facts = {"call_id": call_id, "since": self.clock.now(), "version": agent.version + 1} | facts
        self.desk.agent = replace(agent, state=state, **facts)
        self.tell()

    def tell(self) -> None:
        """The desk tells how the agent is."""
        agent = self.desk.agent
        self.bus.publish(
            AgentStateChanged(
                at=self.clock.now(),
                agent_id="a",
                agent_number="1001",
                state=agent.state.value,
                reason=agent.reason,
                since=agent.since,
                call_id=agent.call_id,
                queue=agent.queue,
                next_state=agent.next_state.value if agent.next_state else None,
                next_reason=agent.next_reason,
                wrap_up_call_id=agent.wrap_up_call_id,
                wrap_up_until=agent.wrap_up_until,
                version=agent.version,
            )
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def edit_roster(self) -> None:
        """Somebody edits the agents: the desk is asked again."""
        self.bus.publish(RosterChanged(at=self.clock.now()))

    def offer(self, **facts: Any) -> None:
        """A call begins."""
        now = self.clock.now()
        call = CallOpened(
            at=now,
            call_id=CALL,
            node="pbx1",
            direction="in",
            from_number="+8613800138000",
            to_number="+861065551234",
            started_at=now,
        )
        self.bus.publish(replace(call, **facts))

    async def offered(self, **facts: Any) -> None:
        """A call begins, and its customers have been looked up."""
        self.offer(**facts)
        await eventually(lambda: self.lookup.known(CALL, PHONE) is not None)

    def ring(self, **facts: Any) -> None:
        now = self.clock.now()
        self.bus.publish(ring(at=now, queued_at=now - timedelta(seconds=12), **facts))

    def answer(self, call_id: str = CALL) -> None:
        now = self.clock.now()
        self.bus.publish(
            CallAnswered(
                at=now,
                call_id=call_id,
                node="pbx1",
                queue="complaint",
                agent_number="1001",
                agent_id="a",
                answered_at=now,
                wait_seconds=15.0,
            )
        )

    def stop_ringing(self, reason: str = "no_answer") -> None:
        self.bus.publish(
            AgentRingEnded(
                at=self.clock.now(),
                call_id=CALL,
                node="pbx1",
                agent_id="a",
                agent_number="1001",
                reason=reason,
                queue="complaint",
            )
        )


@pytest.fixture
async def desktop(clock: FakeClock) -> AsyncIterator[Desktop]:
    made = Desktop(clock)
    running = asyncio.create_task(made.pops.run())
    await asyncio.sleep(0)
    yield made
    running.cancel()
    await asyncio.wait({running})


async def test_a_quick_look_up_goes_out_with_the_call_in_one_message(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    ((name, pop),) = await desktop.told()
    assert name == "pop"
    assert (pop["phase"], pop["number"], pop["lookup"]) == ("ringing", "138 0013 8000", "found")
    assert pop["customers"][0]["name"] == "王建国"


async def test_a_customer_looked_up_when_the_call_began_is_there_at_the_ring(desktop: Desktop) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.customers.gate.clear()
    desktop.ring()
    ((name, pop),) = await desktop.told()
    assert (name, pop["phase"], pop["lookup"]) == ("pop", "ringing", "found")
    assert desktop.customers.asked == 1


async def test_a_look_up_that_runs_since_the_call_began_is_waited_for(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.offer()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.customers.gate.set()
    assert (await desktop.until("pop"))["lookup"] == "found"
    assert desktop.customers.asked == 1


async def test_what_was_found_too_long_before_the_ring_is_looked_up_again(desktop: Desktop) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.pass_time(31)
    desktop.customers.cards = (customer_card("C1", name="王小红"),)
    desktop.ring()
    assert (await desktop.until("pop"))["customers"][0]["name"] == "王小红"


async def test_a_look_up_that_failed_before_the_ring_is_made_again(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.broken = True
    desktop.offer()
    await eventually(lambda: desktop.customers.asked == 1)
    desktop.customers.broken = False
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "found"
    assert desktop.customers.asked == 2


async def test_customers_of_a_call_are_forgotten_with_it_and_of_many_calls_the_oldest(
    desktop: Desktop,
) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.bus.publish(end())
    await eventually(lambda: desktop.lookup.known(CALL, PHONE) is None)
    calls = [f"01JZZZZZZZZZZZZZZZZZZZZZ1{number}" for number in range(4)]
    for call_id in calls:
        assert await desktop.lookup.find(call_id, PHONE)
    known = [desktop.lookup.known(call_id, PHONE) is not None for call_id in calls]
    assert known == [False, True, True, True]
    assert desktop.lookup.known(calls[1], Phone.parse("13900139000")) is None


@pytest.mark.parametrize(
    "facts", [{"direction": "out"}, {"direction": "internal"}, {"from_number": "anonymous"}]
)
async def test_calls_that_nobody_known_can_have_begun_are_not_looked_up(
    desktop: Desktop, facts: dict[str, Any]
) -> None:
    await desktop.open()
    desktop.offer(**facts)
    await desktop.offered(call_id=CALL)
    assert desktop.customers.asked == 1


async def test_a_slow_look_up_never_holds_up_the_call(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.customers.gate.set()
    assert (await desktop.until("pop"))["lookup"] == "found"


@pytest.mark.parametrize("fault", ["broken", "silent"])
async def test_a_failed_look_up_says_so_and_the_call_is_there(desktop: Desktop, fault: str) -> None:
    await desktop.open()
    if fault == "silent":
        desktop.customers.gate.clear()
    desktop.customers.broken = True
    desktop.ring()
    pop = await desktop.until("pop")
    if pop["lookup"] == "pending":
        pop = await desktop.until("pop")
    assert (pop["lookup"], pop["number"]) == ("failed", "138 0013 8000")


async def test_a_caller_who_is_gone_before_the_look_up_stays_gone(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.stop_ringing("abandoned")
    assert await desktop.until("pop") is None
    desktop.customers.gate.set()
    assert [name for name, _ in await desktop.told(0.1)] in ([], ["notice"])
    assert dict(desktop.pops.snapshot("agent:a"))["pop"] is None


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


async def test_nobody_is_looked_up_while_no_page_is_open(desktop: Desktop) -> None:
    desktop.offer()
    desktop.ring()
    await eventually(lambda: dict(desktop.pops.snapshot("agent:a"))["pop"] is not None)
    assert desktop.customers.asked == 0
    desktop.desk.agent = replace(desktop.desk.agent, state=AgentState.RINGING, call_id=CALL)
    assert (await desktop.open())["pop"]["lookup"] == "found"


async def test_an_anonymous_caller_is_an_empty_form_at_once(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring(from_number="anonymous", caller_name="")
    pop = await desktop.until("pop")
    assert (pop["lookup"], pop["number"]) == ("unknown", "")
    assert desktop.customers.asked == 0


async def test_a_family_is_a_choice_and_only_those_offered_can_be_chosen(desktop: Desktop) -> None:
    desktop.customers.cards = (customer_card("C1"), customer_card("C2", name="王小红"))
    await desktop.open()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "several"
    with pytest.raises(Invalid):
        desktop.pops.choose("a", CALL, "C9")
    with pytest.raises(Conflict):
        desktop.pops.choose("a", "01JZZZZZZZZZZZZZZZZZZZZZ09", "C2")
    desktop.pops.choose("a", CALL, "C2")
    assert (await desktop.until("pop"))["chosen"] == "C2"
    assert desktop.pops.chosen("a", CALL) == "C2"
    desktop.pops.choose("a", CALL, "")
    assert desktop.pops.chosen("a", CALL) is None


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
