"""Flows from the command line."""

import asyncio
from pathlib import Path

from redis.asyncio import Redis

import app.models  # noqa: F401 - relationships between tables need all of them
from app.container import REDIS_SECONDS, build_flows
from app.numbers import QueueBook
from app.runtime import Runtime
from app.schema import check
from app.settings import Settings
from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import create_database
from kernel.errors import Invalid
from kernel.supervise import end_tasks
from telephony.roster import Roster


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{file}: not UTF-8 text") from error


async def check_file(settings: Settings, file: Path) -> list[str]:
    """Return every mistake of a flow file with its place; no list entry means none."""
    text = _read(file)
    database = create_database(settings.sql_url)
    try:
        await check(database)
        queues = await QueueBook(Roster(database, SystemClock(), Bus())).queue_names()
    finally:
        await database.dispose()
    constants = {"company": settings.centre.company}
    try:
        await asyncio.to_thread(load_flow, text, source=str(file), queues=queues, constants=constants)
    except FlowInvalid as error:
        return error.message.splitlines()
    return []


async def publish_file(settings: Settings, file: Path) -> str:
    """Publish a flow under the name of its file; return a line that says what was done.

    A centre that runs takes the new version at once.

    Raises:
        FlowInvalid: with every mistake; the version in force stays.
    """
    text = _read(file)
    runtime = await Runtime.ensure(settings.runtime_dir, need={"espeak"})
    database = create_database(settings.sql_url)
    redis = Redis.from_url(settings.redis_address, socket_connect_timeout=REDIS_SECONDS)
    bus = Bus(redis)
    pump = asyncio.create_task(bus.run())
    try:
        await check(database)
        flows, _ = await build_flows(settings, database, SystemClock(), bus, runtime.espeak)
        published = await flows.publish(file.stem.replace("_", "-"), text, by="cli")
        told = "in force"
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                await bus.drain()
        except TimeoutError:
            told = "stored; the centre takes it at its next start (Redis is not reachable)"
    finally:
        await end_tasks([pump])
        await redis.aclose()
        await database.dispose()
    return f"{published.name} version {published.version} is {told}"
