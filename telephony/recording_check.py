"""Compares what is known of recordings with the files that are there, both ways, every night."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Gauge
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.recording_tables import RecordingCheckRow, RecordingRow
from telephony.recordings import name_in, note
from telephony.retention import ID_LENGTH
from telephony.tables import CallRow

log = structlog.get_logger(__name__)

MISSING = Gauge("huifang_recordings_missing", "Recordings whose files are gone, at the last comparison")
STRANGERS = Gauge("huifang_recordings_strangers", "Files of no known call, at the last comparison")
AT_NIGHT = time(3, 30)
FIRST = timedelta(minutes=5)
"""After a start; whatever was recorded while nobody noted it is found then."""
AGAIN = timedelta(hours=1)
"""After a comparison that failed."""
YOUNG = timedelta(hours=24)
"""A younger file may belong to a call that is going on, or is about to be written down."""
KEPT = timedelta(days=400)
"""How long the results of comparisons stay."""
SHOWN = 20
_BATCH = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a comparison found.

    Attributes:
        recordings: how many have their files.
        size: bytes of all files in the folder.
        adopted: recordings of known calls that nothing was known of until now.
        missing: how many have no file any more; some of them by name.
        strangers: how many files belong to no call; some of them by name.
    """

    ended_at: datetime
    recordings: int
    size: int
    adopted: int
    missing: int
    strangers: int
    missing_names: tuple[str, ...]
    stranger_names: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What lies in the folder: recordings, and when each was last written to."""

    written: dict[str, float]
    others: list[str]
    size: int


class RecordingCheck:
    """Give :meth:`run` to the supervisor; one of a node."""

    def __init__(self, database: Database, clock: Clock, *, folder: Path, node: str, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._node = node
        self._zone = zone

    async def run_once(self) -> CheckReport:
        """Compare, note what was found, and return it. Nothing is deleted.

        Raises:
            OSError: the folder cannot be read.
        """
        now = self._clock.now()
        found = await asyncio.to_thread(_look, self._folder)
        missing = await self._rows(found.written.keys(), now)
        adopted, strange = await self._files(found, now)
        strangers = sorted([*found.others, *strange])
        report = CheckReport(
            ended_at=self._clock.now(),
            recordings=len(found.written) - len(strange),
            size=found.size,
            adopted=adopted,
            missing=len(missing),
            strangers=len(strangers),
            missing_names=tuple(missing[:SHOWN]),
            stranger_names=tuple(strangers[:SHOWN]),
        )
        await self._keep(report)
        MISSING.set(report.missing)
        STRANGERS.set(report.strangers)
        return report

    async def run(self) -> None:
        """Compare until cancelled: soon after the start, then every night."""
        wait = FIRST
        while True:
            await asyncio.sleep(wait.total_seconds())
            try:
                report = await self.run_once()
            except (SQLAlchemyError, OSError) as error:
                log.warning("recording_check_failed", error=type(error).__name__)
                wait = AGAIN
                continue
            log.info("recording_check", missing=report.missing, strangers=report.strangers)
            wait = until_night(self._clock.now(), self._zone)

    async def _rows(self, there: Iterable[str], now: datetime) -> list[str]:
        """Note which recordings have lost their files, and which have them again; return the lost ones."""
        present, lost, after = set(there), list[str](), ""
        while True:
            async with self._database.transaction() as session:
                query = (
                    select(RecordingRow.recording_id, RecordingRow.name, RecordingRow.missing_since)
                    .where(RecordingRow.recording_id > after, RecordingRow.node == self._node)
                    .order_by(RecordingRow.recording_id)
                    .limit(_BATCH)
                )
                rows = (await session.execute(query)).all()
                gone = [row for row in rows if row.name not in present]
                lost += [row.name for row in gone]
                for ids, since in (
                    ([row.recording_id for row in gone if row.missing_since is None], now),
                    ([row.recording_id for row in rows if row.missing_since and row.name in present], None),
                ):
                    if ids:
                        mine = RecordingRow.recording_id.in_(ids)
                        await session.execute(update(RecordingRow).where(mine).values(missing_since=since))
            if len(rows) < _BATCH:
                return sorted(lost)
            after = rows[-1].recording_id

    async def _files(self, found: _Found, now: datetime) -> tuple[int, list[str]]:
        """Note recordings that nothing is known of; return how many, and those of no call."""
        adopted, strange = 0, list[str]()
        young = (now - YOUNG).timestamp()
        for names in _batches(sorted(found.written)):
            async with self._database.transaction() as session:
                calls = {name: name[:ID_LENGTH] for name in names}
                query = select(CallRow.call_id).where(CallRow.call_id.in_(set(calls.values())))
                known = set(await session.scalars(query))
                mine = {name: call_id for name, call_id in calls.items() if call_id in known}
                adopted += await note(session, mine, node=self._node, now=now)
            strange += [name for name in names if name not in mine and found.written[name] < young]
        return adopted, strange

    async def _keep(self, report: CheckReport) -> None:
        async with self._database.transaction() as session:
            session.add(
                RecordingCheckRow(
                    check_id=new_ulid(),
                    node=self._node,
                    ended_at=report.ended_at,
                    recordings=report.recordings,
                    size=report.size,
                    adopted=report.adopted,
                    missing=report.missing,
                    strangers=report.strangers,
                    names={"missing": report.missing_names, "strangers": report.stranger_names},
                )
            )
            old = RecordingCheckRow.ended_at < report.ended_at - KEPT
            await session.execute(delete(RecordingCheckRow).where(old))


async def last_check(database: Database) -> CheckReport | None:
    """Return what the last comparison found; ``None`` before the first one."""
    async with database.session() as session:
        row = await session.scalar(
            select(RecordingCheckRow)
            .order_by(RecordingCheckRow.ended_at.desc(), RecordingCheckRow.check_id.desc())
            .limit(1)
        )
    if row is None:
        return None
    return CheckReport(
        ended_at=row.ended_at,
        recordings=row.recordings,
        size=row.size,
        adopted=row.adopted,
        missing=row.missing,
        strangers=row.strangers,
        missing_names=tuple(row.names["missing"]),
        stranger_names=tuple(row.names["strangers"]),
    )


def until_night(now: datetime, zone: ZoneInfo) -> timedelta:
    """Return how long it is until the next night's comparison."""
    here = now.astimezone(zone)
    night = datetime.combine(here.date(), AT_NIGHT, zone)
    if night <= here:
        night = datetime.combine(here.date() + timedelta(days=1), AT_NIGHT, zone)
    return night.astimezone(now.tzinfo) - now


def _look(folder: Path) -> _Found:
    found = _Found({}, [], 0)
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # deleted meanwhile
                about = entry.stat(follow_symlinks=False)
                name = name_in(entry.name) if entry.is_file(follow_symlinks=False) else ""
                found.size += about.st_size
                if name:
                    found.written[name] = max(found.written.get(name, 0.0), about.st_mtime)
                else:
                    found.others.append(entry.name)
    return found


def _batches(items: Iterable[T]) -> Iterator[Sequence[T]]:
    left = iter(items)
    while batch := tuple(islice(left, _BATCH)):
        yield batch
