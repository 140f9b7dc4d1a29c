"""Where calls went in the flows: counted while they walk, stored by the day."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from ivr.tables import FlowTrafficRow
from kernel.clock import Clock
from kernel.db import Database

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=5)
MOST = 20_000
"""Ways of a day that wait for a database; what is more is not counted, and that is said."""

Way = tuple[str, str]
_Key = tuple[str, date, int, str, str]


class FlowTally:
    """Counts in memory and writes again and again; no call waits for it.

    Args:
        zone: the site's; a call counts for the day on which it left the flow.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone
        self._waiting: Counter[_Key] = Counter()
        self._dropped = 0

    def add(self, flow: str, version: int, steps: Collection[Way]) -> None:
        """Count the way of one call; who passed twice counts twice."""
        day = self._clock.now().astimezone(self._zone).date()
        for node, to in steps:
            key = (flow, day, version, node, to)
            if len(self._waiting) >= MOST and key not in self._waiting:
                self._dropped += 1
                continue
            self._waiting[key] += 1

    async def write(self) -> None:
        """Store what was counted; what cannot be stored now is stored next time."""
        if self._dropped:
            log.error("flow_traffic_not_counted", steps=self._dropped)
            self._dropped = 0
        counted, self._waiting = self._waiting, Counter()
        if not counted:
            return
        try:
            async with self._database.transaction() as session:
                # In one order: two processes that write do not wait for each other in a circle.
                for key, calls in sorted(counted.items()):
                    await _more(session, key, calls)
        except (SQLAlchemyError, OSError) as error:
            self._waiting.update(counted)
            log.warning("flow_traffic_not_stored", error=type(error).__name__)
        except BaseException:
            self._waiting.update(counted)
            raise

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(EVERY.total_seconds())
                await self.write()
        finally:
            await asyncio.shield(self.write())


async def _more(session: AsyncSession, key: _Key, calls: int) -> None:
    flow, day, version, node, to = key
    more = (
        update(FlowTrafficRow)
        .where(
            FlowTrafficRow.flow == flow,
            FlowTrafficRow.day == day,
            FlowTrafficRow.version == version,
            FlowTrafficRow.node == node,
            FlowTrafficRow.to_node == to,
        )
        .values(calls=FlowTrafficRow.calls + calls)
        .returning(FlowTrafficRow.calls)
    )
    if await session.scalar(more) is not None:
        return
    try:
        async with session.begin_nested():
            session.add(
                FlowTrafficRow(flow=flow, day=day, version=version, node=node, to_node=to, calls=calls)
            )
    except IntegrityError:
        # Another process counted the first one just now.
        await session.execute(more)


async def traffic_of(database: Database, flow: str, *, since: date) -> Mapping[Way, int]:
    """Return from where to where how many calls went since a day, over all versions."""
    query = (
        select(FlowTrafficRow.node, FlowTrafficRow.to_node, func.sum(FlowTrafficRow.calls))
        .where(FlowTrafficRow.flow == flow, FlowTrafficRow.day >= since)
        .group_by(FlowTrafficRow.node, FlowTrafficRow.to_node)
    )
    async with database.session() as session:
        return {(node, to): int(calls) for node, to, calls in await session.execute(query)}


async def calls_of(database: Database, *, since: date) -> Mapping[str, int]:
    """Return how many calls began in each flow since a day."""
    query = (
        select(FlowTrafficRow.flow, func.sum(FlowTrafficRow.calls))
        .where(FlowTrafficRow.node == "", FlowTrafficRow.day >= since)
        .group_by(FlowTrafficRow.flow)
    )
    async with database.session() as session:
        return {flow: int(calls) for flow, calls in await session.execute(query)}
