"""The screen-pop: follows the agents' calls on the bus and shows each agent theirs, before they pick up.

The call's own facts never wait for the customer's: what the look-up finds within :data:`TOGETHER` goes out
with them in one message, what takes longer follows in a second one.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

import structlog
from prometheus_client import Counter, Histogram

from crm.views import CustomerCard
from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.events import Event
from kernel.phone import Phone
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.events import (
    AgentRingEnded,
    AgentRinging,
    AgentStateChanged,
    CallAnswered,
    CallEnded,
    CallMerged,
    LinkStateChanged,
)
from telephony.views import CallView
from web.live_hub import LiveHub
from web.pop import (
    NONE_OF_THEM,
    Lookup,
    Notice,
    Phase,
    Pop,
    draft_payload,
    iso,
    notice_payload,
    pop_payload,
    state_payload,
)

log = structlog.get_logger(__name__)

TOGETHER = timedelta(milliseconds=50)
LOOKUP_TIMEOUT = timedelta(seconds=2)
LOOKUPS_AT_ONCE = 16
RELOAD_TRIES = 5
UNFINISHED_SHOWN = 8

LOOKUP_SECONDS = Histogram(
    "huifang_screen_pop_lookup_seconds",
    "Time to find the customers of a ringing call",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
LOOKUP_FAILURES = Counter("huifang_screen_pop_lookup_failures_total", "Look-ups that failed or took too long")

_PHASES = {
    AgentState.RINGING: Phase.RINGING,
    AgentState.ON_CALL: Phase.TALKING,
    AgentState.WRAP_UP: Phase.WRAP_UP,
}


class Desk(Protocol):
    """What the screen-pop asks of ``telephony.service.AgentDesk``."""

    async def state(self, agent_id: str) -> AgentSnapshot:
        """Return the agent now."""
        ...

    async def wrap_up(self, agent_id: str, call_id: str) -> WrapUpView | None:
        """Return what the agent wrote about a call they took."""
        ...

    async def unsaved_wrap_ups(self, agent_id: str, *, limit: int = 20) -> tuple[WrapUpView, ...]:
        """Return the agent's finished calls without disposition, newest first."""
        ...


class Calls(Protocol):
    """What it asks of ``telephony.history.CallHistory``."""

    async def get(self, call_id: str) -> CallView:
        """Return one call."""
        ...


class Customers(Protocol):
    """What it asks of ``crm.service.CustomerDirectory``."""

    async def find_by_phone(self, phone: Phone) -> tuple[CustomerCard, ...]:
        """Return everybody on a number."""
        ...


@dataclass(slots=True)
class Screen:
    """All that one agent's page shows. ``version`` counts the events that touched it."""

    agent_id: str
    state: AgentSnapshot | None = None
    pop: Pop | None = None
    notice: Notice | None = None
    ring: AgentRinging | None = None
    unfinished: tuple[WrapUpView, ...] = ()
    version: int = 0

    @property
    def topic(self) -> str:
        """Where its messages go."""
        return f"agent:{self.agent_id}"


