"""The telephone network as the dialler meets it: many numbers, played by one SIPp, each call counted.

What a number does follows from its last digit; what is not named here answers.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from app.sipp import SippProcess, render_scenario
from tests.support.pbx import NETWORK_HOST, Pbx

BUSY, DECLINES, EMPTY, OFF, SILENT, NO_WAY = "1", "2", "3", "4", "5", "6"
HABITS: Final = (
    (BUSY, "486 Busy Here"),
    (DECLINES, "603 Decline"),
    (EMPTY, "404 Not Found"),
    (OFF, "480 Temporarily Unavailable"),
    (SILENT, "silence"),
    (NO_WAY, "503 Service Unavailable"),
)
"""Last digit of the number, and what is said to whoever calls it."""


@dataclass
class Network:
    """Everybody out there. ``offered``: how often each number was called."""

    offered: Counter[str] = field(default_factory=Counter)
    talking: Counter[str] = field(default_factory=Counter)


@contextlib.asynccontextmanager
async def network(
    pbx: Pbx,
    *,
    ring: timedelta = timedelta(milliseconds=50),
    talk: timedelta = timedelta(minutes=5),
) -> AsyncIterator[Network]:
    """Play the network behind the trunk for the length of the block."""
    folder = pbx.config.paths.spool / "phones"
    folder.mkdir(parents=True, exist_ok=True)
    scenario = render_scenario(
        "people",
        habits=HABITS,
        ring_ms=round(ring.total_seconds() * 1000),
        talk_ms=round(talk.total_seconds() * 1000),
    )
    process = SippProcess(
        pbx.runtime.sipp.command(),
        scenario,
        target=(pbx.config.sip_host, pbx.config.sip_port),
        host=NETWORK_HOST,
        port=pbx.trunk.port,
        folder=folder,
        arguments=["-aa"],
        env=pbx.runtime.sipp.env(),
    )
    found = Network()

    async def follow() -> None:
        async for event in process.events():
            if event.name == "offered":
                found.offered[event.detail[0]] += 1
            elif event.name == "talking":
                found.talking[event.detail[0]] += 1

    async with process:
        following = asyncio.create_task(follow())
        try:
            yield found
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
