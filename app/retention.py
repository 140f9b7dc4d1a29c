"""``huifang retention`` and the job that deletes what is not to be kept any more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.base import Base
from app.erasure import start_forgetting, tidy_files
from app.office import office_of
from app.own_files import own_or_shipped
from app.settings import Settings
from app.store import open_store
from callback_campaigns.retention import CallbackCalls
from crm.data_requests import DataRequests
from crm.domain.retention import Policy, parse_retention, shipped_retention
from crm.limits import LimitBook
from crm.retention import Retention
from crm.retention_ports import Ended
from crm.voicemail_files import MessageFiles
from kernel.clock import Clock, SystemClock
from kernel.db import Database
from kernel.traces import LogFiles
from telephony.retention import CallShelf
from web.personal_places import PERSONAL

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=24)
FIRST = timedelta(minutes=30)
"""A centre that has just started has other things to do."""
OWN_CLASSES = "retention.yaml"
"""Beside the data: the centre's own classes."""


def policy_of(settings: Settings) -> Policy:
    """Return the centre's classes, or those that come with the product.

    Raises:
        ConfigurationError: what is wrong with the file, a line for each mistake.
    """
    return own_or_shipped(settings.data_dir / OWN_CLASSES, parse_retention, shipped_retention)


def log_dirs(settings: Settings) -> tuple[Path, ...]:
    """Return where we, and the PBX that we run, write down what happened; numbers of callers among it."""
    return settings.data_dir / "log", settings.data_dir / "asterisk" / "log"


def build_retention(settings: Settings, database: Database, clock: Clock) -> "RetentionJob":
    """Return the job over everything that is kept of people."""
    office = office_of(settings, database, clock)
    retention = Retention(
        office,
        policy_of(settings),
        calls=CallShelf(settings.data_dir / "recordings"),
        callbacks=CallbackCalls(settings.data_dir / "answers"),
        messages=MessageFiles(settings.data_dir / "messages"),
        logs=LogFiles(*log_dirs(settings)),
        personal=PERSONAL,
    )
    limits = LimitBook(clock, hours=settings.service_hours, default_set=settings.centre.limit_set)
    return RetentionJob(retention, DataRequests(office, limits, retention), tidy=lambda: tidy_files(database))


def start_retention(base: Base) -> None:
    """Delete what has ended, and leave nothing behind of whoever was erased; where the pages are served."""
    base.tasks.spawn("retention", build_retention(base.settings, base.database, base.clock).run)
    start_forgetting(base)


class RetentionJob:
    """Deletes once a day; what several processes do twice finds nothing the second time."""

    def __init__(
        self,
        retention: Retention,
        requests: DataRequests,
        *,
        tidy: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._retention = retention
        self.requests = requests
        self._tidy = tidy

    async def due(self) -> tuple[Ended, ...]:
        """Return what has ended."""
        return await self._retention.due()

    async def run_once(self) -> Counter[tuple[str, str]]:
        """Delete what has ended, and customers whose deletion waited for that; return how many of what."""
        gone = await self._retention.run_once()
        gone += Counter({("customer", "CASE"): await self.requests.erase_kept()})
        if gone.total() and self._tidy is not None:
            await self._tidy()
        return gone

    async def run(self) -> None:
        """Delete until cancelled."""
        await asyncio.sleep(FIRST.total_seconds())
        while True:
            try:
                gone = await self.run_once()
            except (SQLAlchemyError, OSError) as error:
                log.warning("retention_failed", error=type(error).__name__)
            else:
                if gone.total():
                    log.info("retention_ended", records=gone.total())
            await asyncio.sleep(EVERY.total_seconds())


async def run_retention(settings: Settings, *, dry_run: bool) -> list[str]:
    """Delete what has ended, or only say what that would be; return the report's lines."""
    async with open_store(settings) as database:
        job = build_retention(settings, database, SystemClock())
        if dry_run:
            ended = await job.due()
            found = Counter((one.kind, one.retention_class.value) for one in ended)
            oldest = min((one.ended_on for one in ended), default=None)
        else:
            found, oldest = await job.run_once(), None
    lines = [f"{kind:<8} {name:<10} {count:>8}" for (kind, name), count in sorted(found.items())]
    said = "would be deleted or made anonymous" if dry_run else "deleted or made anonymous"
    since = f", the oldest since {oldest}" if oldest else ""
    return [*lines, f"{found.total()} records {said}{since}"]
