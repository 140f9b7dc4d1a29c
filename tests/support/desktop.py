"""The screen-pop service with fakes around it and one page that reads."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from crm.views import CustomerCard
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.errors import Unavailable
from kernel.phone import Phone
from telephony.agent_events import RosterChanged
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.events import (
    AgentRingEnded,
    AgentStateChanged,
    CallAnswered,
    CallOpened,
)
from telephony.views import CallView
from tests.support.waiting import eventually
from tests.support.web import agent_snapshot, call_view, customer_card
from tests.unit.web.test_pop import ring
from web.customer_lookup import CustomerLookup
from web.live_hub import Connection, LiveHub
from web.screen_pop import ScreenPops

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
