"""Pushes the live board to the supervisors' pages: at once when it moved, at most four times a second, and
once a second in any case, so that its age on the page is true."""

import asyncio
from typing import Any, Protocol

from kernel.bus import Bus
from telephony.agent_events import BoardChanged
from telephony.board_views import BoardView, Figures
from web.live_hub import LiveHub
from web.masking import masked
from web.pop import iso

TOPIC = "board"
SHORTEST_GAP_SECONDS = 0.25
LONGEST_GAP_SECONDS = 1.0


class Board(Protocol):
    """What the feed asks of ``telephony.board.Board``."""

    def snapshot(self) -> BoardView:
        """Return the board now; in memory, no waiting."""
        ...


class BoardFeed:
    """One task for all supervisors: a snapshot is encoded once, and not at all while nobody looks."""

    def __init__(self, *, bus: Bus, hub: LiveHub, board: Board) -> None:
        self._bus = bus
        self._hub = hub
        self._board = board
        hub.provide(TOPIC, self.snapshot, latest_only=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws the board."""
        return [("board", board_payload(self._board.snapshot()))]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(BoardChanged, name="board_feed", maxsize=1) as changes:
            while True:
                try:
                    async with asyncio.timeout(LONGEST_GAP_SECONDS):
                        await changes.get()
                except TimeoutError:
                    pass
                if self._hub.has_readers(TOPIC):
                    self._hub.publish(TOPIC, "board", board_payload(self._board.snapshot()))
                await asyncio.sleep(SHORTEST_GAP_SECONDS)


def board_payload(view: BoardView) -> dict[str, Any]:
    """Return the board for the page. Numbers are masked: a wall shows them to everybody who walks by."""
    return {
        "as_of": iso(view.as_of),
        "stale": view.stale,
        "formula": view.formula,
        "total": _figures(view.total),
        "queues": [
            {
                "name": queue.name,
                "waiting": queue.waiting,
                "longest_since": iso(queue.longest_since),
                "available": queue.available,
                "signed_in": queue.signed_in,
                "as_of": iso(queue.as_of),
                **_figures(queue),
            }
            for queue in view.queues
        ],
        "agents": [
            {
                "agent_id": agent.agent_id,
                "number": agent.number,
                "name": agent.name,
                "state": agent.state,
                "reason": agent.reason,
                "since": iso(agent.since),
                "call_id": agent.call_id,
                "next_state": agent.next_state,
                "queues": list(agent.queues),
                "phone_gone": agent.device == "UNAVAILABLE",
            }
            for agent in view.agents
        ],
        "calls": [
            {
                "call_id": call.call_id,
                "number": masked(call.to_number if call.direction == "out" else call.from_number),
                "state": call.state,
                "queue": call.queue,
                "agent": call.agent,
                "menu_path": list(call.menu_path),
                "since": iso(call.since),
            }
            for call in view.calls
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "service_level": figures.service_level,
        "within": figures.within,
        "counted": figures.counted,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "short_abandoned": figures.short_abandoned,
        "asa_seconds": figures.asa_seconds,
    }
