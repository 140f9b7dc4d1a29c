"""A clock that several processes share and one of them sets: the machine's own, and how wrong it is.

Asterisk goes by the machine's own clock; its log is read as if it had gone by ours (:class:`ShiftedLog`).
"""

import mmap
import struct
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from telephony.event_log import EventLog, LogRow

_SHIFT: Final = struct.Struct("=d")


class SharedClock:
    """The machine's clock, shifted by what stands in a file."""

    def __init__(self, path: Path) -> None:
        self._told = path.with_suffix(".settings")
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SHIFT.size)

    @classmethod
    def make(cls, path: Path, start: datetime) -> Self:
        """Make the file, and have it be ``start`` now."""
        path.write_bytes(_SHIFT.pack(0.0))
        clock = cls(path)
        clock.set(start)
        return clock

    @property
    def shift(self) -> float:
        """By how many seconds it goes ahead of the machine's."""
        return float(_SHIFT.unpack_from(self._memory)[0])

    def now(self) -> datetime:
        """Return the present as everybody has it."""
        return datetime.fromtimestamp(time.time() + self.shift, UTC)

    def monotonic(self) -> float:
        """Return the machine's own: it cannot be set."""
        return time.monotonic()

    def set(self, to: datetime) -> None:
        """Jump, in every process at once."""
        now = time.time()
        shift = to.timestamp() - now
        with self._told.open("a", encoding="ascii") as file:
            file.write(f"{now!r} {shift!r}\n")
        _SHIFT.pack_into(self._memory, 0, shift)

    def jump(self, by: timedelta) -> None:
        """Jump by so much."""
        self.set(self.now() + by)

    def settings(self) -> Sequence[tuple[float, float]]:
        """Return when it was set, in the machine's time, and how far ahead it went from then on."""
        lines = self._told.read_text(encoding="ascii").splitlines()
        return [(float(at), float(shift)) for at, _, shift in (line.partition(" ") for line in lines)]


class ShiftedLog(EventLog):
    """The PBX's log of channel events, with the times that the shared clock had."""

    clock: SharedClock

    def read(self, since: datetime) -> list[LogRow]:
        """Return the lines from ``since`` on by the shared clock, in order."""
        known = self.clock.settings()
        starts = [at for at, _ in known]
        ends = [*starts[1:], time.time()]
        asked = since.timestamp()
        spans = zip(known, ends, strict=True)
        first = min(
            (max(at, asked - shift) for (at, shift), end in spans if end + shift > asked), default=None
        )
        if first is None:
            return []
        found = []
        for row in super().read(datetime.fromtimestamp(first, UTC)):
            real = row.at.timestamp()
            shift = known[max(0, bisect_right(starts, real) - 1)][1]
            at = datetime.fromtimestamp(real + shift, UTC)
            if at >= since:
                found.append(replace(row, at=at))
        return found
