"""Ten thousand attempts of the dialler against a played exchange while everything fails, in virtual time.

Its process is killed around any commit and after any write, the link to the PBX is cut, answers are lost,
the PBX is started again, the database is locked, the clock jumps, a second dialler works at the same time,
the same list comes again, customers ask not to be called, the campaign is paused. The network behind the
(played) exchange counts every call that reaches it, and holds it against rules that are written a second
time.
"""

import asyncio
import logging
import multiprocessing
import time
from collections import Counter
from typing import Any

import structlog

from tests.bench.report import at_least, at_most, report

ATTEMPTS = 10_000
WORLDS = 4
PROCESSES = 2
LIMIT_SECONDS = 1500
NEVER = (
    "attempt sent twice",
    "called while being called",
    "duplicate",
    "outside a window",
    "do not call",
    "called without an attempt",
    "never over",
    "answer lost",
    "an outcome from nowhere",
)


async def _world(seed: int, attempts: int) -> dict[str, Any]:
    from tests.support.db import sqlite_database
    from tests.support.fault_campaign import FaultWorld

    async with sqlite_database() as database:
        verdict = await FaultWorld(database, seed, customers=attempts * 6 // 10).run(attempts)
    return {
        "attempts": verdict.attempts,
        "calls": verdict.calls,
        "faults": dict(verdict.faults),
        "outcomes": dict(verdict.outcomes),
        "wrong": dict(verdict.wrong),
        "examples": verdict.examples,
    }


def live(job: tuple[int, int]) -> dict[str, Any]:
    """Live through one world, in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(_world(*job))


def run() -> dict[str, Any]:
    """Run the bench."""
    began = time.perf_counter()
    jobs = [(seed + 1, ATTEMPTS // WORLDS) for seed in range(WORLDS)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        found = pool.map(live, jobs, chunksize=1)
    wrong, faults, outcomes = Counter[str](), Counter[str](), Counter[str]()
    for one in found:
        wrong.update(one["wrong"])
        faults.update(one["faults"])
        outcomes.update(one["outcomes"])
        for example in one["examples"]:
            print(example)
    attempts = sum(one["attempts"] for one in found)
    figures = {
        "attempts_count": attempts,
        "calls_that_reached_the_network_count": sum(one["calls"] for one in found),
        "faults_count": sum(count for what, count in faults.items() if what != "interrupted"),
        "kills_count": faults["killed"],
        "unknown_outcomes_count": outcomes["unknown"],
        **{f"{what.replace(' ', '_')}_count": wrong[what] for what in NEVER},
        "seconds": time.perf_counter() - began,
    }
    goals = {f"{what}, count": at_most(wrong[what], 1) for what in NEVER}
    return report("dialler_faults_played", figures, {"attempts": at_least(attempts, ATTEMPTS), **goals})
