"""One AGI step of our IVR: the time between Asterisk's reply and our next command.

A fake Asterisk places 100 calls a second over loopback: a known caller asks for a callback. It answers at
once, from a list, and measures how long each next command takes to arrive. Three sides take turns in one
process, and make the very same commands in the same order:

- ``engine``: all of ours: server, session, lookup, flow, prompts, time line, decision;
- ``script``: a route of panoramisk's FastAGI server, which is what one would write without us; the goals
  compare with it, as ``ami_throughput`` does;
- ``raw``: the bytes of the commands written one after the other's reply, nothing parsed, no deadline: the
  floor under anything written with asyncio's streams.

The best round of each side counts, so that what else the machine does falls on none of them.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from panoramisk import fast_agi

from kernel.clock import FakeClock
from kernel.db import create_database
from tests.bench.report import at_most, report
from tests.support.fake_agi import FakeChannel, deeds, environment_bytes
from tests.support.menus import Customer, running_menus

RATE = 100
SECONDS = 2.5
ROUNDS = 7
WARM_UP_SECONDS = 1.0
# Main menu, callback, to this number: queries, variables, prompts, waits, events.
KEYS = "4~1"
ENVIRONMENT = environment_bytes()


Exchange = list[tuple[bytes, bytes]]


async def rehearsed(port: int) -> Exchange:
    """Place one call with a fake Asterisk that thinks, and return its commands with their replies."""
    channel = FakeChannel(deeds(KEYS))
    exchange: Exchange = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ENVIRONMENT)
    while line := await reader.readline():
        reply = channel.reply(line.decode().rstrip("\n")).encode() + b"\n"
        exchange.append((line, reply))
        writer.write(reply)
    writer.close()
    return exchange


@dataclass
class Side:
    """One of those that are compared.

    Attributes:
        rounds: seconds of every step, round by round.
        calls: whole calls.
    """

    port: int
    exchange: Exchange
    rounds: list[list[float]] = field(default_factory=list)
    calls: int = 0

    @property
    def best(self) -> list[float]:
        """The round with the smallest median."""
        return min(self.rounds, key=lambda steps: percentile(steps, 0.5))

    async def call(self) -> None:
        """Place one call and note the time of each step.

        Raises:
            RuntimeError: another command came than in the rehearsal.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        clock = time.perf_counter
        steps = []
        writer.write(ENVIRONMENT)
        sent = clock()
        for expected, reply in self.exchange:
            line = await reader.readline()
            steps.append(clock() - sent)
            if line != expected:
                raise RuntimeError(f"{line!r} came where {expected!r} was expected")
            writer.write(reply)
            sent = clock()
        if await reader.read():
            raise RuntimeError("the call did not end where it should")
        writer.close()
        # The first step opens the connection; it is measured as part of none.
        self.rounds[-1] += steps[1:]
        self.calls += 1


async def at_rate(call: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Start ``RATE`` calls a second on their own times, late or not, and wait for all."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(int(RATE * seconds)):
            await asyncio.sleep(max(0.0, start + number / RATE - loop.time()))
            group.create_task(_ignore(call))


async def _ignore(call: Callable[[], Awaitable[object]]) -> None:
    await call()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def raw_script(exchange: Exchange) -> Serve:
    """Return a server that only writes and reads lines."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        for line, _ in exchange:
            writer.write(line)
            await writer.drain()
            await reader.readline()
        writer.close()

    return serve


def panoramisk_script(exchange: Exchange) -> Serve:
    """Return panoramisk's FastAGI server with one route that sends the commands."""
    commands = [line.decode().rstrip("\n") for line, _ in exchange]

    async def route(request: fast_agi.Request) -> None:
        for command in commands:
            await request.send_command(command)

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("flow/4001", route)
    serve: Serve = application.handler
    return serve


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of them lie, in milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def measure(folder: Path) -> dict[str, Side]:
    """Measure all sides in turns."""
    database = create_database(f"sqlite+aiosqlite:///{folder / 'bench.db'}")
    await database.create_all()
    # A Monday at ten in Shanghai, so that the hotline is open whenever this runs.
    clock = FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))
    try:
        async with AsyncExitStack() as stack:
            menus = await stack.enter_async_context(running_menus(folder, database, clock))
            menus.directory.customers = [Customer()]
            exchange = await rehearsed(menus.server.port)
            sides = {"engine": Side(menus.server.port, exchange)}
            for name, make in (("script", panoramisk_script), ("raw", raw_script)):
                server = await asyncio.start_server(make(exchange), "127.0.0.1", 0, backlog=512)
                await stack.enter_async_context(server)
                sides[name] = Side(server.sockets[0].getsockname()[1], exchange)
            for number in range(ROUNDS + 1):
                for side in sides.values():
                    gc.collect()
                    side.rounds.append([])
                    await at_rate(side.call, SECONDS if number else WARM_UP_SECONDS)
            for side in sides.values():
                del side.rounds[0]
            return sides
    finally:
        await database.dispose()


async def run() -> dict[str, object]:
    """Run the benchmark."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with TemporaryDirectory() as folder:
        sides = await measure(Path(folder))
    figures: dict[str, float] = {}
    for name, side in sides.items():
        figures[f"{name}_p50_ms"] = percentile(side.best, 0.5)
        figures[f"{name}_p99_ms"] = percentile(side.best, 0.99)
    ratio = figures["engine_p50_ms"] / figures["script_p50_ms"]
    figures |= {
        "ratio": ratio,
        "ratio_p99": figures["engine_p99_ms"] / figures["script_p99_ms"],
        "ratio_to_raw": figures["engine_p50_ms"] / figures["raw_p50_ms"],
        "calls_per_second": RATE,
        "commands_per_call": len(sides["engine"].exchange),
        "engine_calls": sides["engine"].calls,
    }
    goals = {"ratio": at_most(ratio, 1.5), "engine_p99_ms": at_most(figures["engine_p99_ms"], 10)}
    return report("ivr_step", figures, goals)
