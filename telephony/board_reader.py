"""The live board in a process that does not follow the PBX: the picture another process left in Redis."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import Invalid
from telephony.agent_events import BoardChanged
from telephony.board_views import NO_FIGURES, BoardView, board_key, decode_board
from telephony.domain.service_level import Formula

log = structlog.get_logger(__name__)


class BoardReader:
    """Give :meth:`run` to the supervisor; ask :meth:`snapshot` at any time.

    Args:
        max_age: a picture older than this is stale, whatever it says of itself.
    """

    def __init__(
        self,
        redis: "Redis",
        clock: Clock,
        bus: Bus,
        *,
        node: str = "pbx1",
        max_age: timedelta = timedelta(seconds=5),
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._bus = bus
        self._node = node
        self._max_age = max_age
        self._view = _empty(clock.now())
        self._lost = False

    @property
    def live(self) -> bool:
        """True while the PBX is followed and we hear of it."""
        return not self.snapshot().stale

    def snapshot(self) -> BoardView:
        """Return the last picture; in memory, never waits."""
        view = self._view
        late = self._clock.now() - view.as_of > self._max_age
        return replace(view, stale=True) if late and not view.stale else view

    async def run(self) -> None:
        """Fetch the picture when it changed, and once a second, until cancelled."""
        async with self._bus.subscribe(BoardChanged, name="board_reader", maxsize=1) as changes:
            while True:
                await self.refresh()
                try:
                    async with asyncio.timeout(1):
                        await changes.get()
                except TimeoutError:
                    continue

    async def refresh(self) -> None:
        """Fetch the picture once; without Redis, or one, the last stays and grows old."""
        try:
            async with asyncio.timeout(2):
                raw = await self._redis.get(board_key(self._node))
            if raw is not None:
                self._view = decode_board(raw)
        except (RedisError, OSError, TimeoutError, Invalid) as error:
            if not self._lost:
                log.warning("board_not_fetched", error=type(error).__name__)
            self._lost = True
        else:
            self._lost = False


def _empty(now: datetime) -> BoardView:
    return BoardView(
        as_of=now,
        stale=True,
        formula=Formula.NET_OF_SHORT.value,
        total=NO_FIGURES,
        queues=(),
        agents=(),
        calls=(),
        links=(),
    )
