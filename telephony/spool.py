"""Finished calls on disk while the database is gone: one JSON line each, synced before it counts.

The file survives us; it is read back when the database returns, or at the next start. Reading it twice does
no harm, because writing a call twice does none.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from kernel.errors import Invalid, Unavailable
from telephony.call_record import CallRecord

log = structlog.get_logger(__name__)

SPOOLED = Counter("huifang_call_spool_written_total", "Finished calls written to the spool")
SPOOL_BYTES = Gauge("huifang_call_spool_bytes", "Size of the spool of finished calls")
UNREADABLE = Counter("huifang_call_spool_unreadable_total", "Lines of the spool that made no sense")


class SpoolFull(Unavailable):
    """The spool has reached its bound, or the disk is full."""

    code = "spool_full"


class CallSpool:
    """A bounded file of call records. Its methods block; call them from a thread.

    Args:
        path: the file; its folder is made.
        max_bytes: the bound.
    """

    def __init__(self, path: Path, *, max_bytes: int = 256 * 1024 * 1024) -> None:
        self.path = path
        self._max_bytes = max_bytes

    @property
    def size(self) -> int:
        """Bytes in the file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, records: Sequence[CallRecord]) -> None:
        """Write records and sync them to the disk.

        Raises:
            SpoolFull: nothing of them counts as written.
        """
        data = b"".join(record.to_json() for record in records)
        size = self.size
        if size + len(data) > self._max_bytes:
            raise SpoolFull("the spool of finished calls is full", bytes=size)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", opener=_private) as file:
                # A line torn by a crash or a full disk must not swallow the next one.
                file.write(data if self._ends_well() else b"\n" + data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SpoolFull("the spool of finished calls cannot be written") from error
        SPOOLED.inc(len(records))
        SPOOL_BYTES.set(size + len(data))

    def _ends_well(self) -> bool:
        with open(self.path, "rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def read(self, batch: int = 200) -> Iterator[list[CallRecord]]:
        """Yield what is in the file, oldest first; a line cut off by a crash is skipped and counted."""
        try:
            file = open(self.path, "rb")  # noqa: SIM115 - closed below, may not exist
        except FileNotFoundError:
            return
        with file:
            found: list[CallRecord] = []
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    found.append(CallRecord.from_json(line))
                except Invalid:
                    UNREADABLE.inc()
                    log.error("call_spool_line_unreadable", line=number, bytes=len(line))
                    continue
                if len(found) >= batch:
                    yield found
                    found = []
            if found:
                yield found

    def clear(self) -> None:
        """Forget what has been read back."""
        self.path.unlink(missing_ok=True)
        SPOOL_BYTES.set(0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
