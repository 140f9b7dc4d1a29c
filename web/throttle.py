"""Slowing down whoever guesses passwords, without locking anybody out for good.

An attempt draws on several buckets at once (:func:`buckets_for`). A bucket lets a few attempts pass and
then asks for a pause that doubles with each further one, up to a cap. An attempt inside a pause is refused
before the password is looked at and does not lengthen the pause. Attempts count when they begin and are
given back when they succeed, so that a burst in parallel gains nothing.

A browser that has signed this user in before (device cookie) has a bucket of its own: however hard a
stranger knocks on an agent's login, the agent's own browser is never held up by it.
"""

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Protocol

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.clock import Clock
from kernel.errors import TooMany

log = structlog.get_logger(__name__)

REFUSED = Counter("huifang_sign_in_refused_total", "Sign-in attempts refused by throttling")


class SlowDown(TooMany):
    """Too many attempts; ``retry_after`` says when to come back."""

    code = "too_many_attempts"

    def __init__(self, retry_after: timedelta) -> None:
        seconds = max(1, math.ceil(retry_after.total_seconds()))
        super().__init__(f"too many attempts: wait {seconds} s")
        self.retry_after = timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a bucket slows down.

    Attributes:
        free: attempts that cost no pause.
        first: the first pause.
        cap: the longest pause.
        memory: the bucket is empty again after so long without an attempt.
    """

    free: int
    first: timedelta
    cap: timedelta
    memory: timedelta

    def pause_after(self, attempts: int) -> timedelta:
        """Return the pause that follows the ``attempts``-th attempt in a row."""
        beyond = attempts - self.free
        if beyond <= 0:
            return timedelta(0)
        doubled: timedelta = self.first * 2 ** min(beyond - 1, 30)
        return min(self.cap, doubled)


LOGIN_PACE = Pace(free=5, first=timedelta(seconds=1), cap=timedelta(seconds=60), memory=timedelta(minutes=30))
DEVICE_PACE = LOGIN_PACE
ADDRESS_PACE = Pace(
    free=50, first=timedelta(seconds=1), cap=timedelta(seconds=60), memory=timedelta(minutes=30)
)
"""Generous: a whole office signs in from one address at nine o'clock."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together. ``shared`` ones are not emptied by one success."""

    key: str
    pace: Pace
    shared: bool = False


def buckets_for(*, login: str, ip: str, device_id: str | None) -> tuple[Bucket, ...]:
    """Return the buckets of a sign-in; ``device_id`` is the known device of this very user, if any."""
    if device_id is not None:
        return (Bucket(f"device:{device_id}", DEVICE_PACE),)
    who = hashlib.sha256(login.encode("utf-8", "surrogatepass")).hexdigest()
    return (
        Bucket(f"login:{who}", LOGIN_PACE),
        Bucket(f"ip:{_network_of(ip)}", ADDRESS_PACE, shared=True),
    )


def bucket_of_address(name: str, ip: str, pace: Pace) -> Bucket:
    """Return the bucket of whoever comes from an address, for something else than signing in."""
    return Bucket(f"{name}:{_network_of(ip)}", pace, shared=True)


def _network_of(ip: str) -> str:
    """An IPv6 caller owns a /64 and could use each address once."""
    try:
        address = ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


class Counters(Protocol):
    """Where the buckets are counted."""

    async def draw(self, buckets: Sequence[Bucket], now: float) -> float:
        """Count one attempt in every bucket; return 0, or the seconds to wait with nothing counted."""
        ...

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        """Undo an attempt that succeeded: empty own buckets, take one out of shared ones."""
        ...


