"""Processes that are killed at any moment lose no point of a limit and double none: domain.md §0."""

import asyncio
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.events_limits import LimitFact, LimitWarned
from crm.limit_tables import LimitBreachRow, LimitTimerRow
from crm.limits import LimitBook
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.limits import OWNER, SettableClock, at, complaint, facts

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
LIMITS = 90
BATCH = 10


async def sweeper(database: Database, now: datetime, name: str) -> asyncio.subprocess.Process:
    url = database.engine.url.render_as_string(hide_password=False)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.limit_sweeper",
        url,
        now.isoformat(),
        name,
        str(BATCH),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def until(process: asyncio.subprocess.Process, commits: int) -> str:
    """Read what the process says until it is at its so-many-th commit, or done; return its last word."""
    assert process.stdout is not None
    word = ""
    async with asyncio.timeout(60):
        while commits and (line := await process.stdout.readline()):
            word = line.decode().strip()
            commits -= word == "commit"
    return word


async def test_killed_at_a_claim_and_at_a_commit_and_raced_by_another(database: Database) -> None:
    clock = SettableClock(at("2026-03-20T16:30"))
    book = LimitBook(clock)
    async with database.transaction() as session:
        for _ in range(LIMITS):
            await book.start(session, "TS.T1", complaint(new_ulid()), at=clock.now(), owner=OWNER)
    clock.advance(timedelta(days=9))

    # Commits come in pairs: that of the claim, then that of what was handled.
    for commits in (1, 2, 5):
        process = await sweeper(database, clock.now(), f"killed-{commits}")
        assert await until(process, commits) == "commit"
        process.kill()
        await process.wait()
        clock.advance(timedelta(minutes=1))
    pair = [await sweeper(database, clock.now(), f"last-{number}") for number in range(2)]
    said = await asyncio.gather(*(until(process, 1000) for process in pair))
    codes = [await process.wait() for process in pair]
    assert (said, codes) == (["done", "done"], [0, 0])

    async with database.session() as session:
        breached = (await session.scalars(select(LimitBreachRow.timer_id))).all()
        left = (
            await session.scalars(select(LimitTimerRow.id).where(LimitTimerRow.due_at.is_not(None)))
        ).all()
    assert not left
    assert len(breached) == len(set(breached)) == LIMITS
    told = Counter(
        (fact.timer_id, type(fact).__name__, fact.percent if isinstance(fact, LimitWarned) else 100)
        for fact in await facts(database, LimitFact)
    )
    assert set(told.values()) == {1}
    assert len(told) == LIMITS * 5
