"""Live events inside a process and, through a Redis stream, to the other processes.

The bus carries what is nice to know at once (a call rings, a figure moved). It may lose events: each
subscriber has a bound, and a subscriber that falls behind gets :class:`Lagged` and reads a snapshot again.
What must not be lost goes through :mod:`kernel.outbox`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.errors import Invalid
from kernel.events import Event, decode, encode
from kernel.ids import new_ulid

BLOCK_MS = 2000
ANSWER_SECONDS = 7.0
"""Longest wait for Redis, reading's own block included."""
KEPT_SECONDS = 300
"""Older ones leave the stream: live events may hold what customers say, and nobody reads them late."""
SWEEP_SECONDS = 30.0
GATHER_SECONDS = 0.01
"""Events come in handfuls: so long one waits for its like, on its way to Redis and from there."""

log = structlog.get_logger(__name__)

LAGGED = Counter("huifang_bus_lagged_total", "Events dropped for a slow subscriber", ["subscriber"])
REMOTE_DROPPED = Counter("huifang_bus_remote_dropped_total", "Events not sent to other processes")


class Lagged:
    """Stands in a subscription for ``dropped`` events that were lost; read a snapshot."""

    __slots__ = ("dropped",)

    def __init__(self, dropped: int) -> None:
        self.dropped = dropped


class Subscription:
    """The events of some types, in order, from the moment it was made. Use as a context manager."""

    def __init__(self, bus: "Bus", types: tuple[type[Event], ...], name: str, maxsize: int) -> None:
        self._bus = bus
        self.types = types
        self.name = name
        self._items: deque[Event] = deque()
        self._maxsize = maxsize
        self._dropped = 0
        self._wake = asyncio.Event()
        self._closed = False

    def offer(self, item: Event) -> None:
        """Take an event; drop the oldest when full."""
        if len(self._items) >= self._maxsize:
            self._items.popleft()
            self._dropped += 1
            LAGGED.labels(self.name).inc()
        self._items.append(item)
        self._wake.set()

    def mark_lagged(self) -> None:
        """Note that events of other processes may be missing."""
        self._dropped += 1
        self._wake.set()

    async def get(self) -> Event | Lagged:
        """Wait for the next event. Cancelling loses nothing.

        Raises:
            StopAsyncIteration: the subscription was closed.
        """
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return Lagged(dropped)
            if self._items:
                return self._items.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def waiting(self) -> list[Event | Lagged]:
        """Take what is there now, without waiting."""
        taken: list[Event | Lagged] = list(self._items)
        self._items.clear()
        if self._dropped:
            taken.insert(0, Lagged(self._dropped))
            self._dropped = 0
        return taken

    def close(self) -> None:
        """End it; a waiting reader stops."""
        self._closed = True
        self._bus.forget(self)
        self._wake.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Event | Lagged]:
        while True:
            try:
                yield await self.get()
            except StopAsyncIteration:
                return


class Bus:
    """Fan-out of live events.

    Args:
        redis: the shared Redis; ``None`` keeps events in this process.
        stream: name of the Redis stream.
        maxlen: how many events the stream keeps, about.
        out_limit: how many events may wait for Redis before the oldest are dropped.
    """

    def __init__(
        self,
        redis: "Redis | None" = None,
        *,
        stream: str = "hf:live",
        maxlen: int = 10_000,
        out_limit: int = 10_000,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._maxlen = maxlen
        self._origin = new_ulid().encode()
        self._out: deque[Event] = deque(maxlen=out_limit)
        self._out_wake = asyncio.Event()
        self._subscriptions: list[Subscription] = []

    def subscribe(self, *types: type[Event], name: str, maxsize: int = 1000) -> Subscription:
        """Return a subscription to ``types`` and their subclasses; no types means all."""
        subscription = Subscription(self, types or (Event,), name, maxsize)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Drop a closed subscription."""
        with contextlib.suppress(ValueError):
            self._subscriptions.remove(subscription)

    def publish(self, item: Event) -> None:
        """Give ``item`` to the subscribers here at once and queue it for the other processes. Never waits."""
        self._deliver(item)
        if self._redis is not None:
            if len(self._out) == self._out.maxlen:
                REMOTE_DROPPED.inc()
            self._out.append(item)
            self._out_wake.set()

    def _deliver(self, item: Event) -> None:
        for subscription in tuple(self._subscriptions):
            if isinstance(item, subscription.types):
                subscription.offer(item)

    async def run(self) -> None:
        """Carry events to and from Redis until cancelled; while Redis is gone, try again each second."""
        if self._redis is None:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send(self._redis))
            group.create_task(self._receive(self._redis))

    async def drain(self) -> None:
        """Wait until what was published has reached Redis; give it a deadline, Redis may be gone."""
        while self._redis is not None and self._out:
            await asyncio.sleep(0.01)

    async def _send(self, redis: "Redis") -> None:
        while True:
            while not self._out:
                self._out_wake.clear()
                await self._out_wake.wait()
                await asyncio.sleep(GATHER_SECONDS)
            batch = [self._out[i] for i in range(min(len(self._out), 200))]
            try:
                async with asyncio.timeout(ANSWER_SECONDS), redis.pipeline(transaction=False) as pipe:
                    for item in batch:
                        fields: dict[Any, Any] = {b"o": self._origin, b"e": encode(item)}
                        pipe.xadd(self._stream, fields, maxlen=self._maxlen, approximate=True)
                    await pipe.execute()
            except (RedisError, OSError) as error:
                log.warning("bus_redis_lost", error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            for item in batch:
                if self._out and self._out[0] is item:
                    self._out.popleft()

    async def _receive(self, redis: "Redis") -> None:
        last: Any = "$"
        sweep_at = 0.0
        while True:
            try:
                if asyncio.get_running_loop().time() >= sweep_at:
                    await self._sweep(redis)
                    sweep_at = asyncio.get_running_loop().time() + SWEEP_SECONDS
                async with asyncio.timeout(ANSWER_SECONDS):
                    if last == "$":
                        newest = await redis.xrevrange(self._stream, count=1)
                        last = newest[0][0] if newest else "0-0"
                    answer: Any = await redis.xread({self._stream: last}, count=500, block=BLOCK_MS)
            except (RedisError, OSError):
                await asyncio.sleep(1)
                for subscription in tuple(self._subscriptions):
                    subscription.mark_lagged()
                last = "$"
                continue
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    last = entry_id
                    if fields.get(b"o") != self._origin:
                        self._take(fields.get(b"e", b""))
            await asyncio.sleep(GATHER_SECONDS)

    async def _sweep(self, redis: "Redis") -> None:
        """Take out of the stream what is too old for anybody."""
        async with asyncio.timeout(ANSWER_SECONDS):
            seconds, _ = await redis.time()
            await redis.xtrim(
                self._stream, minid=str((int(seconds) - KEPT_SECONDS) * 1000), approximate=False
            )

    def _take(self, raw: bytes) -> None:
        try:
            self._deliver(decode(raw))
        except Invalid as error:
            log.warning("bus_event_refused", error=error.message)
