"""How many calls a second the dialler begins with every check on, and what one costs.

A real Asterisk; SIPp plays the network: four of ten people answer and are asked by a (very short) survey over
FastAGI, the others are busy, decline, do not exist, are switched off, do not answer, or cannot be reached.
The dialler, the call model with its records, and the FastAGI server share one process and an SQLite file on
disk. Each call is checked and committed before its one Originate is written, and followed to its end.

``claim`` is the time from choosing a task to its committed attempt. What was counted at the far end says
whether anybody was called twice.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from callback_campaigns.attempt_keeper import KeeperConfig
from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.dialler import DiallerConfig
from callback_campaigns.domain.attempt import AttemptLimits
from telephony.agi.session import AgiSession
from telephony.ingest import IngestConfig
from tests.bench.apart import busy_percent, cpu_seconds, machine_ticks, percentile, resident_mb
from tests.bench.report import at_least, at_most, report
from tests.support.agi_routes import agi_routes
from tests.support.db import sqlite_database
from tests.support.dial_stage import DialStage, ami_of, dial_stage
from tests.support.dialling import ShiftedClock, start_campaign, waiting_customers
from tests.support.network import network
from tests.support.pbx import running_pbx
from tests.support.waiting import eventually

CALLS = int(os.environ.get("BENCH_DIAL_CALLS", "3000"))
GOAL_RATE = 50.0
LINES = 300
RTP_PORTS = (10_000, 14_998)
RING = timedelta(seconds=2)


async def survey(agi: AgiSession) -> None:
    """Two answers, and goodbye."""
    call = await agi.get_variable("HF_CALL") or ""
    await agi.user_event("HuifangMenu", Call=call, Node="q1", Key="1", Label="满意")
    await agi.set_variable("HF_NEXT", "hangup")


def people() -> list[str]:
    """Everybody's number; the last digit says what they do."""
    return [f"+86136{index // 10:07d}{index % 10}" for index in range(CALLS)]


@asynccontextmanager
async def timed_claims() -> AsyncIterator[list[float]]:
    """Time every claim inside the block."""
    times: list[float] = []
    begin = DialAttempts.begin

    async def timed(self: DialAttempts, wanted: Any) -> Any:
        began = time.perf_counter()
        try:
            return await begin(self, wanted)
        finally:
            times.append(time.perf_counter() - began)

    DialAttempts.begin = timed  # type: ignore[method-assign]
    try:
        yield times
    finally:
        DialAttempts.begin = begin  # type: ignore[method-assign]


async def measure(folder: Path) -> dict[str, Any]:
    """Dial everybody once."""
    numbers = people()
    clock = ShiftedClock()
    limits = AttemptLimits(ring=RING, settle=timedelta(seconds=30))
    async with (
        sqlite_database() as database,
        running_pbx(folder, rtp_start=RTP_PORTS[0], rtp_end=RTP_PORTS[1]) as pbx,
        agi_routes(pbx.config.agi_port, {"survey": survey}),
        network(pbx, ring=timedelta(milliseconds=500), talk=timedelta(seconds=20)) as outside,
        timed_claims() as claims,
        dial_stage(
            ami_of(pbx),
            database,
            folder,
            clock,
            config=DiallerConfig(ring=RING, tick=timedelta(milliseconds=50)),
            keeper=KeeperConfig(limits=limits),
            trunk_lines=LINES,
            # What is measured is the dialler, not the rate that a trunk is given.
            trunk_per_second=500,
            ingest_config=IngestConfig(),
        ) as stage,
    ):
        await waiting_customers(database, clock, numbers)
        ticks, cpu, pbx_cpu = machine_ticks(), time.process_time(), cpu_seconds(pbx.server.pid)
        began = time.perf_counter()
        await start_campaign(database, clock, lines=LINES, per_second=500)
        await eventually(lambda: len(claims) >= len(numbers), timeout=200, interval=0.05, what="all begun")
        dialled = time.perf_counter() - began
        await eventually(lambda: _over(stage, len(numbers)), timeout=60, interval=0.5, what="all over")
        cpu, pbx_cpu = time.process_time() - cpu, cpu_seconds(pbx.server.pid) - pbx_cpu
        rows = await stage.dialling.attempts()
        busy = busy_percent(ticks, machine_ticks())
        memory = resident_mb(os.getpid())
    calls = [outside.offered[number.removeprefix("+86")] for number in numbers]
    rate = len(numbers) / dialled
    p99 = percentile(claims, 0.99) * 1000
    return report(
        "dialler",
        {
            "originates_per_second": rate,
            "calls_count": len(numbers),
            "claim_p50_ms": percentile(claims, 0.5) * 1000,
            "claim_p99_ms": p99,
            "cpu_ms_per_call": cpu * 1000 / len(numbers),
            "asterisk_cpu_ms_per_call": pbx_cpu * 1000 / len(numbers),
            "memory_mb": memory,
            "called_twice_count": sum(count > 1 for count in calls),
            "not_called_count": sum(count == 0 for count in calls),
            "outcomes_unknown_count": sum(row.outcome == "unknown" for row in rows),
            "machine_busy_percent": busy,
        },
        {
            "originates_per_second": at_least(rate, GOAL_RATE),
            "called_twice, count": at_most(sum(count > 1 for count in calls), 1),
        },
    )


async def _over(stage: DialStage, count: int) -> bool:
    return not stage.dialling.keeper.open_attempts() and await stage.dialling.settled(count)


def run() -> dict[str, Any]:
    """Run the bench."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
