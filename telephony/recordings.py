"""Which recordings there are of a call. Its files are read elsewhere; here they are only known by name."""

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from kernel.ids import new_ulid
from telephony.events import CallEnded
from telephony.recording_tables import LONGEST_NAME, RecordingRow
from telephony.retention import ID_LENGTH
from telephony.tables import CallLegRow

RECORDED_FACTS: tuple[type[Event], ...] = (CallEnded,)
SIDES = ("-agent", "-customer")
MOST_TAKES = 9
"""A call that is passed on more often is found by the nightly comparison."""
_ENDING = ".wav"
_PLAIN = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-,")
"""What the dialplan leaves of a channel's id in a file's name."""


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """The files of one recording; any of them may be gone.

    Attributes:
        name: what their names have in common.
    """

    folder: Path
    name: str

    @property
    def both(self) -> Path:
        """Both speakers, mixed."""
        return self.folder / (self.name + _ENDING)

    def side(self, speaker: str) -> Path:
        """``agent`` or ``customer`` alone."""
        return self.folder / f"{self.name}-{speaker}{_ENDING}"


def name_of(call_id: str, uniqueid: str, take: int = 1) -> str:
    """Return the name of what is recorded of a call on a channel, as the dialplan gives it.

    Args:
        take: which one of the channel's; a call that is passed on may be recorded again after a while.
    """
    plain = "".join(letter for letter in uniqueid if letter in _PLAIN)
    return f"{call_id}-{plain}" + (f"_{take}" if take > 1 else "")


def name_in(filename: str) -> str:
    """Return the recording that a file belongs to; empty for what is no recording."""
    stem, ending = os.path.splitext(filename)
    if ending != _ENDING:
        return ""
    for side in SIDES:
        stem = stem.removesuffix(side)
    return stem if len(stem) > ID_LENGTH and stem[ID_LENGTH] == "-" and len(stem) <= LONGEST_NAME else ""


class Recordings:
    """Notes what was recorded.

    Args:
        folder: where the PBX of this node leaves its recordings.
    """

    def __init__(self, clock: Clock, *, folder: Path, node: str) -> None:
        self._clock = clock
        self._folder = folder
        self._node = node

    async def on_fact(self, session: AsyncSession, fact: Event) -> None:
        """Note the recordings of a call that has ended."""
        if not isinstance(fact, CallEnded):
            return
        legs = await session.scalars(select(CallLegRow.uniqueid).where(CallLegRow.call_id == fact.call_id))
        takes = range(1, MOST_TAKES + 1)
        wanted = {name_of(fact.call_id, uniqueid, take) for uniqueid in legs for take in takes}
        there = await asyncio.to_thread(_there, self._folder, wanted)
        await note(session, dict.fromkeys(there, fact.call_id), node=self._node, now=self._clock.now())


async def recordings_of(database: Database, folder: Path, call_id: str) -> tuple[RecordingFiles, ...]:
    """Return a call's recordings that are there, in the order in which they were made.

    Of a call that nothing is noted of the folder itself is asked: it may have ended this moment.
    """
    async with database.session() as session:
        query = select(RecordingRow.name).where(RecordingRow.call_id == call_id)
        known = (await session.scalars(query)).all()
    return await asyncio.to_thread(_of_call, folder, call_id, known)


async def with_several(database: Database, call_ids: Collection[str]) -> frozenset[str]:
    """Return which of these calls more than one recording is noted of."""
    query = (
        select(RecordingRow.call_id)
        .where(RecordingRow.call_id.in_(call_ids))
        .group_by(RecordingRow.call_id)
        .having(func.count() > 1)
    )
    async with database.session() as session:
        return frozenset(one for one in await session.scalars(query) if one)


async def note(session: AsyncSession, names: Mapping[str, str], *, node: str, now: datetime) -> int:
    """Note recordings, name → call; return how many were not known. Done twice it is the same."""
    query = select(RecordingRow.name).where(RecordingRow.name.in_(names))
    known = set(await session.scalars(query)) if names else set()
    fresh = sorted(set(names) - known)
    session.add_all(
        RecordingRow(recording_id=new_ulid(), name=name, call_id=names[name], node=node, noted_at=now)
        for name in fresh
        if len(name) <= LONGEST_NAME
    )
    await session.flush()
    return len(fresh)


def _there(folder: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if (folder / (name + _ENDING)).is_file()]


def _of_call(folder: Path, call_id: str, known: Iterable[str]) -> tuple[RecordingFiles, ...]:
    names = set(known)
    if not names:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            names = {name_in(entry.name) for entry in entries if entry.name[:ID_LENGTH] == call_id} - {""}
    found = []
    for name in names:
        files = RecordingFiles(folder, name)
        with suppress(FileNotFoundError):
            found.append((files.both.stat().st_mtime, files))
    return tuple(files for _, files in sorted(found, key=lambda one: (one[0], one[1].name)))