class MemoryCounters:
    """Counters of this process; the oldest buckets go when there are too many."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    async def draw(self, buckets: Sequence[Bucket], now: float) -> float:
        wait = max(self._read(bucket.key, now)[1] - now for bucket in buckets)
        if wait > 0:
            return wait
        for bucket in buckets:
            attempts = self._read(bucket.key, now)[0] + 1
            until = now + bucket.pace.pause_after(attempts).total_seconds()
            self._buckets[bucket.key] = (attempts, until, now + bucket.pace.memory.total_seconds())
            self._buckets.move_to_end(bucket.key)
        while len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return 0.0

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        for bucket in buckets:
            attempts, until, forget_at = self._buckets.pop(bucket.key, (0, 0.0, 0.0))
            if bucket.shared and attempts > 1:
                self._buckets[bucket.key] = (attempts - 1, until, forget_at)

    def _read(self, key: str, now: float) -> tuple[int, float]:
        attempts, until, forget_at = self._buckets.get(key, (0, 0.0, 0.0))
        return (attempts, until) if now < forget_at else (0, 0.0)


_MILLISECOND = timedelta(milliseconds=1)

_DRAW = """
local now = tonumber(ARGV[1])
local wait = 0
for _, key in ipairs(KEYS) do
  local rest = tonumber(redis.call('HGET', key, 'until') or '0') - now
  if rest > wait then wait = rest end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  local free, first, cap, memory = unpack(ARGV, 2 + (i - 1) * 4, 5 + (i - 1) * 4)
  local beyond = redis.call('HINCRBY', key, 'n', 1) - tonumber(free)
  local pause = 0
  if beyond > 0 then pause = math.min(tonumber(cap), tonumber(first) * 2 ^ math.min(beyond - 1, 30)) end
  redis.call('HSET', key, 'until', string.format('%.0f', now + pause))
  redis.call('PEXPIRE', key, memory)
end
return 0
"""

_GIVE_BACK = """
for i, key in ipairs(KEYS) do
  if ARGV[i] == '0' then
    redis.call('DEL', key)
  elseif redis.call('EXISTS', key) == 1 and redis.call('HINCRBY', key, 'n', -1) <= 0 then
    redis.call('DEL', key)
  end
end
return 1
"""


class RedisCounters:
    """Counters shared by all processes; each call is one atomic script."""

    def __init__(self, redis: "Redis", prefix: str = "hf:throttle:") -> None:
        self._prefix = prefix
        self._draw = redis.register_script(_DRAW)
        self._give_back = redis.register_script(_GIVE_BACK)

    async def draw(self, buckets: Sequence[Bucket], now: float) -> float:
        # Whole milliseconds: Lua writes a fraction with 14 digits, which cuts an epoch short.
        args = [round(now * 1000)]
        for pace in (bucket.pace for bucket in buckets):
            args += [pace.free, *(round(part / _MILLISECOND) for part in (pace.first, pace.cap, pace.memory))]
        return int(await self._draw(keys=self._keys(buckets), args=args)) / 1000

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        await self._give_back(keys=self._keys(buckets), args=[int(bucket.shared) for bucket in buckets])

    def _keys(self, buckets: Sequence[Bucket]) -> list[str]:
        return [self._prefix + bucket.key for bucket in buckets]


class Throttle:
    """Counts in Redis where there is one, and in this process while Redis does not answer."""

    def __init__(
        self, clock: Clock, redis: "Redis | None" = None, *, deadline: timedelta = timedelta(seconds=1)
    ) -> None:
        self._clock = clock
        self._shared: Counters | None = RedisCounters(redis) if redis is not None else None
        self._own = MemoryCounters()
        self._deadline = deadline

    async def draw(self, buckets: Sequence[Bucket]) -> None:
        """Begin an attempt.

        Raises:
            SlowDown: a pause is running; nothing was counted.
        """
        now = self._clock.now().timestamp()
        wait: float | None = None
        if self._shared is not None:
            try:
                async with asyncio.timeout(self._deadline.total_seconds()):
                    wait = await self._shared.draw(buckets, now)
            except (RedisError, OSError) as error:
                log.warning("throttle_redis_lost", error=type(error).__name__)
        if wait is None:
            wait = await self._own.draw(buckets, now)
        if wait > 0:
            REFUSED.inc()
            raise SlowDown(timedelta(seconds=wait))

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        """Note that the attempt succeeded."""
        await self._own.give_back(buckets)
        if self._shared is not None:
            try:
                async with asyncio.timeout(self._deadline.total_seconds()):
                    await self._shared.give_back(buckets)
            except (RedisError, OSError) as error:
                log.warning("throttle_redis_lost", error=type(error).__name__)
