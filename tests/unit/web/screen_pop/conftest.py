"""A desktop that runs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel.clock import FakeClock
from tests.support.desktop import Desktop


@pytest.fixture
async def desktop(clock: FakeClock) -> AsyncIterator[Desktop]:
    made = Desktop(clock)
    running = asyncio.create_task(made.pops.run())
    await asyncio.sleep(0)
    yield made
    running.cancel()
    await asyncio.wait({running})
