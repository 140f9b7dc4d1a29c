"""Pauses of recordings, as they begin and end: on the supervisors' board, and on the page of the agent.

Few calls are paused at once: at every change all that last are read, and told to whoever sees them.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.db import Database
from telephony.events import ListeningPaused, ListeningResumed
from telephony.recording_pauses import PauseView, open_pauses, state_of
from web.live_hub import LiveHub
from web.pop import iso

OF_ALL = "pauses"
"""Topic: every call whose recording is paused."""
OF_AGENT = "recording"
"""Topic: the recording of an agent's own call."""

log = structlog.get_logger(__name__)


class Pops(Protocol):
    """What the feed asks of :class:`web.screen_pop.ScreenPops`."""

    def agents_on(self, call_id: str) -> list[str]:
        """Return the agents on whose page the call is."""
        ...

    def call_of(self, agent_id: str) -> str | None:
        """Return the call on an agent's page."""
        ...


class PauseFeed:
    """One task for all pages."""

    def __init__(self, *, bus: Bus, hub: LiveHub, pops: Pops, database: Database) -> None:
        self._bus = bus
        self._hub = hub
        self._pops = pops
        self._database = database
        self._open: dict[str, PauseView] = {}
        hub.provide(OF_ALL, self.snapshot, latest_only=True)
        hub.provide(OF_AGENT, self.snapshot)

    async def prepare(self, topics: Iterable[str]) -> None:
        """Know what is paused before a page connects."""
        if any(topic.partition(":")[0] in {OF_ALL, OF_AGENT} for topic in topics):
            await self.look()

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws the pauses, or the recording of an agent's call."""
        kind, _, agent_id = topic.partition(":")
        if kind == OF_ALL:
            return [(OF_ALL, {"pauses": [_shown(one) for one in self._open.values()]})]
        return [(OF_AGENT, self._of_call(self._pops.call_of(agent_id)))]

    async def run(self) -> None:
        """Follow the bus until cancelled."""
        changes = (ListeningPaused, ListeningResumed)
        async with self._bus.subscribe(*changes, name="pause_feed", maxsize=500) as events:
            async for _ in events:
                await self.look()

    async def look(self) -> None:
        """Read what is paused, and tell what has changed."""
        try:
            async with self._database.session() as session:
                found = {one.call_id: one for one in await open_pauses(session)}
        except (SQLAlchemyError, OSError) as error:
            log.warning("pauses_not_read", error=type(error).__name__)
            return
        before, self._open = self._open, found
        changed = {one for one in {*before, *found} if before.get(one) != found.get(one)}
        if changed:
            self._hub.publish(OF_ALL, *self.snapshot(OF_ALL)[0])
        for call_id in changed:
            for agent_id in self._pops.agents_on(call_id):
                self._hub.publish(f"{OF_AGENT}:{agent_id}", OF_AGENT, self._of_call(call_id))

    def _of_call(self, call_id: str | None) -> dict[str, Any]:
        pause = self._open.get(call_id or "")
        return {"call_id": call_id, "state": state_of([pause] if pause else [])}


def _shown(pause: PauseView) -> dict[str, Any]:
    return {
        "call_id": pause.call_id,
        "state": state_of([pause]),
        "by": pause.by,
        "why": pause.why.value,
        "since": iso(pause.began_at),
    }
