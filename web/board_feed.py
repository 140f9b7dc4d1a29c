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
TREND = "trend"
"""Today's half hours: apart from the board, because they move so much less."""
WALL = "wall"
"""The board for a big screen: figures alone, no names and no calls."""
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
        self._trend: tuple[object, ...] | None = None
        hub.provide(TOPIC, self.snapshot, latest_only=True)
        hub.provide(TREND, self.snapshot, latest_only=True)
        hub.provide(WALL, self.snapshot, latest_only=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws the board, its trend or the wall."""
        view = self._board.snapshot()
        match topic:
            case "trend":
                return [(TREND, trend_payload(view))]
            case "wall":
                return [(WALL, wall_payload(view))]
            case _:
                return [("board", board_payload(view))]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(BoardChanged, name="board_feed", maxsize=1) as changes:
            while True:
                try:
                    async with asyncio.timeout(LONGEST_GAP_SECONDS):
                        await changes.get()
                except TimeoutError:
                    pass
                self._push()
                await asyncio.sleep(SHORTEST_GAP_SECONDS)

    def _push(self) -> None:
        readers = [topic for topic in (TOPIC, TREND, WALL) if self._hub.has_readers(topic)]
        if not readers:
            return
        view = self._board.snapshot()
        if TOPIC in readers:
            self._hub.publish(TOPIC, "board", board_payload(view))
        if WALL in readers:
            self._hub.publish(WALL, WALL, wall_payload(view))
        trend = (view.day_from, view.stale, view.trend)
        if TREND in readers and trend != self._trend:
            self._trend = trend
            self._hub.publish(TREND, TREND, trend_payload(view))


def board_payload(view: BoardView) -> dict[str, Any]:
    """Return the board for the page. Numbers are masked: a wall shows them to everybody who walks by."""
    return {
        **_head(view),
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


def wall_payload(view: BoardView) -> dict[str, Any]:
    """Return the figures for a big screen, where visitors read along."""
    states: dict[str, int] = {}
    for agent in view.agents:
        states[agent.state] = states.get(agent.state, 0) + 1
    return {**_head(view), "states": states, "calls": len(view.calls)}


def trend_payload(view: BoardView) -> dict[str, Any]:
    """Return today's half hours for the chart."""
    return {
        "day_from": iso(view.day_from),
        "as_of": iso(view.as_of),
        "points": [
            {
                "at": iso(point.at),
                "offered": point.offered,
                "answered": point.answered,
                "abandoned": point.abandoned,
                "service_level": point.within / point.counted if point.counted else None,
            }
            for point in view.trend
        ],
    }


def _head(view: BoardView) -> dict[str, Any]:
    return {
        "as_of": iso(view.as_of),
        "stale": view.stale,
        "formula": view.formula,
        "day_from": iso(view.day_from),
        "handling_as_of": iso(view.handling_as_of),
        "alert_sound": view.alert_sound,
        "alerts": [
            {
                "queue": alert.queue,
                "kind": alert.kind,
                "limit": alert.limit,
                "value": alert.value,
                "since": iso(alert.since),
            }
            for alert in view.alerts
        ],
        "total": _figures(view.total),
        "queues": [
            {
                "name": queue.name,
                "waiting": queue.waiting,
                "longest_since": iso(queue.longest_since),
                "available": queue.available,
                "signed_in": queue.signed_in,
                "on_call": queue.on_call,
                "as_of": iso(queue.as_of),
                **_figures(queue),
            }
            for queue in view.queues
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "service_level": figures.service_level,
        "within": figures.within,
        "counted": figures.counted,
        "offered": figures.offered,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "short_abandoned": figures.short_abandoned,
        "asa_seconds": figures.asa_seconds,
        "handled": figures.handled,
        "aht_seconds": figures.aht_seconds,
        "occupancy": figures.occupancy,
    }
