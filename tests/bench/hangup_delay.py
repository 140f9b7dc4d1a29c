"""How much longer a hang-up takes when both speakers are tapped, in milliseconds.

From the hang-up's arrival at Asterisk (``HangupRequest``) to the end of the last channel of the call itself,
by Asterisk's own times; taps' channels are not counted. Real calls with both speakers listened to by Vosk,
against real calls that nobody listens to, in turns; the customer and the agent hang up by turns, in the
middle of what they say.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.apart import busy_percent, machine_ticks, percentile
from tests.bench.report import at_most, report
from tests.bench.talking import TAPPED, UNTAPPED, Clip, Stage, korean, stage
from tests.support.pbx import Pbx
from tests.support.waiting import eventually

CALLS = 12
"""Of each kind."""
LIMIT_SECONDS = 420


class Manager:
    """A second reader of the manager interface, that only looks."""

    def __init__(self) -> None:
        self.events: list[dict[str, str]] = []

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Keep hang-ups until the connection ends."""
        event: dict[str, str] = {}
        while raw := await reader.readline():
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line:
                key, _, value = line.partition(": ")
                event[key] = value
                continue
            if event.get("Event") in {"HangupRequest", "SoftHangupRequest", "Hangup"}:
                self.events.append(event)
            event = {}

    def took(self, since: int) -> float:
        """Return the milliseconds of the hang-up whose events begin at ``since``."""
        own = [one for one in self.events[since:] if not one["Channel"].startswith("AudioSocket/")]
        asked = next(float(one["Timestamp"]) for one in own if one["Event"] == "HangupRequest")
        return 1000 * (max(float(one["Timestamp"]) for one in own if one["Event"] == "Hangup") - asked)


@asynccontextmanager
async def manager(pbx: Pbx) -> AsyncIterator[Manager]:
    """Look at the manager interface for the length of the block."""
    config = pbx.config
    reader, writer = await asyncio.open_connection(config.ami_host, config.ami_port)
    writer.write(
        f"Action: Login\r\nUsername: {config.ami_user}\r\nSecret: {config.ami_secret}\r\n"
        "Events: call\r\n\r\n".encode()
    )
    looking = Manager()
    task = asyncio.create_task(looking.read(reader))
    try:
        yield looking
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def hang_up(running: Stage, looking: Manager, key: str, said: Clip, *, by_agent: bool) -> float:
    """Call, talk, hang up; return how long it took."""
    taps = 2 if key == TAPPED else 0
    async with running.conversations(1, key) as (talk,):
        await running.tapped(taps)
        for phone in (talk.caller, talk.agent):
            phone.handset.say(said.samples)
        await asyncio.sleep(0.8)
        since = len(looking.events)
        await (talk.agent if by_agent else talk.caller).hang_up()

        def over() -> bool:
            ended = [one for one in looking.events[since:] if one["Event"] == "Hangup"]
            return sum(not one["Channel"].startswith("AudioSocket/") for one in ended) >= 2

        await eventually(over, timeout=10, what="both channels have ended")
    await running.tapped(0)
    return looking.took(since)


async def measure(folder: Path) -> dict[str, Any]:
    """Hang up in turns."""
    took: dict[str, list[float]] = {TAPPED: [], UNTAPPED: []}
    clips = korean()
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(stage(folder, model="vosk-ko", language="ko", agents=2))
        looking = await stack.enter_async_context(manager(running.centre.pbx))
        await running.warm(clips[0])  # the first of everything is slower
        ticks = machine_ticks()
        for index in range(CALLS):
            for key in (TAPPED, UNTAPPED) if index % 2 else (UNTAPPED, TAPPED):
                said = clips[index % len(clips)]
                took[key].append(await hang_up(running, looking, key, said, by_agent=index % 4 > 1))
        busy = busy_percent(ticks, machine_ticks())
    figures: dict[str, float] = {"calls_of_each_kind_count": CALLS, "machine_busy_percent": busy}
    for name, key in (("untapped", UNTAPPED), ("tapped", TAPPED)):
        figures |= {
            f"{name}_p50_ms": percentile(took[key], 0.5),
            f"{name}_p90_ms": percentile(took[key], 0.9),
            f"{name}_longest_ms": max(took[key]),
        }
    figures["more_p50_ms"] = figures["tapped_p50_ms"] - figures["untapped_p50_ms"]
    figures["more_p90_ms"] = figures["tapped_p90_ms"] - figures["untapped_p90_ms"]
    return report(
        "hangup_delay",
        figures,
        {
            "more, p50, ms": at_most(figures["more_p50_ms"], 50),
            "more, p90, ms": at_most(figures["more_p90_ms"], 50),
        },
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
