"""Files kept under the hash of what is in them, and a sweep for those that nothing names.

A file is on the disk before the row that names it is committed: a transaction that fails leaves one behind.
"""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import select, union
from sqlalchemy.exc import SQLAlchemyError

from crm.attachment_tables import AttachmentRow
from crm.improvement_tables import ImprovementFile
from crm.repair_point_tables import PointFile
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import new_ulid

log = structlog.get_logger(__name__)

SWEPT_AFTER = timedelta(days=1)
"""Much longer than the transaction that will name a file can take."""
EVERY = timedelta(hours=1)
HOURS = 24
"""Each hour of the day has its share of the folders."""
AT_ONCE = 1000
"""Files that one run removes."""
NAMING = (AttachmentRow, ImprovementFile, PointFile)
"""Tables whose rows name files."""


def name_of(content: bytes) -> str:
    """Return the hash under which a file lies."""
    return hashlib.sha256(content).hexdigest()


class FileStore:
    """Keeps files by their hash below a folder: ``ab/abcdef…``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Return where a file lies; the hash is one of ours, never a person's text."""
        return self._folder / sha256[:2] / sha256

    def put(self, content: bytes) -> str:
        """Store a file unless it is there, and return its hash. Blocking: call it in a thread."""
        sha256 = name_of(content)
        path = self.path(sha256)
        with contextlib.suppress(FileNotFoundError):
            # From now on the sweep takes it for new.
            now = time.time_ns()
            os.utime(path, ns=(now, now))
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        half = path.with_name(f".{sha256}.{new_ulid()}")
        try:
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
        return sha256

    def older(self, prefix: str, than: datetime) -> list[str]:
        """Return names of files that were last put before a moment, halves included. Blocking."""
        found: list[str] = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder / prefix) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False) and _put_at(Path(entry.path)) < than:
                        found.append(entry.name)
        return sorted(found)

    def remove(self, prefix: str, name: str, than: datetime) -> bool:
        """Remove a file unless somebody has put it again meanwhile. Blocking."""
        path = self._folder / prefix / name
        aside = path.with_name(f".{name}.{new_ulid()}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        # Who puts it now finds none and writes it anew; who did before is seen by its time.
        if _put_at(aside) >= than:
            aside.rename(path)
            return False
        aside.unlink(missing_ok=True)
        return True


def _put_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


class FileSweep:
    """Removes files that no row names, a share of the folders each hour."""

    def __init__(self, database: Database, clock: Clock, store: FileStore) -> None:
        self._database = database
        self._clock = clock
        self._store = store

    async def run(self) -> None:
        """Sweep once an hour until cancelled."""
        while True:
            try:
                await self.run_once()
            except (SQLAlchemyError, OSError) as error:
                log.warning("file_sweep_failed", error=type(error).__name__)
            await asyncio.sleep(EVERY.total_seconds())

    async def run_once(self) -> int:
        """Sweep the folders of this hour; return how many files are gone."""
        now = self._clock.now()
        before = now - SWEPT_AFTER
        found = 0
        unnamed: list[tuple[str, str]] = []
        for number in range(now.hour, 256, HOURS):
            prefix = f"{number:02x}"
            names = await asyncio.to_thread(self._store.older, prefix, before)
            found += len(names)
            unnamed += [(prefix, name) for name in await self._unnamed(prefix, names)]
        if 2 * len(unnamed) > found:
            # So many are not left behind by mishaps: this is not the database of these files.
            log.warning("file_sweep_refused", unnamed=len(unnamed), files=found)
            return 0
        gone = 0
        for prefix, name in unnamed[:AT_ONCE]:
            gone += await asyncio.to_thread(self._store.remove, prefix, name, before)
        if gone:
            log.info("files_swept", files=gone)
        return gone

    async def _unnamed(self, prefix: str, names: Sequence[str]) -> Sequence[str]:
        if not names:
            return ()
        columns = [column for row in NAMING for column in (row.sha256, row.thumb_sha256)]
        query = union(*(select(column).where(column.startswith(prefix)) for column in columns))
        async with self._database.session() as session:
            named = set((await session.scalars(query)).all())
        return [name for name in names if name not in named]
