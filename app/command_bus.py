"""The bus for a command: what it publishes reaches the processes of a centre that runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.settings import Settings
from kernel.bus import Bus
from kernel.redis_client import connect_redis
from kernel.supervise import end_tasks

REDIS_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class CommandBus:
    """A bus for the length of a command; ``shared`` tells whether any Redis is there to carry it."""

    bus: Bus
    shared: bool

    async def told(self) -> bool:
        """Wait until what was published has gone out; false when nobody takes it."""
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                await self.bus.drain()
        except TimeoutError:
            return False
        return self.shared


@asynccontextmanager
async def open_bus(settings: Settings) -> AsyncIterator[CommandBus]:
    """Give a bus for the length of the block."""
    if not settings.redis_url and not _private_redis_runs(settings):
        yield CommandBus(Bus(), shared=False)
        return
    redis = connect_redis(settings.redis_address)
    bus = Bus(redis)
    pump = asyncio.create_task(bus.run())
    try:
        yield CommandBus(bus, shared=True)
    finally:
        await end_tasks([pump])
        await redis.aclose()


def _private_redis_runs(settings: Settings) -> bool:
    return Path(urlsplit(settings.redis_address).path).is_socket()
