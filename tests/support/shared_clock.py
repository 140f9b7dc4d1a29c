"""A clock that several processes share and one of them sets: the machine's own, and how wrong it is."""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

_SHIFT: Final = struct.Struct("=d")


class SharedClock:
    """The machine's clock, shifted by what stands in a file."""

    def __init__(self, path: Path) -> None:
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
        _SHIFT.pack_into(self._memory, 0, to.timestamp() - time.time())

    def jump(self, by: timedelta) -> None:
        """Jump by so much."""
        _SHIFT.pack_into(self._memory, 0, self.shift + by.total_seconds())
