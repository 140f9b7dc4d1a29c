"""Agents by number, in memory: asked for at every event of the PBX, so never through SQL."""

from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from telephony.agent_events import RosterChanged
from telephony.roster import Roster


class AgentNumbers:
    """Agent numbers, ids and names, kept in line with the roster."""

    def __init__(self, roster: Roster, bus: Bus) -> None:
        self._roster = roster
        self._bus = bus
        self._ids: dict[str, str] = {}

    def id_of(self, number: str) -> str | None:
        """Return the agent's id, ``None`` for a number that is nobody's."""
        return self._ids.get(number)

    async def load(self) -> None:
        """Read the roster. Raises SQLAlchemyError when the database is gone."""
        self._ids = {agent.number: agent.agent_id for agent in await self._roster.agents()}

    async def run(self) -> None:
        """Follow the roster until cancelled; without a database what is known stays."""
        async with self._bus.subscribe(RosterChanged, name="agent-numbers", maxsize=100) as changes:
            await self.load()
            async for _ in changes:
                try:
                    await self.load()
                except (SQLAlchemyError, OSError):
                    continue


class QueueBook:
    """Queues as others want them: names for flows, lengths of wrap-up for the agents' feed."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def queue_names(self) -> frozenset[str]:
        """Return the names of all queues."""
        return frozenset(queue.name for queue in await self._roster.queues())

    async def wrap_ups(self) -> dict[str, timedelta]:
        """Return queue → length of wrap-up."""
        return {queue.name: queue.wrap_up for queue in await self._roster.queues()}
