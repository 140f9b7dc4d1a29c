"""Breaks that last longer than their reason allows: told to supervisors, or ended."""

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from telephony.agent_events import PauseOverran
from telephony.agent_tables import AgentRow, AgentSessionRow, PauseReasonRow
from telephony.desk import AgentDesk, NotSignedIn
from telephony.domain.agent_state import AgentState
from telephony.domain.agent_steps import PauseTimedOut

log = structlog.get_logger(__name__)


class PauseLimits:
    """Looks for breaks that are over. Give :meth:`run` to the supervisor; in two processes it is sound."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        desk: AgentDesk,
        *,
        every: timedelta = timedelta(seconds=2),
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._desk = desk
        self._every = every
        self._told: dict[str, datetime] = {}

    async def check(self) -> int:
        """End the breaks that end by themselves, tell of the others once; return how many there were."""
        now = self._clock.now()
        query = (
            select(
                AgentSessionRow.agent_id,
                AgentSessionRow.reason,
                AgentSessionRow.since,
                AgentRow.name,
                AgentRow.number,
                PauseReasonRow.limit_seconds,
                PauseReasonRow.ends_itself,
            )
            .join(AgentRow, AgentRow.agent_id == AgentSessionRow.agent_id)
            .join(PauseReasonRow, PauseReasonRow.code == AgentSessionRow.reason)
            .where(
                AgentRow.active,
                AgentSessionRow.state == AgentState.PAUSED.value,
                PauseReasonRow.limit_seconds.is_not(None),
            )
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        over = [row for row in rows if now - row.since >= timedelta(seconds=row.limit_seconds)]
        known, self._told = self._told, {}
        for row in over:
            if row.ends_itself:
                await self._end(row.agent_id, row.reason, row.since)
                continue
            self._told[row.agent_id] = row.since
            if known.get(row.agent_id) != row.since:
                log.info("pause_overran", agent_id=row.agent_id, reason=row.reason)
                self._bus.publish(
                    PauseOverran(
                        at=now,
                        agent_id=row.agent_id,
                        agent_number=row.number,
                        agent_name=row.name,
                        reason=row.reason,
                        since=row.since,
                        limit_seconds=row.limit_seconds,
                    )
                )
        return len(over)

    async def _end(self, agent_id: str, reason: str, since: datetime) -> None:
        try:
            await self._desk.direct(agent_id, lambda _: (PauseTimedOut(reason, since),))
        except NotSignedIn:
            return  # left at this moment
        log.info("pause_ended_itself", agent_id=agent_id, reason=reason)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(self._every.total_seconds())
            try:
                await self.check()
            except (SQLAlchemyError, HuifangError, OSError) as error:
                log.warning("pause_limits_failed", error=type(error).__name__)
