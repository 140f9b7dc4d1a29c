"""Tables as files: CSV and Excel, a part at a time, where no cell can become a formula."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Final

Cell = str | int | float | None

LONGEST_CELL = 32_000
"""Characters; Excel takes 32,767."""
_GUARDED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
CHUNK = 64 * 1024


def guard(text: str) -> str:
    """Return a cell's text so that a spreadsheet takes it for text, blanks before the sign or not."""
    return "'" + text if text.startswith(_GUARDED) or text.lstrip().startswith(_GUARDED) else text


def cell(value: Cell) -> Cell:
    """Return a value as it may stand in a file: texts guarded, cut, without what no file holds."""
    if not isinstance(value, str):
        return value
    return guard(_UNWRITABLE.sub("", value)[:LONGEST_CELL])


def csv_part(rows: Iterable[Sequence[Cell]], *, first: bool = False) -> bytes:
    """Return rows as CSV in UTF-8; the first part has the mark that lets Excel open it as it is."""
    held = io.StringIO(newline="")
    csv.writer(held).writerows([cell(value) for value in row] for row in rows)
    return held.getvalue().encode("utf-8-sig" if first else "utf-8")


class ExcelFile:
    """An Excel file that grows on disk, not in memory. Its methods take their time: call them in a thread."""

    def __init__(self, title: str) -> None:
        # Slow to import, and not every process needs it.
        from openpyxl import Workbook

        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(title[:31])

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows at the end."""
        for row in rows:
            self._sheet.append([cell(value) for value in row])

    def finish(self) -> BinaryIO:
        """Return the whole file, at its begin; closing it removes it."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked closes it
        try:
            self._book.save(file)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def drop(self) -> None:
        """Give up a file that was not finished."""
        self._book.close()


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in parts."""
    while part := file.read(CHUNK):
        yield part
