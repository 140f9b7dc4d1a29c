"""Every way through every questionnaire, walked on a real Asterisk, and whether each comes to what it should.

A customer hears which question is asked and presses its key. Over IVR: every variant of KG, YB, ZQ, WG, TS,
BX and JG satisfied, every key of every item, each decisive item's bad key alone. With an agent: the sets of A
level and of customers who left. The questions asked, the answers kept, verdict, score, and the tickets with
their departments are compared with the specification's tables, which are written down here a second time.
"""

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from kernel.clock import FakeClock
from tests.bench.apart import busy_percent, machine_ticks
from tests.bench.report import at_most, report
from tests.support.db import sqlite_database
from tests.support.survey_walk import walk_line
from tests.support.walk_table import Walk, by_machine, by_people

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


async def measure(folder: Path) -> dict[str, Any]:
    """Walk all of them."""
    walks = [*by_machine(), *by_people()]
    over: list[Walk] = []

    def told(walk: Walk) -> None:
        over.append(walk)
        print(f"{len(over)} of {len(walks)}: {walk.name}", file=sys.stderr)

    async with sqlite_database() as database, walk_line(folder, database, FakeClock(MONDAY)) as line:
        ticks, began = machine_ticks(), time.perf_counter()
        wrong = await line.walk_all(walks, told=told)
        took, busy = time.perf_counter() - began, busy_percent(ticks, machine_ticks())
    for one in wrong:
        print(one, file=sys.stderr)
    keys = {(item, key) for walk in walks for item, key in walk.keys.items()}
    return report(
        "survey_walk",
        {
            "calls_count": len(walks),
            "calls_by_ivr_count": sum(not walk.by_people for walk in walks),
            "keys_of_items_count": len(keys),
            "all_of_it_s": took,
            "wrong_count": len(wrong),
            "machine_busy_percent": busy,
        },
        {"wrong, count": at_most(len(wrong), 1)},
    )


def run() -> dict[str, Any]:
    """Run the benchmark."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="huifang-walk-") as folder:
        return asyncio.run(measure(Path(folder)))