class ScreenPops:
    """Keeps the screens of all agents and pushes their changes to the hub."""

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        hub: LiveHub,
        desk: Desk,
        calls: Calls,
        customers: Customers,
        together: timedelta = TOGETHER,
        lookup_timeout: timedelta = LOOKUP_TIMEOUT,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._hub = hub
        self._desk = desk
        self._calls = calls
        self._customers = customers
        self._together = together.total_seconds()
        self._lookup_timeout = lookup_timeout.total_seconds()
        self._lookup_slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._screens: dict[str, Screen] = {}
        self._lookups: dict[str, asyncio.Task[tuple[CustomerCard, ...] | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._link = "live"
        hub.provide("agent", self.snapshot)

    async def run(self) -> None:
        """Follow the bus until cancelled."""
        types = (
            AgentRinging,
            AgentRingEnded,
            AgentStateChanged,
            CallAnswered,
            CallEnded,
            CallMerged,
            LinkStateChanged,
        )
        try:
            async with self._bus.subscribe(*types, name="screen_pop", maxsize=5000) as events:
                # Whatever happened before the subscription, a restart after a crash included.
                self._resync()
                async for item in events:
                    if isinstance(item, Lagged):
                        self._resync()
                    else:
                        self._take(item)
        finally:
            for task in (*self._tasks, *self._lookups.values()):
                task.cancel()

    # What pages ask for

    async def prepare(self, agent_id: str) -> None:
        """Have the agent's true screen in memory before a page connects to it."""
        await self._reload(self._screen(agent_id))

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the events that draw an agent's whole screen."""
        screen = self._screen(topic.partition(":")[2])
        events: list[tuple[str, object]] = [("link", self._link_payload())]
        if screen.state is not None:
            events.append(("state", state_payload(screen.state)))
        events.append(("unfinished", [draft_payload(draft) for draft in screen.unfinished]))
        events.append(("pop", pop_payload(screen.pop)))
        events.append(("notice", notice_payload(screen.notice)))
        return events

    def choose(self, agent_id: str, call_id: str, customer_id: str | None) -> None:
        """Note which customer is calling: one of those offered, nobody of them (``""``), or undecided.

        Raises:
            Conflict: the call is not on the agent's page any more.
            Invalid: the customer is not among those offered.
        """
        screen = self._screen(agent_id)
        if screen.pop is None or screen.pop.call_id != call_id:
            raise Conflict("this call is not on your page any more", field="call_id")
        offered = {card.customer_id for card in screen.pop.customers} | {NONE_OF_THEM, None}
        if customer_id not in offered:
            raise Invalid("choose one of the customers shown", field="customer_id")
        self._show(screen, replace(screen.pop, chosen=customer_id))

    def chosen(self, agent_id: str, call_id: str) -> str | None:
        """Return the customer of the call on the agent's page, ``None`` where it is nobody's or not there."""
        pop = self._screen(agent_id).pop
        return (pop.chosen or None) if pop is not None and pop.call_id == call_id else None

    async def drafts_changed(self, agent_id: str) -> None:
        """Read the agent's unsaved drafts again and show them."""
        screen = self._screen(agent_id)
        screen.unfinished = await self._desk.unsaved_wrap_ups(agent_id, limit=UNFINISHED_SHOWN)
        self._hub.publish(screen.topic, "unfinished", [draft_payload(draft) for draft in screen.unfinished])

    # Events

    def _take(self, event: Event) -> None:
        match event:
            case AgentRinging():
                self._ringing(event)
            case AgentRingEnded():
                self._ring_ended(event)
            case CallAnswered():
                self._answered(event)
            case CallEnded():
                for screen, pop in self._on_call(event.call_id):
                    self._show(screen, None if pop.phase is Phase.RINGING else pop.ended(event))
            case CallMerged():
                for screen, pop in self._on_call(event.call_id):
                    self._show(screen, replace(pop, call_id=event.into_call_id))
            case AgentStateChanged():
                self._state_changed(event)
            case LinkStateChanged():
                self._link = event.state
                for screen in self._screens.values():
                    self._hub.publish(screen.topic, "link", self._link_payload())
            case _:
                pass

    def _ringing(self, ring: AgentRinging) -> None:
        screen = self._of(ring.agent_id)
        if screen is None:
            return
        screen.ring = ring
        pop = Pop.of_ring(ring)
        phone = pop.phone
        if phone is None:
            lookup = Lookup.INTERNAL if pop.direction == "internal" else Lookup.UNKNOWN
            self._show(screen, replace(pop, lookup=lookup))
            return
        screen.pop = pop
        screen.version += 1
        # Nobody looks: the page that comes later makes its own look-up in prepare().
        if self._hub.has_readers(screen.topic):
            self._spawn(self._show_with_customers(screen, pop.call_id, phone))

    def _ring_ended(self, end: AgentRingEnded) -> None:
        screen = self._of(end.agent_id)
        if screen is None or end.reason == "answered":
            return
        ring = screen.ring
        if ring is not None and ring.call_id == end.call_id:
            number = ring.to_number if ring.direction == "out" else ring.from_number
            screen.notice = Notice(reason=end.reason, number=number, queue=ring.queue, at=end.at)
            screen.ring = None
        pop = screen.pop
        if pop is None or (pop.call_id == end.call_id and pop.phase is Phase.RINGING):
            self._show(screen, None)
            self._hub.publish(screen.topic, "notice", notice_payload(screen.notice))

    def _answered(self, answer: CallAnswered) -> None:
        screen = self._of(answer.agent_id)
        if screen is None:
            return
        if screen.pop is None or screen.pop.call_id != answer.call_id:
            self._spawn(self._reload_and_show(screen))
            return
        self._show(screen, screen.pop.answered(answer.answered_at, answer.wait_seconds))

    def _state_changed(self, change: AgentStateChanged) -> None:
        screen = self._of(change.agent_id)
        if screen is None:
            return
        screen.version += 1
        state = AgentState(change.state)
        known = screen.state
        if known is not None and (known.state, known.since, known.reason) != (
            state,
            change.since,
            change.reason,
        ):
            screen.state = replace(
                known,
                state=state,
                reason=change.reason,
                since=change.since,
                call_id=change.call_id,
                next_state=None,
                next_reason=None,
            )
            self._hub.publish(screen.topic, "state", state_payload(screen.state))
        pop = screen.pop
        if state not in _PHASES:
            if pop is not None:
                self._show(screen, None)
        elif pop is not None and pop.call_id == change.call_id and state is AgentState.ON_CALL:
            self._show(screen, pop.answered(change.since, None))
        # What the event does not carry: the queues, what comes next, the end of the wrap-up, drafts.
        self._spawn(self._reload_and_show(screen))

    # Showing

    def _show(self, screen: Screen, pop: Pop | None) -> None:
        screen.version += 1
        if pop is not None:
            screen.notice = None
        if pop != screen.pop:
            screen.pop = pop
            self._hub.publish(screen.topic, "pop", pop_payload(pop))

    async def _show_with_customers(self, screen: Screen, call_id: str, phone: Phone) -> None:
        lookup = self._lookup(call_id, phone)
        done, _ = await asyncio.wait({lookup}, timeout=self._together)
        if not done and screen.pop is not None and screen.pop.call_id == call_id:
            self._hub.publish(screen.topic, "pop", pop_payload(screen.pop))
        cards = await asyncio.shield(lookup)
        if screen.pop is not None and screen.pop.call_id == call_id:
            self._show(screen, _looked_up(screen.pop, cards))

    def _lookup(self, call_id: str, phone: Phone) -> asyncio.Task[tuple[CustomerCard, ...] | None]:
        """Return the running look-up for the call: several phones may ring for it at once."""
        running = self._lookups.get(call_id)
        if running is None:
            running = self._lookups[call_id] = asyncio.create_task(self._find(phone))
            running.add_done_callback(lambda _: self._lookups.pop(call_id, None))
        return running

    async def _find(self, phone: Phone) -> tuple[CustomerCard, ...] | None:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._lookup_timeout), self._lookup_slots:
                cards = await self._customers.find_by_phone(phone)
        except Exception as error:  # a border: the pop goes on without the customer
            LOOKUP_FAILURES.inc()
            log.warning("screen_pop_lookup_failed", error=type(error).__name__)
            return None
        LOOKUP_SECONDS.observe(self._clock.monotonic() - started)
        return cards

    # The true state, read from its owners

    async def _reload_and_show(self, screen: Screen) -> None:
        before = (screen.state, screen.pop, screen.unfinished)
        try:
            await self._reload(screen)
        except Exception as error:  # a border: the page keeps what it has, the next event tries again
            log.warning("screen_reload_failed", error=type(error).__name__)
            return
        if screen.state is not None and screen.state != before[0]:
            self._hub.publish(screen.topic, "state", state_payload(screen.state))
        if screen.unfinished != before[2]:
            drafts = [draft_payload(draft) for draft in screen.unfinished]
            self._hub.publish(screen.topic, "unfinished", drafts)
        if screen.pop != before[1]:
            self._hub.publish(screen.topic, "pop", pop_payload(screen.pop))

    async def _reload(self, screen: Screen) -> None:
        """Read the agent, the call and the drafts. Events that come meanwhile win: then it reads again."""
        for _ in range(RELOAD_TRIES):
            version = screen.version
            state = await self._desk.state(screen.agent_id)
            unfinished = await self._desk.unsaved_wrap_ups(screen.agent_id, limit=UNFINISHED_SHOWN)
            pop = await self._true_pop(screen, state)
            if screen.version == version:
                screen.state, screen.pop, screen.unfinished = state, pop, unfinished
                return

    async def _true_pop(self, screen: Screen, agent: AgentSnapshot) -> Pop | None:
        phase = _PHASES.get(agent.state)
        if phase is None or agent.call_id is None:
            return None
        pop = screen.pop
        if pop is None or pop.call_id != agent.call_id:
            call = await self._calls.get(agent.call_id)
            pop = Pop.of_call(call, phase, now=self._clock.now())
        if pop.lookup is Lookup.PENDING:
            phone = pop.phone
            if pop.direction == "internal":
                pop = replace(pop, lookup=Lookup.INTERNAL)
            else:
                cards = await asyncio.shield(self._lookup(pop.call_id, phone)) if phone else ()
                pop = _looked_up(pop, cards)
        if phase is Phase.TALKING:
            pop = pop.answered(agent.since, None)
        if phase is Phase.WRAP_UP:
            until = agent.wrap_up_until
            pop = replace(
                pop,
                phase=phase,
                ended_at=pop.ended_at or agent.since,
                wrap_up_until=until,
                wrap_up=until - agent.since if until else None,
            )
        if phase is not Phase.RINGING and pop.draft is None:
            pop = replace(pop, draft=await self._desk.wrap_up(agent.agent_id, pop.call_id))
        return pop

    # Housekeeping

    def _screen(self, agent_id: str) -> Screen:
        return self._screens.setdefault(agent_id, Screen(agent_id))

    def _of(self, agent_id: str | None) -> Screen | None:
        return self._screen(agent_id) if agent_id else None

    def _on_call(self, call_id: str) -> list[tuple[Screen, Pop]]:
        return [
            (screen, screen.pop)
            for screen in self._screens.values()
            if screen.pop is not None and screen.pop.call_id == call_id
        ]

    def _resync(self) -> None:
        for screen in self._screens.values():
            self._spawn(self._reload_and_show(screen))

    def _link_payload(self) -> dict[str, Any]:
        return {"state": self._link, "as_of": iso(self._clock.now())}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _looked_up(pop: Pop, cards: tuple[CustomerCard, ...] | None) -> Pop:
    return replace(pop, lookup=Lookup.FAILED) if cards is None else pop.with_customers(cards)
