"""A process of its own that works on due limits and says so, to be killed in the middle of it.

Usage: ``python -m tests.support.limit_sweeper URL NOW NAME BATCH``. It prints a line before each commit.
"""

import asyncio
import sys
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from crm.limit_worker import LimitWorker
from crm.limits import LimitBook
from kernel.clock import FakeClock
from kernel.db import create_database


async def sweep(url: str, now: datetime, name: str, batch: int) -> None:
    """Handle all that is due, a batch at a time."""
    database, clock = create_database(url), FakeClock(now)
    worker = LimitWorker(database, clock, LimitBook(clock), worker=name, batch=batch)
    while await worker.run_once():
        pass
    await database.dispose()


def main() -> None:
    """Run the sweep that the command line describes."""
    commit = AsyncSession.commit

    async def told(session: AsyncSession) -> None:
        await session.flush()
        print("commit", flush=True)
        await commit(session)

    AsyncSession.commit = told  # type: ignore[assignment, method-assign]
    url, now, name, batch = sys.argv[1:]
    asyncio.run(sweep(url, datetime.fromisoformat(now), name, int(batch)))
    print("done", flush=True)


if __name__ == "__main__":
    main()
