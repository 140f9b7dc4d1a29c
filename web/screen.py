"""One agent's screen, and how its true state is read from those who own it: desk, calls, customers."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Flag, auto
from functools import partial
from typing import Protocol

from kernel.clock import Clock
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.events import AgentRinging, HandChanged
from telephony.views import CallView
from web.customer_lookup import Cards, CustomerLookup
from web.pop import Lookup, Notice, Phase, Pop

READ_TRIES = 5
LONGEST_RING = timedelta(minutes=2)
UNFINISHED_SHOWN = 8

PHASES = {
    AgentState.RINGING: Phase.RINGING,
    AgentState.ON_CALL: Phase.TALKING,
    AgentState.WRAP_UP: Phase.WRAP_UP,
}
"""States in which there is a call on the screen."""


class Desk(Protocol):
    """What a screen asks of ``telephony.desk.AgentDesk``."""

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
    """What a screen asks of ``telephony.history.CallHistory``."""

    async def get(self, call_id: str) -> CallView:
        """Return one call."""
        ...


class Due(Flag):
    """What must be read for a screen."""

    NOTHING = 0
    DRAFT = auto()
    UNFINISHED = auto()
    ALL = auto()


@dataclass(slots=True)
class Screen:
    """All that one agent's page shows.

    Attributes:
        ring: the last ring, until it ended.
        hand: what the agent has in hand of a call, as it was told last.
        reserved: since when the queues are kept from ringing the agent, for a customer who is called back.
        over: the call whose ring ended here last; a desk that has not heard of it yet does not bring it back.
        met: the call that the desk last said the agent is with; of a ring on the page it may not know yet.
        saved: calls saved here a moment ago; a list that is being read may still have them.
        version: counts the events that touched the screen.
        due: what is to be read soon.
        reading: somebody reads, and goes on until nothing is due.
    """

    agent_id: str
    state: AgentSnapshot | None = None
    pop: Pop | None = None
    notice: Notice | None = None
    ring: AgentRinging | None = None
    hand: HandChanged | None = None
    reserved: datetime | None = None
    over: str | None = None
    met: str | None = None
    saved: deque[str] = field(default_factory=partial(deque[str], maxlen=UNFINISHED_SHOWN))
    unfinished: tuple[WrapUpView, ...] = ()
    version: int = 0
    due: Due = Due.NOTHING
    reading: bool = False

    @property
    def topic(self) -> str:
        """Where its messages go."""
        return f"agent:{self.agent_id}"


class ScreenReader:
    """Reads a screen from the services."""

    def __init__(self, *, desk: Desk, calls: Calls, customers: CustomerLookup, clock: Clock) -> None:
        self._desk = desk
        self._calls = calls
        self._customers = customers
        self._clock = clock

    async def read(self, screen: Screen, *, fresh: bool = False) -> frozenset[str]:
        """Read the agent, the call and the drafts; return which of ``state``, ``pop``, ``unfinished`` differ.

        Events that come meanwhile win: then it reads again.

        ``fresh``: also what has been read before and changes with every key pressed, the call's draft.

        Raises:
            HuifangError, SQLAlchemyError: a service could not answer; the screen is as it was.
        """
        for _ in range(READ_TRIES):
            version = screen.version
            state = await self._desk.state(screen.agent_id)
            known = screen.pop
            if known is not None and fresh:
                known = replace(known, draft=None)
            pop = await self._pop(screen, known, state)
            unfinished = screen.unfinished
            if pop is None or pop.phase is Phase.WRAP_UP:
                unfinished = await self._unfinished(screen)
            if screen.version == version:
                read = {"state": state, "pop": pop, "unfinished": unfinished}
                changed = frozenset(name for name, value in read.items() if getattr(screen, name) != value)
                screen.state, screen.pop, screen.unfinished = state, pop, unfinished
                screen.met = state.call_id or screen.met
                return changed
        return frozenset()

    async def read_drafts(self, screen: Screen, due: Due) -> frozenset[str]:
        """Read what the agent wrote about the call on the screen, or which calls want a disposition.

        Return which of ``pop``, ``unfinished`` differ; of a draft only what has something in it.

        Raises:
            HuifangError, SQLAlchemyError: a service could not answer; the screen is as it was.
        """
        changed = set()
        pop = screen.pop
        if Due.DRAFT in due and pop is not None:
            draft = await self._desk.wrap_up(screen.agent_id, pop.call_id)
            pop = screen.pop
            if draft is not None and not draft.blank and pop is not None and pop.call_id == draft.call_id:
                screen.pop = replace(pop, draft=draft)
                changed |= {"pop"} if screen.pop != pop else set()
        if Due.UNFINISHED in due:
            unfinished = await self._unfinished(screen)
            changed |= {"unfinished"} if screen.unfinished != unfinished else set()
            screen.unfinished = unfinished
        return frozenset(changed)

    async def _unfinished(self, screen: Screen) -> tuple[WrapUpView, ...]:
        """Return the calls that still want a disposition."""
        found = await self._desk.unsaved_wrap_ups(screen.agent_id, limit=UNFINISHED_SHOWN)
        return tuple(draft for draft in found if draft.call_id not in screen.saved)

    async def _pop(self, screen: Screen, pop: Pop | None, agent: AgentSnapshot) -> Pop | None:
        now = self._clock.now()
        if unseen(screen, pop, agent, now=now):
            pop = Pop.of_call(await self._calls.get(agent.call_id or ""), PHASES[agent.state], now=now)
        pop = current(screen, pop, agent, now=now)
        if pop is None or pop.call_id != agent.call_id:
            return pop
        if pop.lookup is Lookup.PENDING:
            pop = await self._with_customers(pop)
        if pop.phase is not Phase.RINGING and pop.draft is None:
            pop = replace(pop, draft=await self._desk.wrap_up(agent.agent_id, pop.call_id))
        return pop

    async def _with_customers(self, pop: Pop) -> Pop:
        if pop.direction == "internal":
            return replace(pop, lookup=Lookup.INTERNAL)
        phone = pop.phone
        if phone is None:
            return replace(pop, lookup=Lookup.UNKNOWN)
        return looked_up(pop, await self._customers.find(pop.call_id, phone))


def with_call(agent: AgentSnapshot, *, over: str | None) -> bool:
    """Tell whether the agent is with a call; a ring that has ended here (``over``) is none."""
    if agent.call_id is None or agent.state not in PHASES:
        return False
    return agent.state is not AgentState.RINGING or agent.call_id != over


def unseen(screen: Screen, pop: Pop | None, agent: AgentSnapshot, *, now: datetime) -> bool:
    """Tell whether the agent is with a call that the pop is not of and that nothing here has told of."""
    if not with_call(agent, over=screen.over) or (pop is not None and pop.call_id == agent.call_id):
        return False
    return not predates(screen, agent, pop, now=now)


def current(screen: Screen, pop: Pop | None, agent: AgentSnapshot, *, now: datetime) -> Pop | None:
    """Return what the pop becomes with the agent's state; ``None`` when its call is the agent's no more."""
    if pop is None:
        return None
    if not with_call(agent, over=screen.over) or pop.call_id != agent.call_id:
        gone = pop.call_id == agent.call_id or not predates(screen, agent, pop, now=now)
        return None if gone else pop
    if agent.state is AgentState.ON_CALL:
        return pop.answered(agent.since, None)
    if agent.state is AgentState.WRAP_UP:
        return pop.wrapping_up(agent.since, agent.wrap_up_until)
    return pop


def predates(screen: Screen, agent: AgentSnapshot, pop: Pop | None, *, now: datetime) -> bool:
    """Tell whether a state without a call, or with another one, is older news than the pop.

    The call's events and the agent's travel on two ways: the ring is here before the desk knows of it, and
    meanwhile the desk may tell what the agent did with the call before.
    """
    if pop is None or now - pop.ringing_at >= LONGEST_RING:
        return False
    unmet = pop.call_id != screen.met and pop.phase is not Phase.WRAP_UP
    return unmet or agent.since <= pop.ringing_at


def looked_up(pop: Pop, cards: Cards | None) -> Pop:
    """Return the pop with what a look-up brought; ``None`` says that it failed."""
    return replace(pop, lookup=Lookup.FAILED) if cards is None else pop.with_customers(cards)
