"""Whose page is open: agents who were heard of lately, for whoever may only give calls to such."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from kernel.clock import Clock
from kernel.db import Database
from telephony.agent_tables import AgentRow, AgentSessionRow

log = structlog.get_logger(__name__)


class LivePages:
    """Give :meth:`run` to the supervisor; ask :meth:`open` at any time.

    A page beats every ten seconds, and a beat is stored when the last stored one is ten seconds old.

    Args:
        limit: a page silent for so long counts as closed; an agent who never had one has none.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        limit: timedelta = timedelta(seconds=30),
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit
        self._every = every.total_seconds()
        self._beats: Mapping[str, datetime] = {}

    def open(self, agent_number: str) -> bool:
        """Tell whether the agent's page was heard of lately. In memory; never waits."""
        beat = self._beats.get(agent_number)
        return beat is not None and abs(self._clock.now() - beat) <= self._limit

    async def look(self) -> None:
        """Read the beats once."""
        query = (
            select(AgentRow.number, AgentSessionRow.heartbeat_at)
            .join(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
            .where(AgentSessionRow.signed_in, AgentSessionRow.heartbeat_at.is_not(None))
        )
        async with self._database.session() as session:
            rows = await session.execute(query)
            self._beats = {number: at for number, at in rows if at is not None}

    async def run(self) -> None:
        """Look again and again until cancelled; without a database what is known grows old."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("live_pages_not_read", error=type(error).__name__)
            await asyncio.sleep(self._every)
