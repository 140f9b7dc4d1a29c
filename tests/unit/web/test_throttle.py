"""Pauses between sign-in attempts, on a clock that stands still."""

from datetime import UTC, datetime, timedelta

import pytest

from kernel.clock import FakeClock
from web.throttle import (
    ADDRESS_PACE,
    DEVICE_PACE,
    LOGIN_PACE,
    Bucket,
    MemoryCounters,
    Pace,
    SlowDown,
    Throttle,
    buckets_for,
)

pytestmark = pytest.mark.unit

SECOND = timedelta(seconds=1)
PACE = Pace(free=3, first=SECOND, cap=timedelta(seconds=8), memory=timedelta(minutes=10))


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 0), (3, 0), (4, 1), (5, 2), (6, 4), (7, 8), (8, 8), (10_000, 8)]
)
def test_pauses_double_up_to_the_cap(attempts: int, seconds: int) -> None:
    assert PACE.pause_after(attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize("pace", [LOGIN_PACE, DEVICE_PACE, ADDRESS_PACE])
def test_nobody_is_ever_locked_out_for_good(pace: Pace) -> None:
    assert pace.pause_after(10**9) <= timedelta(minutes=1)
    assert pace.memory > pace.cap


def test_a_stranger_draws_on_login_and_address() -> None:
    keys = [bucket.key for bucket in buckets_for(login="wang", ip="203.0.113.7", device_id=None)]
    assert len(keys) == 2
    assert keys[0].startswith("login:")
    assert "wang" not in keys[0]
    assert keys[1] == "ip:203.0.113.7"


def test_a_known_device_has_its_own_account() -> None:
    (bucket,) = buckets_for(login="wang", ip="203.0.113.7", device_id="d1")
    assert bucket.key == "device:d1"


def test_an_ipv6_caller_is_its_whole_network() -> None:
    def key(ip: str) -> str:
        return buckets_for(login="wang", ip=ip, device_id=None)[1].key

    assert key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9") == "ip:2001:db8:1:2::"
    assert key("2001:db8:1:3::1") != key("2001:db8:1:2::1")
    assert key("") == key("not an address") == "ip:unknown"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))


async def test_after_the_free_attempts_a_pause_must_be_kept(clock: FakeClock) -> None:
    throttle, bucket = Throttle(clock), Bucket("login:x", PACE)
    for _ in range(4):
        await throttle.draw((bucket,))
    with pytest.raises(SlowDown) as refused:
        await throttle.draw((bucket,))
    assert refused.value.retry_after == SECOND
    clock.advance(SECOND)
    await throttle.draw((bucket,))
    with pytest.raises(SlowDown) as refused:
        await throttle.draw((bucket,))
    assert refused.value.retry_after == 2 * SECOND


async def test_refused_attempts_do_not_lengthen_the_pause(clock: FakeClock) -> None:
    throttle, bucket = Throttle(clock), Bucket("login:x", PACE)
    for _ in range(4):
        await throttle.draw((bucket,))
    for _ in range(100):
        with pytest.raises(SlowDown):
            await throttle.draw((bucket,))
    clock.advance(SECOND)
    await throttle.draw((bucket,))


async def test_success_empties_the_own_bucket_and_takes_one_from_a_shared_one(clock: FakeClock) -> None:
    throttle = Throttle(clock)
    own, shared = Bucket("login:x", PACE), Bucket("ip:y", PACE, shared=True)
    for _ in range(3):
        await throttle.draw((own, shared))
    await throttle.give_back((own, shared))
    for _ in range(2):
        await throttle.draw((Bucket("login:z", PACE), shared))
    with pytest.raises(SlowDown):
        await throttle.draw((Bucket("login:z", PACE), shared))
    await throttle.draw((own,))


async def test_a_bucket_is_forgotten(clock: FakeClock) -> None:
    throttle, bucket = Throttle(clock), Bucket("login:x", PACE)
    for _ in range(4):
        await throttle.draw((bucket,))
    clock.advance(PACE.memory)
    for _ in range(4):
        await throttle.draw((bucket,))


async def test_memory_is_bounded() -> None:
    counters = MemoryCounters(limit=10)
    for n in range(1000):
        assert await counters.draw((Bucket(f"login:{n}", PACE),), 0.0) == 0
    assert len(counters._buckets) == 10
