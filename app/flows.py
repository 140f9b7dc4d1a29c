"""Flows from the command line."""

import asyncio
from pathlib import Path

from app.command_bus import open_bus
from app.container import build_flows
from app.numbers import QueueBook
from app.settings import Settings
from app.store import open_store
from app.voice import Voice, needed_espeak
from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.errors import Invalid
from telephony.roster import Roster


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{file}: not UTF-8 text") from error


async def check_file(settings: Settings, file: Path) -> list[str]:
    """Return every mistake of a flow file with its place; no list entry means none."""
    text = _read(file)
    async with open_store(settings) as database:
        queues = await QueueBook(Roster(database, SystemClock(), Bus())).queue_names()
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
    voice = Voice(settings, await needed_espeak(settings))
    async with open_store(settings) as database, open_bus(settings) as command:
        flows, _ = await build_flows(settings, database, SystemClock(), command.bus, voice)
        published = await flows.publish(file.stem.replace("_", "-"), text, by="cli")
        in_force = await command.told()
    state = "in force" if in_force else "stored; the centre takes it at its next start"
    return f"{published.name} version {published.version} is {state}"
