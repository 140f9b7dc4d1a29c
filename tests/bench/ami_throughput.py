"""Events a second: bare panoramisk against our pipeline, on the same recorded bytes, in CPU time.

``bare`` is panoramisk's ``AMIProtocol.data_received`` with a manager that has no callbacks: it frames,
decodes and parses. ``ours`` is the same bytes through our wire, framing, action table, bounded stream and
consumer, and then a sink: ``link`` does nothing with the event, ``calls`` is the call model, ``pipeline`` is
the service's own ingest with call model, news, write-behind and the bus, whose subscriber serialises every
event as it would for another process. Writing to SQL is not part of it: it is done in batches beside the
stream. All sides take turns in one process; the best round of each counts.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import create_database
from kernel.events import encode
from telephony.ami import AmiConfig, AmiEvent, AmiLink
from telephony.ami.codec import Decoder
from telephony.ami.record import read_recording
from telephony.ami.wire import Wire
from telephony.domain.call_book import CallBook
from telephony.ingest import TelephonyIngest
from telephony.spool import CallSpool
from telephony.writer import CallWriter
from tests.bench.report import at_least, report

RECORDING = Path(__file__).resolve().parents[1] / "data" / "ami" / "morning.ami"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
REPEAT = 60
ROUNDS = 5
# What a socket gives at a time under load.
CHUNK = 16 * 1024

Sink = Callable[[AmiEvent], object]


def nothing() -> Sink:
    """Events are read and forgotten."""
    return lambda _: None


def call_model() -> Sink:
    """Every event through the call model."""
    book = CallBook("pbx1")
    now = datetime.now(UTC)
    return lambda event: book.handle(event, now=now)


def pipeline() -> Sink:
    """Every event through the service: call model, write-behind in memory, fan-out."""
    clock = SystemClock()
    database = create_database("sqlite+aiosqlite:///:memory:")
    writer = CallWriter(database, CallSpool(Path("unused")), agent_id_of=lambda number: number)
    bus = Bus()
    ingest = TelephonyIngest(
        AmiLink(AmiConfig(), clock=clock, node="pbx1"),
        CallBook("pbx1"),
        bus=bus,
        writer=writer,
        database=database,
        clock=clock,
        agent_id_of=lambda number: number,
    )
    subscriber = bus.subscribe(name="bench")

    def sink(event: AmiEvent) -> None:
        ingest._take(event)
        while subscriber._items:
            encode(subscriber._items.popleft())

    return sink


SINKS: dict[str, Callable[[], Sink]] = {"link": nothing, "calls": call_model, "pipeline": pipeline}


def workload() -> tuple[list[bytes], int]:
    """The recorded morning many times over, each time with other channels and calls; and its events."""
    data = RECORDING.read_bytes()
    body = data[data.index(b"Event: FullyBooted") :]
    body = body[body.index(b"\r\n\r\n") + 4 :]
    unique = re.compile(rb"\b\d{10}(?=\.\d+)")
    identity = re.compile(rb"\b[0-9A-HJKMNP-TV-Z]{10}(?=[0-9A-HJKMNP-TV-Z]{16}\b)")
    parts = []
    for turn in range(REPEAT):
        part = unique.sub(b"%010d" % (1_000_000_000 + turn), body)
        parts.append(identity.sub(b"01J%07d" % turn, part))
    whole = b"".join(parts)
    return [whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK)], sum(
        isinstance(each, AmiEvent) for each in read_recording(BANNER + whole)
    )


def bare(chunks: list[bytes]) -> float:
    """CPU seconds panoramisk needs."""
    protocol = AMIProtocol()
    protocol.connection_made(None)
    protocol.factory = Manager()
    protocol.encoding = "utf8"
    protocol.queue = deque()
    protocol.data_received(BANNER)
    start = time.process_time()
    for chunk in chunks:
        protocol.data_received(chunk)
    return time.process_time() - start


async def ours(chunks: list[bytes], sink: Sink) -> tuple[float, int]:
    """CPU seconds our pipeline needs, and the events that came out of it."""
    config = AmiConfig(queue_items=1_000_000, queue_bytes=1 << 30)
    link = AmiLink(config, clock=SystemClock(), node="pbx1")
    wire = Wire(Decoder(config.discard), link._deliver, link._lost, backlog=config.write_backlog)
    wire.data_received(BANNER)
    received = 0

    async def consume() -> None:
        nonlocal received
        async for item in link.items():
            if isinstance(item, AmiEvent):
                received += 1
                sink(item)

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    start = time.process_time()
    for chunk in chunks:
        wire.data_received(chunk)
        await asyncio.sleep(0)
    await link.close()
    await consumer
    return time.process_time() - start, received


async def run() -> dict[str, object]:
    """Measure and report."""
    chunks, events = workload()
    best = dict.fromkeys(["bare", *SINKS], float("inf"))
    for _ in range(ROUNDS):
        best["bare"] = min(best["bare"], bare(chunks))
        for name, sink in SINKS.items():
            seconds, received = await ours(chunks, sink())
            if received != events:
                raise AssertionError(f"{name}: {received} of {events} events came out")
            best[name] = min(best[name], seconds)
    rates = {name: events / seconds for name, seconds in best.items()}
    figures: dict[str, float] = {"recorded_events": events}
    figures["bytes_per_event"] = sum(map(len, chunks)) / events
    for name, rate in rates.items():
        figures[f"{name}_events_per_cpu_second"] = rate
        figures[f"{name}_microseconds_per_event"] = 1e6 / rate
    for name in SINKS:
        figures[f"{name}_to_bare_ratio"] = rates[name] / rates["bare"]
    goals = {"pipeline_to_bare_ratio": at_least(rates["pipeline"] / rates["bare"], 0.5)}
    return report("ami_throughput", figures, goals)
