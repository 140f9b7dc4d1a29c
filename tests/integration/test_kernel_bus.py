"""Live events between processes, over a real Redis."""

import asyncio
import contextlib

import pytest
from redis.asyncio import Redis

from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.events import Event, event
from kernel.supervise import end_tasks
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@event
class Rung(Event):
    """An event for these tests."""

    bell: str


async def test_live_events_reach_the_other_process(redis: Redis, clock: FakeClock) -> None:
    here, there = Bus(redis), Bus(redis)
    pumps = [asyncio.create_task(bus.run()) for bus in (here, there)]
    async with there.subscribe(Rung, name="t") as far, here.subscribe(Rung, name="h") as near:
        sent = 0

        async def arrived() -> bool:
            nonlocal sent
            # The other side reads from «now»; what was published before it was ready is not for it.
            here.publish(Rung(at=clock.now(), bell=str(sent)))
            sent += 1
            with contextlib.suppress(TimeoutError):
                return isinstance(await asyncio.wait_for(far.get(), 0.05), Rung)
            return False

        await eventually(arrived)
        for _ in range(sent):
            assert isinstance(await near.get(), Rung)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(near.get(), 0.05)
    assert await end_tasks(pumps) == ()


async def test_live_events_do_not_stay_in_redis(redis: Redis, clock: FakeClock) -> None:
    bus = Bus(redis, stream="hf:old")
    await redis.xadd("hf:old", {b"o": b"elsewhere", b"e": "客户说的话".encode()}, id="1-1")
    pump = asyncio.create_task(bus.run())

    async def swept() -> bool:
        return await redis.xlen("hf:old") == 0

    await eventually(swept, timeout=20)
    bus.publish(Rung(at=clock.now(), bell="new"))

    async def kept() -> bool:
        return await redis.xlen("hf:old") == 1

    await eventually(kept, timeout=20)
    assert await end_tasks([pump]) == ()
