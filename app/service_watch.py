"""Watches the queues' service level and tells when it stays below the target for a while (domain.md §2)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from crm.events_alerts import BoardLimitCrossed, ServiceLevelLow
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A queue's counts of the day, as they were at a moment."""

    at: datetime
    within: int
    counted: int


class LevelWatch:
    """The service level of each queue over the last :data:`HOLDS`; pure.

    The board counts by the day: what a morning went well hides in it what goes wrong now. So the day's counts
    are remembered for a while, and the level is that of what came in between. Told once, until it recovers.

    Args:
        target: in percent.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._seen: dict[str, deque[_Seen]] = {}
        self._told: set[str] = set()

    def take(self, queues: Sequence[QueueView], now: datetime) -> list[ServiceLevelLow]:
        """Take the counts as they are now; return what is to be told."""
        found = []
        for queue in queues:
            before = self._window(queue, now)
            if before is None:
                continue
            counted, within = queue.counted - before.counted, queue.within - before.within
            if counted < FEWEST:
                continue
            if within * 100 >= self._target * counted:
                self._told.discard(queue.name)
            elif queue.name not in self._told:
                self._told.add(queue.name)
                found.append(
                    ServiceLevelLow(
                        at=now,
                        queue=queue.name,
                        label=queue.label_zh,
                        level=within * 100 // counted,
                        target=self._target,
                        minutes=HOLDS // timedelta(minutes=1),
                        below_since=before.at,
                    )
                )
        return found

    def _window(self, queue: QueueView, now: datetime) -> _Seen | None:
        """Remember the counts; return those at the window's beginning, ``None`` until it is whole."""
        seen = self._seen.setdefault(queue.name, deque())
        if seen and (queue.counted < seen[-1].counted or queue.within < seen[-1].within):
            # A new day begins at nothing.
            seen.clear()
        seen.append(_Seen(now, queue.within, queue.counted))
        while len(seen) > 1 and now - seen[1].at >= HOLDS:
            seen.popleft()
        return seen[0] if now - seen[0].at >= HOLDS else None

    def forget(self) -> None:
        """Begin anew: nobody knows how the levels were meanwhile."""
        self._seen.clear()
        self._told.clear()


class ServiceWatch:
    """Looks at the board from time to time."""

    def __init__(self, board: Board, database: Database, clock: Clock, *, target: int) -> None:
        self._board = board
        self._database = database
        self._clock = clock
        self._levels = LevelWatch(target)
        self._alerts: set[tuple[str, str, datetime]] = set()

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
            self._alerts = set()
            return 0
        now = self._clock.now()
        told: list[ServiceLevelLow | BoardLimitCrossed] = [*self._levels.take(view.queues, now)]
        told += self._crossed(view, now)
        if told:
            async with self._database.transaction() as session:
                for fact in told:
                    add_fact(session, fact)
        self._alerts = {(one.queue, one.kind, one.since) for one in view.alerts}
        return len(told)

    def _crossed(self, view: BoardView, now: datetime) -> list[BoardLimitCrossed]:
        """Return the alerts of the board that began since it was looked at last."""
        labels = {queue.name: queue.label_zh for queue in view.queues}
        return [
            BoardLimitCrossed(
                at=now,
                queue=one.queue,
                label=labels.get(one.queue, one.queue),
                kind=one.kind,
                limit=one.limit,
                value=one.value,
                since=one.since,
            )
            for one in view.alerts
            if (one.queue, one.kind, one.since) not in self._alerts
        ]
