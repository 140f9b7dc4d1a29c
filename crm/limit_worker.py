"""The worker that comes to the points of all limits, in any number of processes."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import structlog
from prometheus_client import Gauge
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from crm.domain.limits import CALENDAR_RETRY
from crm.limit_steps import advance, note_missing
from crm.limit_tables import LimitTimerRow
from crm.limits import LimitBook
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

CALENDAR_DAYS = Gauge("huifang_calendar_known_days", "Days until the first year that is not loaded")
CALENDAR_CHECK = timedelta(hours=6)
CALENDAR_WARNS = timedelta(days=21)
"""The State Council publishes a year's days off in November of the one before."""
_WAITED_FOR = select(LimitTimerRow.calendar_year).where(LimitTimerRow.calendar_year.is_not(None)).distinct()
BATCH = 200
"""Not more: on SQLite all other writers wait for a batch."""


class LimitWorker:
    """Handles due points, a batch in one transaction.

    A killed worker leaves rows claimed or untouched, never half handled; the points of a row and what they
    write are committed together. Rows that somebody is just changing are left to the next round, so that it
    never waits for a lock, nor anybody long for its own.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        book: LimitBook,
        *,
        worker: str,
        poll: timedelta = timedelta(seconds=1),
        lease: timedelta = timedelta(seconds=30),
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._clock = clock
        self._book = book
        self._worker = worker
        self._due = DueWorker(
            database, clock, LimitTimerRow, self._handle, worker=worker, poll=poll, lease=lease, batch=batch
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._due.run())
            group.create_task(self._watch_calendar())

    async def _watch_calendar(self) -> None:
        while True:
            try:
                await self.check_calendar()
            except (SQLAlchemyError, OSError) as error:
                log.warning("calendar_check_failed", error=type(error).__name__)
            await asyncio.sleep(CALENDAR_CHECK.total_seconds())

    async def check_calendar(self) -> int:
        """Return for how many days the calendar is known, and complain when they become few.

        Limits that wait for a year which is known by now, as after an update of the package, are handled
        next. While a year is missing, people are told: limits that end in it have no deadline.
        """
        now = self._clock.now()
        async with self._database.session() as session:
            clocks = await self._book.calendar.clocks(session)
            waited_for = (await session.scalars(_WAITED_FOR)).all()
        today = now.astimezone(clocks.hours.zone).date()
        year = clocks.calendar.first_unknown(today.year)
        days = max(0, (date(year, 1, 1) - today).days)
        CALENDAR_DAYS.set(days)
        missing = {found for found in waited_for if found and not clocks.calendar.knows(found)}
        if days < CALENDAR_WARNS.days:
            log.error("calendar_year_missing", year=year, days_left=days, mend="huifang calendar load FILE")
            missing.add(year)
        known = [found for found in waited_for if found and found not in missing]
        if known or missing:
            async with self._database.transaction() as session:
                for found in known:
                    await self._book.calendar.wake(session, found)
                for found in sorted(missing):
                    note_missing(session, found, clocks, now)
        return days

    async def run_once(self) -> int:
        """Handle one batch; return how many limits were due in it."""
        return await self._due.run_once()

    async def _handle(self, rows: Sequence[LimitTimerRow]) -> None:
        ours = (
            select(LimitTimerRow)
            .where(
                LimitTimerRow.id.in_([row.id for row in rows]),
                # Claimed by us, and at this time: not those that were stopped or taken over meanwhile.
                LimitTimerRow.claimed_by == self._worker,
                LimitTimerRow.claimed_until == rows[0].claimed_until,
                LimitTimerRow.due_at.is_not(None),
            )
            .order_by(LimitTimerRow.due_at, LimitTimerRow.id)
            .with_for_update(skip_locked=True)
        )
        now = self._clock.now()
        if any(row.calendar_year is not None for row in rows):
            # What they wait for may have been loaded since we read it.
            self._book.calendar.forget()
        async with self._database.transaction() as session:
            clocks = await self._book.calendar.clocks(session)
            for row in (await session.scalars(ours)).all():
                try:
                    version = await self._book.policies.version(session, row.policy_id)
                    advance(session, row, version.policy.rule(row.code), clocks, now=now)
                except HuifangError as error:
                    # One limit that cannot be understood must not stop all others.
                    row.due_at, row.claimed_by, row.claimed_until = now + CALENDAR_RETRY, None, None
                    log.error("limit_point_failed", timer=row.id, code=row.code, error=error.message)
