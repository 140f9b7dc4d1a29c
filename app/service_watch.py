"""Watches the queues' service level and tells when it stays below the target for a while (domain.md §2)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from crm.events_alerts import ServiceLevelLow
from kernel.clock import Clock
from kernel.db import Database
from kernel.outbox import add_fact
from telephony.board_views import BoardView, QueueView

log = structlog.get_logger(__name__)

HOLDS = timedelta(minutes=15)
EVERY = timedelta(seconds=30)
FEWEST = 5
"""Calls from which on a level says something: one missed call of two is no trend."""


class Board(Protocol):
    """What the watch asks of the board."""

    def snapshot(self) -> BoardView:
        """Return the board now."""
        ...


class LevelWatch:
    """Since when each queue is below the target; each time it stays there long enough counts once. Pure.

    Args:
        target: in percent.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._below: dict[str, datetime] = {}
        self._told: set[str] = set()

    def take(self, queues: Sequence[QueueView], now: datetime) -> list[ServiceLevelLow]:
        """Take the levels as they are now; return what is to be told."""
        found = []
        for queue in queues:
            level = queue.service_level
            if level is None or queue.counted < FEWEST or level * 100 >= self._target:
                self._below.pop(queue.name, None)
                self._told.discard(queue.name)
                continue
            since = self._below.setdefault(queue.name, now)
            if now - since >= HOLDS and queue.name not in self._told:
                self._told.add(queue.name)
                found.append(
                    ServiceLevelLow(
                        at=now,
                        queue=queue.name,
                        label=queue.label_zh,
                        level=int(level * 100),
                        target=self._target,
                        minutes=(now - since) // timedelta(minutes=1),
                        below_since=since,
                    )
                )
        return found

    def forget(self) -> None:
        """Begin anew: nobody knows how the levels were meanwhile."""
        self._below.clear()
        self._told.clear()


class ServiceWatch:
    """Looks at the board from time to time."""

    def __init__(self, board: Board, database: Database, clock: Clock, *, target: int) -> None:
        self._board = board
        self._database = database
        self._clock = clock
        self._levels = LevelWatch(target)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("service_level_not_told", error=type(error).__name__)
            await asyncio.sleep(EVERY.total_seconds())

    async def look(self) -> int:
        """Look once; return how many queues were told of."""
        view = self._board.snapshot()
        if view.stale:
            self._levels.forget()
            return 0
        told = self._levels.take(view.queues, self._clock.now())
        if told:
            async with self._database.transaction() as session:
                for fact in told:
                    add_fact(session, fact)
        return len(told)
