"""The counters behind throttling: in memory and in a real Redis they count alike."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from web.throttle import Bucket, Counters, MemoryCounters, Pace, RedisCounters

pytestmark = pytest.mark.contract

PACE = Pace(free=2, first=timedelta(seconds=1.5), cap=timedelta(seconds=6), memory=timedelta(minutes=10))
OWN = Bucket("login:x", PACE)
SHARED = Bucket("ip:y", Pace(free=3, first=PACE.first, cap=PACE.cap, memory=PACE.memory), shared=True)
NOW = 1_772_416_800.123456


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest) -> Counters:
    if request.param == "memory":
        return MemoryCounters()
    redis: Redis = request.getfixturevalue("redis")
    return RedisCounters(redis)


async def test_pauses_begin_after_the_free_attempts_and_double(counters: Counters) -> None:
    now = NOW
    for _ in range(2):
        assert await counters.draw((OWN,), now) == 0
    for pause in (1.5, 3, 6, 6, 6):
        assert await counters.draw((OWN,), now) == 0
        assert await counters.draw((OWN,), now) == pytest.approx(pause, abs=0.001)
        now += pause


async def test_the_longest_pause_of_several_buckets_counts_and_nothing_is_counted_inside_it(
    counters: Counters,
) -> None:
    for _ in range(3):
        await counters.draw((OWN,), NOW)
    for _ in range(50):
        assert await counters.draw((OWN, SHARED), NOW + 0.5) == pytest.approx(1.0, abs=0.001)
    for _ in range(4):
        assert await counters.draw((SHARED,), NOW + 0.5) == 0  # untouched by the refused ones
    assert await counters.draw((SHARED,), NOW + 0.5) > 0


async def test_giving_back(counters: Counters) -> None:
    for _ in range(3):
        await counters.draw((OWN, SHARED), NOW)
    await counters.give_back((OWN, SHARED))
    for _ in range(2):
        assert await counters.draw((OWN, SHARED), NOW) == 0
    await counters.give_back((OWN,))
    assert await counters.draw((OWN,), NOW) == 0
    assert await counters.draw((SHARED,), NOW) > 0


async def test_giving_back_what_was_never_drawn_changes_nothing(counters: Counters) -> None:
    await counters.give_back((OWN, SHARED))
    for _ in range(4):
        assert await counters.draw((SHARED,), NOW) == 0
    assert await counters.draw((SHARED,), NOW) > 0


async def test_a_burst_is_counted_one_by_one(counters: Counters) -> None:
    waits = await asyncio.gather(*(counters.draw((OWN,), NOW) for _ in range(20)))
    assert waits.count(0) == 3


async def test_redis_keys_end_by_themselves(redis: Redis) -> None:
    await RedisCounters(redis, prefix="t:").draw((OWN, SHARED), NOW)
    keys = await redis.keys("t:*")
    assert len(keys) == 2
    for key in keys:
        assert 0 < await redis.ttl(key) <= 600
