"""One agent's screen, and how its true state is read from those who own it: desk, calls, customers."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from kernel.clock import Clock
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import AgentState
from telephony.events import AgentRinging
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


@dataclass(slots=True)
class Screen:
    """All that one agent's page shows.

    Attributes:
        ring: the last ring, until it ended.
        over: the call whose ring ended here last; a desk that has not heard of it yet does not bring it back.
        version: counts the events that touched the screen.
    """

    agent_id: str
    state: AgentSnapshot | None = None
    pop: Pop | None = None
    notice: Notice | None = None
    ring: AgentRinging | None = None
    over: str | None = None
    unfinished: tuple[WrapUpView, ...] = ()
    version: int = 0
    reading: bool = False
    read_again: bool = False

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
                unfinished = await self.unfinished(screen.agent_id)
            if screen.version == version:
                read = {"state": state, "pop": pop, "unfinished": unfinished}
                changed = frozenset(name for name, value in read.items() if getattr(screen, name) != value)
                screen.state, screen.pop, screen.unfinished = state, pop, unfinished
                return changed
        return frozenset()

    async def unfinished(self, agent_id: str) -> tuple[WrapUpView, ...]:
        """Return the calls that still want a disposition."""
        return await self._desk.unsaved_wrap_ups(agent_id, limit=UNFINISHED_SHOWN)

    async def _pop(self, screen: Screen, pop: Pop | None, agent: AgentSnapshot) -> Pop | None:
        phase = PHASES.get(agent.state)
        if phase is None or agent.call_id is None:
            return pop if predates(agent.since, pop, now=self._clock.now()) else None
        if phase is Phase.RINGING and agent.call_id == screen.over:
            return None
        if pop is None or pop.call_id != agent.call_id:
            if predates(agent.since, pop, now=self._clock.now()):
                return pop
            call = await self._calls.get(agent.call_id)
            pop = Pop.of_call(call, phase, now=self._clock.now())
        if pop.lookup is Lookup.PENDING:
            pop = await self._with_customers(pop)
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

    async def _with_customers(self, pop: Pop) -> Pop:
        if pop.direction == "internal":
            return replace(pop, lookup=Lookup.INTERNAL)
        phone = pop.phone
        if phone is None:
            return replace(pop, lookup=Lookup.UNKNOWN)
        return looked_up(pop, await asyncio.shield(self._customers.start(pop.call_id, phone)))


def predates(since: datetime, pop: Pop | None, *, now: datetime) -> bool:
    """Tell whether a state without a call, or with another one, is older news than the pop.

    The call's events and the agent's travel on two ways: the ring may be here before the desk knows of it.
    """
    return pop is not None and since <= pop.ringing_at and now - pop.ringing_at < LONGEST_RING


def looked_up(pop: Pop, cards: Cards | None) -> Pop:
    """Return the pop with what a look-up brought; ``None`` says that it failed."""
    return replace(pop, lookup=Lookup.FAILED) if cards is None else pop.with_customers(cards)
