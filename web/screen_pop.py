"""The screen-pop: follows the agents' calls on the bus and shows each agent theirs, before they pick up.

Who is calling is looked up when the call is offered, so that it is known when a phone rings. The call's own
facts never wait for the customer's: what a look-up finds within :data:`TOGETHER` goes out with them in one
message, what takes longer follows in a second one.

The events carry what a page shows. Its owners are asked only where they do not: for a page that opens, after
events were lost, for a call that did not ring here, and for what the agent wrote.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.errors import Conflict, Invalid
from kernel.events import Event
from kernel.phone import Phone
from telephony.agent_events import RosterChanged
from telephony.agent_views import WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.events import (
    AgentReserved,
    AgentRingEnded,
    AgentRinging,
    AgentStateChanged,
    CallAnswered,
    CallEnded,
    CallMerged,
    CallOpened,
    CallProgressed,
    HandChanged,
    LinkStateChanged,
)
from web.customer_lookup import CustomerLookup
from web.live_hub import LiveHub
from web.pop import (
    NONE_OF_THEM,
    Lookup,
    Notice,
    Phase,
    Pop,
    draft_payload,
    hand_payload,
    iso,
    notice_payload,
    pop_payload,
    state_payload,
)
from web.screen import (
    UNFINISHED_SHOWN,
    Calls,
    Desk,
    Due,
    Screen,
    ScreenReader,
    current,
    looked_up,
    unseen,
    with_call,
)

log = structlog.get_logger(__name__)

TOGETHER = timedelta(milliseconds=50)
HEARD: tuple[type[Event], ...] = (
    AgentReserved,
    AgentRinging,
    AgentRingEnded,
    AgentStateChanged,
    CallAnswered,
    CallEnded,
    CallMerged,
    CallOpened,
    CallProgressed,
    HandChanged,
    LinkStateChanged,
    RosterChanged,
)


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
        customers: CustomerLookup,
        together: timedelta = TOGETHER,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._hub = hub
        self._reader = ScreenReader(desk=desk, calls=calls, customers=customers, clock=clock)
        self._customers = customers
        self._together = together.total_seconds()
        self._screens: dict[str, Screen] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._link: str | None = None
        hub.provide("agent", self.snapshot)

    async def run(self) -> None:
        """Follow the bus until cancelled."""
        try:
            async with self._bus.subscribe(*HEARD, name="screen_pop", maxsize=5000) as events:
                # Whatever happened before the subscription, a restart after a crash included.
                self._resync()
                async for item in events:
                    if isinstance(item, Lagged):
                        self._resync()
                    else:
                        self._take(item)
        finally:
            for task in self._tasks:
                task.cancel()
            self._customers.close()

    # What pages ask for

    async def prepare(self, agent_id: str) -> None:
        """Have the agent's true screen in memory before a page connects to it."""
        await self._reader.read(self._screen(agent_id), fresh=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the events that draw an agent's whole screen."""
        screen = self._screen(topic.partition(":")[2])
        events: list[tuple[str, object]] = [("link", self._link_payload(screen))]
        if screen.state is not None:
            events.append(("state", state_payload(screen.state, screen.reserved)))
        events.append(("unfinished", [draft_payload(draft) for draft in screen.unfinished]))
        events.append(("pop", pop_payload(screen.pop)))
        events.append(("notice", notice_payload(screen.notice)))
        events.append(("hand", hand_payload(screen.hand)))
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
        return (pop.chosen or None) if pop is not None and self.shows(agent_id, call_id) else None

    def check_offered(self, agent_id: str, call_id: str, case_id: str) -> None:
        """Refuse to take a call for one about a case that the agent's page does not show beside it.

        Raises:
            Conflict: the call is not on the agent's page any more, or not a customer's.
            Invalid: the case is not an open one of who is calling.
        """
        pop = self._screen(agent_id).pop
        if pop is None or pop.call_id != call_id or pop.direction != "in":
            raise Conflict("this call is not on your page any more", field="call_id")
        if not pop.offers(case_id):
            raise Invalid("choose one of the open cases shown", field="case_id")

    def called_about(self, agent_id: str, call_id: str, case_id: str) -> None:
        """Show that the call is counted for a case."""
        screen = self._screen(agent_id)
        if screen.pop is not None and screen.pop.call_id == call_id and case_id not in screen.pop.about:
            self._show(screen, replace(screen.pop, about=(*screen.pop.about, case_id)))

    def shows(self, agent_id: str, call_id: str) -> bool:
        """Tell whether the call is on the agent's page."""
        pop = self._screen(agent_id).pop
        return pop is not None and pop.call_id == call_id

    def agents_on(self, call_id: str) -> list[str]:
        """Return the agents on whose page the call is."""
        return [screen.agent_id for screen, _ in self._on_call(call_id)]

    def call_of(self, agent_id: str) -> str | None:
        """Return the call on an agent's page."""
        pop = self._screen(agent_id).pop
        return pop.call_id if pop is not None else None

    def draft_kept(self, agent_id: str, call_id: str) -> None:
        """Take that the agent wrote about a call; of the one on the page, the form itself knows."""
        if not self.shows(agent_id, call_id):
            self._read_soon(self._screen(agent_id), Due.UNFINISHED)

    def wrap_up_saved(self, agent_id: str, saved: WrapUpView) -> None:
        """Take that a call has its disposition: it is finished, on the page or in the list below it."""
        screen = self._screen(agent_id)
        if screen.pop is not None and screen.pop.call_id == saved.call_id:
            screen.version += 1
            screen.pop = replace(screen.pop, draft=saved)
        screen.saved.append(saved.call_id)
        left = tuple(draft for draft in screen.unfinished if draft.call_id != saved.call_id)
        if len(screen.unfinished) >= UNFINISHED_SHOWN:
            self._read_soon(screen, Due.UNFINISHED)
        elif left != screen.unfinished:
            screen.unfinished = left
            self._publish_unfinished(screen)

    # Events

    def _take(self, event: Event) -> None:
        match event:
            case CallOpened():
                self._offered(event)
            case AgentRinging():
                self._ringing(event)
            case AgentRingEnded():
                self._ring_ended(event)
            case CallAnswered():
                self._answered(event)
            case CallEnded():
                self._customers.forget(event.call_id)
                for screen, pop in self._on_call(event.call_id):
                    if pop.phase is Phase.RINGING:
                        screen.over = event.call_id
                    self._show(screen, None if pop.phase is Phase.RINGING else pop.ended(event))
            case CallMerged():
                for screen, pop in self._on_call(event.call_id):
                    self._show(screen, replace(pop, call_id=event.into_call_id))
            case CallProgressed(kind="held" | "unheld"):
                for screen, pop in self._on_call(event.call_id):
                    self._show(screen, replace(pop, held_since=event.at if event.kind == "held" else None))
            case AgentStateChanged():
                self._state_changed(event)
            case AgentReserved(agent_id=str(agent_id)):
                self._reserved(event, self._screen(agent_id))
            case HandChanged(agent_id=str(agent_id)):
                screen = self._screen(agent_id)
                screen.hand = event
                self._hub.publish(screen.topic, "hand", hand_payload(event))
            case LinkStateChanged():
                self._link = event.state
                for screen in self._screens.values():
                    if event.state != "live":
                        screen.reserved = None  # whoever keeps them may be gone, and begins anew
                    if screen.state is not None:
                        screen.state = replace(screen.state, stale=event.state != "live")
                    self._hub.publish(screen.topic, "link", self._link_payload(screen))
            case RosterChanged():
                for screen in self._screens.values():
                    if not event.agent_ids or screen.agent_id in event.agent_ids:
                        self._read_soon(screen, Due.ALL)
            case _:
                pass

    def _offered(self, call: CallOpened) -> None:
        phone = Phone.parse_caller(call.from_number) if call.direction == "in" else None
        if phone is not None and self._hub.has_readers_of("agent"):
            self._customers.start(call.call_id, phone)

    def _ringing(self, ring: AgentRinging) -> None:
        screen = self._of(ring.agent_id)
        if screen is None:
            return
        screen.ring, screen.over = ring, None
        pop = Pop.of_ring(ring)
        phone = pop.phone
        if phone is None:
            lookup = Lookup.INTERNAL if pop.direction == "internal" else Lookup.UNKNOWN
            self._show(screen, replace(pop, lookup=lookup))
            return
        cards = self._customers.known(pop.call_id, phone)
        if cards is not None:
            self._show(screen, pop.with_customers(cards))
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
        screen.over = end.call_id
        ring = screen.ring
        if ring is not None and ring.call_id == end.call_id:
            number = ring.to_number if ring.direction == "out" else ring.from_number
            screen.notice = Notice(reason=end.reason, number=number, queue=ring.queue, at=end.at)
            screen.ring = None
        pop = screen.pop
        if pop is None or (pop.call_id == end.call_id and pop.phase is Phase.RINGING):
            self._show(screen, None)
            self._hub.publish(screen.topic, "notice", notice_payload(screen.notice))
            if screen.state is not None and with_call(screen.state, over=screen.over):
                self._read_soon(screen, Due.ALL)  # the ring hid the call that the agent is in

    def _answered(self, answer: CallAnswered) -> None:
        screen = self._of(answer.agent_id)
        if screen is None:
            return
        if screen.pop is None or screen.pop.call_id != answer.call_id:
            self._read_soon(screen, Due.ALL)
            return
        self._show(screen, screen.pop.answered(answer.answered_at, answer.wait_seconds))

    def _reserved(self, change: AgentReserved, screen: Screen) -> None:
        screen.reserved = (screen.reserved or change.at) if change.reserved else None
        if screen.state is not None and screen.state.state is AgentState.AVAILABLE:
            self._hub.publish(screen.topic, "state", state_payload(screen.state, screen.reserved))

    def _state_changed(self, change: AgentStateChanged) -> None:
        screen = self._screen(change.agent_id)
        known, before, now = screen.state, screen.pop, self._clock.now()
        if known is None or change.version < known.version:
            return  # not on any page yet, or older than what is known
        screen.version += 1
        screen.state = known.after(change)
        if screen.state != known:
            self._hub.publish(screen.topic, "state", state_payload(screen.state, screen.reserved))
        screen.met = change.call_id or screen.met
        if unseen(screen, before, screen.state, now=now):
            self._read_soon(screen, Due.ALL)
            return
        pop = current(screen, before, screen.state, now=now)
        self._show(screen, pop)
        if pop is not None and pop.phase is Phase.WRAP_UP and pop.draft is None:
            self._read_soon(screen, Due.DRAFT)
        elif pop is None and before is not None and before.phase is not Phase.RINGING:
            self._read_soon(screen, Due.UNFINISHED)

    # Showing

    def _show(self, screen: Screen, pop: Pop | None) -> None:
        screen.version += 1
        if pop is not None:
            screen.notice = None
        if pop != screen.pop:
            screen.pop = pop
            self._hub.publish(screen.topic, "pop", pop_payload(pop))

    async def _show_with_customers(self, screen: Screen, call_id: str, phone: Phone) -> None:
        lookup = self._customers.start(call_id, phone)
        done, _ = await asyncio.wait({lookup}, timeout=self._together)
        if not done and screen.pop is not None and screen.pop.call_id == call_id:
            self._hub.publish(screen.topic, "pop", pop_payload(screen.pop))
        cards = await asyncio.shield(lookup)
        if screen.pop is not None and screen.pop.call_id == call_id:
            self._show(screen, looked_up(screen.pop, cards))

    # The true state, read from its owners

    def _read_soon(self, screen: Screen, due: Due) -> None:
        """Read the truth soon and show it. Where nobody looks nothing is read: a page does it first."""
        if not self._hub.has_readers(screen.topic):
            return
        screen.due |= due
        if not screen.reading:
            screen.reading = True
            self._spawn(self._read_and_show(screen))

    async def _read_and_show(self, screen: Screen) -> None:
        try:
            while screen.due:
                due, screen.due = screen.due, Due.NOTHING
                if Due.ALL in due:
                    changed = await self._reader.read(screen)
                else:
                    changed = await self._reader.read_drafts(screen, due)
                if screen.state is not None and "state" in changed:
                    self._hub.publish(screen.topic, "state", state_payload(screen.state, screen.reserved))
                if "unfinished" in changed:
                    self._publish_unfinished(screen)
                if "pop" in changed:
                    self._hub.publish(screen.topic, "pop", pop_payload(screen.pop))
        except Exception as error:  # a border: the page keeps what it has, the next event tries again
            log.warning("screen_reload_failed", error=type(error).__name__)
        finally:
            screen.reading, screen.due = False, Due.NOTHING

    def _publish_unfinished(self, screen: Screen) -> None:
        drafts = [draft_payload(draft) for draft in screen.unfinished]
        self._hub.publish(screen.topic, "unfinished", drafts)

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
            self._read_soon(screen, Due.ALL)

    def _link_payload(self, screen: Screen) -> dict[str, Any]:
        stale = screen.state is not None and screen.state.stale
        return {"state": self._link or ("down" if stale else "live"), "as_of": iso(self._clock.now())}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
