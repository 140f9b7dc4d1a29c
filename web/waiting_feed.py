"""Tells agents that somebody has waited for too long in one of their queues (domain.md §2.1)."""

import asyncio
from datetime import timedelta
from typing import Any, Protocol

from kernel.bus import Bus
from kernel.clock import Clock
from telephony.agent_events import BoardChanged
from telephony.board_views import BoardView
from web.live_hub import LiveHub
from web.pop import iso

KIND = "waiting"
TOO_LONG = timedelta(seconds=20)
LONGEST_GAP_SECONDS = 1.0
SHORTEST_GAP_SECONDS = 0.25


class Board(Protocol):
    """What the feed asks of the board."""

    def snapshot(self) -> BoardView:
        """Return the board now."""
        ...


def topic_of(agent_id: str) -> str:
    """Return an agent's topic."""
    return f"{KIND}:{agent_id}"


def waiting_for(view: BoardView, agent_id: str, clock: Clock) -> dict[str, Any] | None:
    """Return what an agent is to know: since when the longest waits, how many wait; ``None``: nothing.

    A board that is out of date says nothing: whoever it shows may have long been answered.
    """
    agent = next((found for found in view.agents if found.agent_id == agent_id), None)
    if agent is None or view.stale:
        return None
    queues = [queue for queue in view.queues if queue.name in agent.queues and queue.longest_since]
    late = [queue for queue in queues if queue.longest_since and clock.now() - queue.longest_since > TOO_LONG]
    if not late:
        return None
    since = min(queue.longest_since for queue in late if queue.longest_since)
    return {"since": iso(since), "waiting": sum(queue.waiting for queue in queues)}


class WaitingFeed:
    """One task for all agents; it looks at the board only while an agent's page is open."""

    def __init__(self, *, bus: Bus, clock: Clock, hub: LiveHub, board: Board) -> None:
        self._bus = bus
        self._clock = clock
        self._hub = hub
        self._board = board
        self._told: dict[str, dict[str, Any] | None] = {}
        hub.provide(KIND, self.snapshot, latest_only=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws who waits for an agent."""
        found = waiting_for(self._board.snapshot(), topic.partition(":")[2], self._clock)
        self._told[topic] = found
        return [(KIND, found)]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(BoardChanged, name="waiting_feed", maxsize=1) as changes:
            while True:
                try:
                    async with asyncio.timeout(LONGEST_GAP_SECONDS):
                        await changes.get()
                except TimeoutError:
                    pass
                self.push()
                await asyncio.sleep(SHORTEST_GAP_SECONDS)

    def push(self) -> None:
        """Tell the open pages what is not as they were told."""
        if not self._hub.has_readers_of(KIND):
            self._told.clear()
            return
        view = self._board.snapshot()
        for agent in view.agents:
            topic = topic_of(agent.agent_id)
            if not self._hub.has_readers(topic):
                self._told.pop(topic, None)
                continue
            found = waiting_for(view, agent.agent_id, self._clock)
            if self._told.get(topic) != found:
                self._told[topic] = found
                self._hub.publish(topic, KIND, found)
