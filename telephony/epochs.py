"""The epochs of a node in SQL: which run of Asterisk was followed, and until when."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from kernel.db import Database
from telephony.ami.epoch import EpochEnded, EpochStarted
from telephony.repository import add_epoch, last_epoch, note_epoch
from telephony.unbroken import unbroken

log = structlog.get_logger(__name__)


class EpochLog:
    """Stores epochs behind the event stream, which never waits for the database.

    What cannot be written is forgotten: the next epoch then begins its gap earlier, nothing worse.
    """

    def __init__(self, database: Database, node: str, *, deadline: timedelta = timedelta(seconds=5)) -> None:
        self._database = database
        self._node = node
        self._deadline = deadline.total_seconds()
        self._epoch_id: str | None = None
        self._boot_id = ""
        self._begun: tuple[EpochStarted, datetime] | None = None
        self._ended: EpochEnded | None = None
        self._wake = asyncio.Event()
        self.seen_until: datetime | None = None

    def is_other_boot(self, boot_id: str) -> bool:
        """Whether ``boot_id`` names another run of Asterisk than the one followed last."""
        return bool(boot_id and self._boot_id) and boot_id[:64] != self._boot_id

    async def load(self) -> None:
        """Read what the process before us stored.

        Raises:
            SQLAlchemyError: the database is gone.
        """
        async with self._database.session() as session:
            row = await last_epoch(session, self._node)
        if row is not None and self.seen_until is None:
            self._boot_id, self.seen_until = row.boot_id, row.seen_until

    def begin(self, started: EpochStarted, *, now: datetime) -> None:
        """Note that an epoch is live."""
        self._boot_id, self.seen_until = started.boot_id[:64], now
        self._begun, self._ended = (started, now), None
        self._wake.set()

    def end(self, ended: EpochEnded, *, seen_until: datetime) -> None:
        """Note that it is over."""
        self.seen_until, self._ended = seen_until, ended
        self._wake.set()

    async def run(self, interval: timedelta, heard: Callable[[], datetime | None]) -> None:
        """Write what was noted, and every ``interval`` until when the PBX was followed.

        ``heard`` tells when it was heard last, ``None`` while it is not followed.
        """
        lost = False
        while True:
            try:
                async with asyncio.timeout(interval.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                at = heard()
                if at is None:
                    continue
                self.seen(at)
            self._wake.clear()
            try:
                await unbroken(self._write(), deadline=self._deadline)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if not lost:
                    log.warning("epoch_not_stored", node=self._node, error=type(error).__name__)
                lost = True
            else:
                lost = False

    def seen(self, at: datetime) -> None:
        """Note that the PBX was followed until ``at``."""
        if self.seen_until is None or at > self.seen_until:
            self.seen_until = at

    async def _write(self) -> None:
        begun, ended, seen_until = self._begun, self._ended, self.seen_until
        async with self._database.transaction() as session:
            epoch_id = self._epoch_id
            if begun is not None:
                started, live_at = begun
                epoch_id = add_epoch(
                    session,
                    node=self._node,
                    epoch=started.epoch,
                    boot_id=started.boot_id,
                    asterisk_started_at=started.booted_at,
                    started_at=started.at,
                    live_at=live_at,
                )
                await session.flush()
            if epoch_id is not None and seen_until is not None:
                await note_epoch(
                    session,
                    epoch_id,
                    seen_until=seen_until,
                    ended_at=ended.at if ended is not None else None,
                    reason=ended.reason if ended is not None else None,
                )
        self._epoch_id = None if ended is not None else epoch_id
        if self._begun is begun:
            self._begun = None
        if self._ended is ended:
            self._ended = None
