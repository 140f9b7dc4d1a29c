"""A page that sleeps must not be rung: agents whose heartbeats stopped are paused, with a reason."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from telephony.agent_tables import AgentSessionRow
from telephony.desk import AgentDesk

log = structlog.get_logger(__name__)


class PageWatch:
    """Looks for silent pages. Agents who never sent a heartbeat (desk phones, scripts) are left alone.

    Args:
        limit: a page silent for so long is asleep.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        desk: AgentDesk,
        *,
        limit: timedelta = timedelta(seconds=45),
        every: timedelta = timedelta(seconds=5),
    ) -> None:
        self._database = database
        self._clock = clock
        self._desk = desk
        self._limit = limit
        self._every = every
        self._born = clock.now()

    async def check(self) -> int:
        """Pause every agent whose page has been silent for too long; return how many."""
        silent_since = self._clock.now() - self._limit
        if self._born > silent_since:
            # We may have been away ourselves: give the pages time to be heard again.
            return 0
        query = select(AgentSessionRow.agent_id).where(
            AgentSessionRow.signed_in,
            AgentSessionRow.asleep.is_(False),
            AgentSessionRow.heartbeat_at < silent_since,
        )
        async with self._database.session() as session:
            silent = (await session.execute(query)).scalars().all()
        for agent_id in silent:
            await self._desk.page_silent(agent_id)
        return len(silent)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(self._every.total_seconds())
            try:
                await self.check()
            except (SQLAlchemyError, HuifangError, OSError) as error:
                log.warning("page_watch_failed", error=type(error).__name__)
