"""What is left of people for a while in places that nobody would look for them: facts on their way, answers.

They go by themselves within a day. Whoever is erased is not to stand there even so long, nor in the logs.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Table, delete, func, literal, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.db import Base

WORDS = 40
"""Looked for in one statement."""
_BLOCK = 1 << 20
_BLOT = b"*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A column that may speak of anybody, in rows that are soon swept.

    Attributes:
        settled: a row goes only where this column is NULL: nobody needs it any more.
        emptied: what is written instead of deleting the row.
    """

    table: str
    column: str
    settled: str = ""
    emptied: Mapping[str, Any] | None = None


async def forget_traces(session: AsyncSession, traces: Iterable[Trace], words: Sequence[str]) -> int:
    """Take away every row, or what is in it, in which one of the words stands; return how many it were."""
    done = 0
    for trace in traces:
        table = Base.metadata.tables[trace.table]
        for start in range(0, len(words), WORDS):
            found = or_(*(_holds(session, table, trace, word) for word in words[start : start + WORDS]))
            if trace.settled:
                found &= table.c[trace.settled].is_(None)
            change: Any = delete(table).where(found)
            if trace.emptied is not None:
                change = update(table).where(found).values(trace.emptied)
            gone: Any = await session.execute(change, execution_options={"synchronize_session": False})
            done += gone.rowcount
    return done


def _holds(session: AsyncSession, table: Table, trace: Trace, word: str) -> ColumnElement[bool]:
    column = table.c[trace.column]
    binary = isinstance(column.type, LargeBinary)
    sought = literal(word.encode() if binary else word, type_=column.type)
    if session.get_bind().dialect.name == "sqlite":
        place: Any = func.instr(column, sought)
    else:
        place = func.pg_catalog.position(column, sought) if binary else func.strpos(column, sought)
    return place > 0  # type: ignore[no-any-return]


class LogFiles:
    """The logs in some folders, written by ourselves and by the PBX that we run.

    Args:
        folders: all files in them and below.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    async def blot_out(self, words: Sequence[str]) -> int:
        """Make words illegible wherever they stand; return how often they did. Raises OSError."""
        return await asyncio.to_thread(self._blot_out, [word.encode() for word in words if word])

    def _blot_out(self, words: Sequence[bytes]) -> int:
        files = [path for folder in self._folders for path in sorted(folder.rglob("*"))]
        return sum(blot_out(path, words) for path in files if path.is_file() and not path.is_symlink())


def blot_out(path: Path, words: Sequence[bytes]) -> int:
    """Overwrite words in a file, in place: whoever appends to it meanwhile is not disturbed. Blocks.

    Raises:
        OSError: the file cannot be read or written.
    """
    if not words:
        return 0
    longest, done = max(map(len, words)), 0
    with open(path, "rb") as file:
        at, block = 0, file.read(_BLOCK)
        while block:
            for place, word in _found(block, words):
                _overwrite(path, at + place, len(word))
                done += 1
            # A word may lie across two blocks: the end of each is looked at once more.
            more = file.read(_BLOCK)
            kept = min(len(block), longest - 1) if more else len(block)
            at, block = at + len(block) - kept, (block[len(block) - kept :] + more if more else b"")
    return done


def _found(block: bytes, words: Sequence[bytes]) -> Iterable[tuple[int, bytes]]:
    for word in words:
        place = block.find(word)
        while place >= 0:
            yield place, word
            place = block.find(word, place + len(word))


def _overwrite(path: Path, at: int, length: int) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, _BLOT * length, at)
    finally:
        os.close(descriptor)
