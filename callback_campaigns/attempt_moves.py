"""Steps of attempts on their way into the database, many in one transaction.

What is lost here by a kill is no harm: an attempt that stays open is looked for.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError

from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.domain.attempt import Attempt, AttemptMoved
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

Step = Callable[[Attempt], AttemptMoved]
Moved = tuple[str, Step]

WAITING = Gauge("huifang_dial_moves_waiting", "Steps of attempts that are not stored yet")
REFUSED = Counter("huifang_dial_moves_refused_total", "Steps of attempts that did not fit their state")


class AttemptMoves:
    """Stores steps in the order in which they were put.

    Args:
        gather: so long one waits for its like.
        retry: pause after the database failed; nothing is dropped meanwhile.
        on_moved: told of each attempt after its step was stored.
    """

    def __init__(
        self,
        attempts: DialAttempts,
        *,
        gather: timedelta = timedelta(milliseconds=150),
        retry: timedelta = timedelta(milliseconds=500),
        most: int = 200,
        on_moved: Callable[[AttemptMoved], None] = lambda moved: None,
    ) -> None:
        self._attempts = attempts
        self._gather = gather.total_seconds()
        self._retry = retry.total_seconds()
        self._most = most
        self._on_moved = on_moved
        self._steps: deque[Moved] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, attempt_id: str, step: Step) -> None:
        """Have a step stored; never waits."""
        self._steps.append((attempt_id, step))
        self._idle.clear()
        self._wake.set()

    def __len__(self) -> int:
        return len(self._steps)

    async def stored(self) -> None:
        """Return when everything that was put is stored."""
        await self._idle.wait()

    async def run(self) -> None:
        """Store steps until cancelled; what is being stored then is stored."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._gather)
            self._wake.clear()
            while not await self.flush():
                await asyncio.sleep(self._retry)

    async def flush(self) -> bool:
        """Store what was put so far; return whether all of it is stored.

        What is put meanwhile waits for its like again: under load each transaction would carry one step.
        """
        left = len(self._steps)
        while left:
            WAITING.set(len(self._steps))
            batch = [self._steps[index] for index in range(min(left, self._most))]
            if not await asyncio.shield(self._store(batch)):
                return False
            for _ in batch:
                self._steps.popleft()
            left -= len(batch)
        WAITING.set(len(self._steps))
        if not self._steps:
            self._idle.set()
        return True

    async def _store(self, batch: Sequence[Moved]) -> bool:
        """Return whether the batch is dealt with; the database may be away."""
        try:
            for moved in await self._attempts.move_all(batch):
                self._on_moved(moved)
            return True
        except HuifangError:
            pass
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("dial_moves_wait", waiting=len(self._steps), error=type(error).__name__)
            return False
        return await self._one_by_one(batch)

    async def _one_by_one(self, batch: Sequence[Moved]) -> bool:
        """A step that does not fit must not hold the others up. Those that went well are not told twice."""
        for attempt_id, step in batch:
            try:
                self._on_moved(await self._attempts.move(attempt_id, step))
            except HuifangError as error:
                REFUSED.inc()
                log.warning("dial_move_refused", attempt=attempt_id, error=error.code)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("dial_moves_wait", waiting=len(self._steps), error=type(error).__name__)
                return False
        return True
