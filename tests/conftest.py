"""Fixtures that every layer may use."""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import pytest
import structlog
from redis.asyncio import Redis

from app.runtime import Runtime
from app.runtime.redis_server import RedisServer
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.redis_client import connect_redis
from tests.support.db import postgres_database, sqlite_database
from tests.support.deadline import last_deadline
from tests.support.runtime import runtime_folder

MEMORY = Path("/dev/shm")
ROOM = 6 * 1024**3
LAST_SECONDS = 460.0
"""More than any test's own limit, its clean-up included."""
ERRORS = pytest.StashKey[TextIO]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory where there is room: no test waits for a disk with other work."""
    # What a test prints is taken from it; what it hangs in must be read.
    config.stash[ERRORS] = os.fdopen(os.dup(2), "w")
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or "TMPDIR" in os.environ:
        return
    if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC or shutil.disk_usage(MEMORY).free < ROOM:
        return
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """No test outlives its time limit for long, whatever it hangs in."""
    with last_deadline(item.nodeid, LAST_SECONDS, item.config.stash[ERRORS]):
        return (yield)


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what was imported: it is many objects, and they stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Undo what a test did to the logs: a command that ran in this process logs to a stream that is gone."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at Monday 2 March 2026, 10:00 in Shanghai."""
    return FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An empty database with all imported tables, once on SQLite and once on PostgreSQL."""
    made = sqlite_database() if request.param == "sqlite" else postgres_database()
    async with made as found:
        yield found


@pytest.fixture
async def sqlite() -> AsyncIterator[Database]:
    """An empty SQLite database, for tests where the database is not the point."""
    async with sqlite_database() as found:
        yield found


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A private redis-server on a socket; a test may stop and start it."""
    found = await Runtime.ensure(runtime_folder(), need={"redis"})
    server = RedisServer(found.redis, tmp_path / "redis")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of ``redis_server``."""
    client = connect_redis(redis_server.url)
    try:
        yield client
    finally:
        await client.aclose()
