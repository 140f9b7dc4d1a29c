"""Ten thousand attempts over a real Asterisk while everything fails; what the customers saw is true.

The service (dialler, call model, surveys, what plans and sweeps: what `huifang serve` runs) is a process of
its own that is killed at random moments, also while customers press keys and while the database is locked,
and stopped in the middle of anything for seconds. AMI goes through a relay that is cut, frozen, shut, or
delivers late. Asterisk is stopped and started, and killed. The database is locked, the clock jumps by up to
five minutes and passes the ends of the calling windows, a second dialler comes and goes, the same numbers
come again, customers ask not to be called, campaigns are paused.

Customers are a town of telephones behind the trunk: they answer, are busy, decline, do not exist, let it
ring; who answers presses keys to what they hear (each text of the survey is a tone of its own), hangs up in
the middle, asks for another time, or never to be called again. They count every INVITE and remember each key
after which something else was said (`keys_heeded`). All `_count` goals are held against what they saw, by
rules written a second time. A call that was lost with a dying Asterisk is no silence of ours.

`BENCH_FAULT_ATTEMPTS` makes it shorter, `BENCH_FAULT_SECONDS` lets the storm blow for so long at most,
`BENCH_FAULT_SEED` makes it another one, `BENCH_FAULT_FOLDER` keeps its files.
"""

import asyncio
import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog

from tests.bench.report import at_least, at_most, report
from tests.support.dialling import OFFICE_HOUR
from tests.support.fault_storm import Storm
from tests.support.fault_truth import NEVER, Verdict, judge
from tests.support.whole_service import whole_line

ATTEMPTS: Final = int(os.environ.get("BENCH_FAULT_ATTEMPTS", "10000"))
SEED: Final = int(os.environ.get("BENCH_FAULT_SEED", "1"))
STORM_SECONDS: Final = int(os.environ.get("BENCH_FAULT_SECONDS", "1800"))
"""The storm blows no longer than this, whatever was made of the attempts by then."""
LIMIT_SECONDS: Final = STORM_SECONDS + 300
RTP_PORTS: Final = (10_000, 14_998)
SHORT: Final = 2000
"""Fewer attempts than these fit into one day."""


async def measure(folder: Path) -> tuple[Storm, Verdict]:
    """Let the storm blow, and judge."""
    rtp = {"rtp_start": RTP_PORTS[0], "rtp_end": RTP_PORTS[1]}
    async with whole_line(folder, OFFICE_HOUR, seed=SEED, lasts=LIMIT_SECONDS, **rtp) as line:
        days = 1 if ATTEMPTS < SHORT else 2
        storm = Storm(line, attempts=ATTEMPTS, seed=SEED, days=days, limit=STORM_SECONDS)
        await storm.run()
        return storm, await judge(storm)


def run() -> dict[str, Any]:
    """Run the bench."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.perf_counter()
    kept = os.environ.get("BENCH_FAULT_FOLDER")
    with TemporaryDirectory(prefix="huifang-bench-") as temporary:
        storm, verdict = asyncio.run(measure(Path(kept or temporary)))
    for example in verdict.examples:
        print(example)
    faults = storm.faults
    print("faults:", dict(faults))
    print("outcomes:", dict(verdict.outcomes))
    figures = {
        "attempts_count": verdict.attempts,
        "calls_that_reached_customers_count": verdict.calls,
        "calls_to_attempts_ratio": verdict.calls / max(1, verdict.attempts),
        "answered_calls_count": verdict.talked,
        "keys_heeded_count": verdict.keys_heeded,
        "faults_count": sum(faults.values()),
        "kills_count": sum(count for what, count in faults.items() if what.startswith("killed")),
        "asterisk_ends_count": faults["asterisk restarted"] + faults["asterisk crashed"],
        "unknown_outcomes_count": verdict.outcomes["unknown"],
        "taken_leave_of_by_the_dialplan_count": verdict.sorry,
        **{f"{what.replace(' ', '_')}_count": verdict.wrong[what] for what in NEVER},
        "seconds": time.perf_counter() - began,
    }
    goals = {f"{what}, count": at_most(verdict.wrong[what], 1) for what in NEVER}
    return report("dialler_faults", figures, {"attempts": at_least(verdict.attempts, ATTEMPTS), **goals})
