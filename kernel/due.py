"""What must happen later is a row: claimed, handled, then deleted or rescheduled.

A table that mixes in :class:`DueColumns` is a queue. Any number of processes may work on it; a row whose
worker was killed is taken again when its lease ends, so handlers are idempotent.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import ColumnElement, Integer, String, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from kernel.clock import Clock
from kernel.db import Database, UtcDateTime

log = structlog.get_logger(__name__)


class DueColumns:
    """The columns that make a table a queue. ``due_at`` NULL means: nothing to do any more."""

    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(Integer, default=0)


R = TypeVar("R", bound=DueColumns)


async def claim_due(
    session: AsyncSession,
    table: type[R],
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    first: Sequence[Any] = (),
) -> Sequence[R]:
    """Claim up to ``limit`` due rows, oldest first, inside the caller's transaction.

    ``first``: columns that count for more than age.

    A claim that reaches further than two leases was made before the clock was set back, and is over; one
    lease of difference is left to the clocks of several machines.
    """
    until = table.claimed_until
    free: ColumnElement[bool] = or_(until.is_(None), until < now, until > now + 2 * lease)
    query = (
        select(table)
        .where(table.due_at.is_not(None), table.due_at <= now, free)
        .order_by(*first, table.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(query)).scalars().all()
    for row in rows:
        row.claimed_by = worker
        row.claimed_until = now + lease
        row.tries += 1
    return rows


class DueWorker(Generic[R]):
    """Handles the due rows of one table.

    Args:
        handler: gets the claimed rows (detached) and does the work; it must itself mark what is finished
            (``due_at = None``, a new ``due_at``, or a delete) in its own transaction. Rows that it leaves
            due are taken again after the lease; when it fails, at the next poll.
        poll: how long to wait when nothing is due; :meth:`wake` ends the wait early.
        first: columns that count for more than age, such as a priority.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        table: type[R],
        handler: Callable[[Sequence[R]], Awaitable[None]],
        *,
        worker: str,
        lease: timedelta = timedelta(seconds=30),
        poll: timedelta = timedelta(seconds=1),
        batch: int = 100,
        first: Sequence[Any] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._table = table
        self._handler = handler
        self._worker = worker
        self._lease = lease
        self._poll = poll.total_seconds()
        self._batch = batch
        self._first = tuple(first)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at the table now (somebody just put a row there)."""
        self._wake.set()

    async def run_once(self) -> int:
        """Claim and handle one batch; return how many rows it had."""
        async with self._database.session() as probe:
            # A plain read first: an idle worker must not take SQLite's write lock every second.
            now = self._clock.now()
            column: Any = self._table.due_at
            due = (await probe.execute(select(column).where(column <= now).limit(1))).first()
        if due is None:
            return 0
        async with self._database.transaction() as session:
            rows = await claim_due(
                session,
                self._table,
                worker=self._worker,
                now=self._clock.now(),
                lease=self._lease,
                limit=self._batch,
                first=self._first,
            )
        if rows:
            try:
                await self._handler(rows)
            except (SQLAlchemyError, OSError):
                await self._give_back(rows)
                raise
        return len(rows)

    async def _give_back(self, rows: Sequence[R]) -> None:
        """End our claim: what the handler needs may be back long before the lease is over."""
        table = self._table
        # By the moment as well: rows that an earlier batch has left due keep their lease.
        ours = (table.claimed_by == self._worker, table.claimed_until == rows[0].claimed_until)
        with contextlib.suppress(SQLAlchemyError, OSError):
            async with self._database.transaction() as session:
                await session.execute(
                    update(table).where(*ours).values(claimed_by=None, claimed_until=None),
                    execution_options={"synchronize_session": False},
                )

    async def run(self) -> None:
        """Work until cancelled; a failing database or handler is logged and tried again."""
        while True:
            self._wake.clear()
            try:
                if await self.run_once() == self._batch:
                    continue
            except (SQLAlchemyError, OSError) as error:
                log.warning("due_worker_failed", table=self._table.__name__, error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._wake.wait()
