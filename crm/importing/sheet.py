"""Reads the cells of a sheet that somebody uploaded: CSV in UTF-8, UTF-16 or GB18030, or Excel (.xlsx).

Nothing in the file is trusted: its size, its rows and what an archive unpacks to have limits, macros and
formulas are refused, and nothing is computed.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from crm.domain.import_rows import Formula
from kernel.errors import Invalid

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 80
MAX_UNPACKED = 200 * 1024 * 1024
MAX_MEMBERS = 300
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class BadSheet(Invalid):
    """The file is no sheet that can be read; the message says what to do."""

    code = "bad_sheet"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a sheet: rows with their numbers as the sheet counts, the header first, no empty ones."""

    rows: Sequence[tuple[int, Sequence[Any]]]


def read_sheet(content: bytes) -> Sheet:
    """Return the cells of an uploaded file. Takes seconds for a large one: call it in a thread.

    Raises:
        BadSheet: it is empty, too large, of another format, or holds macros.
    """
    if not content:
        raise BadSheet("the file is empty", field="file")
    if len(content) > MAX_BYTES:
        raise BadSheet(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB: split it", field="file")
    if content.startswith(_OLD_EXCEL):
        raise BadSheet("an old or protected Excel file: save it as .xlsx without a password", field="file")
    rows = _excel(content) if content.startswith(b"PK") else _csv(content)
    kept = [(number, cells) for number, cells in rows if any(cell not in (None, "") for cell in cells)]
    if not kept:
        raise BadSheet("the file is empty", field="file")
    if len(kept) < 2:
        raise BadSheet("the sheet has a header and no rows", field="file")
    return Sheet(kept)


def _too_many() -> BadSheet:
    return BadSheet(f"more than {MAX_ROWS} rows: split the file", field="file")


def _csv(content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    text = _decoded(content)
    if "\x00" in text:
        raise BadSheet("not a text file: save it as CSV or .xlsx", field="file")
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",\t;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            if number > MAX_ROWS + 1:
                raise _too_many()
            if len(cells) > MAX_COLUMNS:
                raise BadSheet(f"row {number}: more than {MAX_COLUMNS} columns", field="file")
            yield number, cells
    except csv.Error as error:
        line = reader.line_num
        raise BadSheet(
            f"line {line}: not well-formed CSV ({error}): check its quotes", field="file"
        ) from error


def _decoded(content: bytes) -> str:
    encodings = [name for bom, name in _BOMS if content.startswith(bom)] or ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadSheet("neither UTF-8 nor GB18030: save it as «CSV UTF-8» or .xlsx", field="file")


def _excel(content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    _check_archive(content)
    # Slow to import, and not every process needs it.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except (InvalidFileException, KeyError, ValueError, TypeError, OSError, SyntaxError) as error:
        raise BadSheet("not an Excel file that can be read: save it again as .xlsx", field="file") from error
    with closing(book):
        if not book.worksheets:
            raise BadSheet("the file has no sheet", field="file")
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        try:
            for number, cells in enumerate(sheet.iter_rows(max_row=MAX_ROWS + 2), start=1):
                if number > MAX_ROWS + 1:
                    raise _too_many()
                if len(cells) > MAX_COLUMNS:
                    raise BadSheet(f"row {number}: more than {MAX_COLUMNS} columns", field="file")
                yield number, [_value(cell) for cell in cells]
        except (KeyError, ValueError, TypeError, IndexError, SyntaxError, zipfile.BadZipFile) as error:
            raise BadSheet("the Excel file is damaged: save it again as .xlsx", field="file") from error


def _value(cell: Any) -> Any:
    return Formula() if cell.data_type in {"f", "e"} else cell.value


def _check_archive(content: bytes) -> None:
    """Refuse what unpacks to too much, is encrypted, has macros, or declares XML entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(item.file_size for item in members) > MAX_UNPACKED:
                raise BadSheet("the Excel file unpacks to too much: remove what is not needed", field="file")
            for item in members:
                _check_member(archive, item)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise BadSheet("the Excel file is damaged: save it again as .xlsx", field="file") from error


def _check_member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> None:
    name = item.filename.lower()
    if item.flag_bits & 1:
        raise BadSheet("the Excel file has a password: save it without one", field="file")
    if "vbaproject" in name or "/embeddings/" in name or "/activex/" in name:
        raise BadSheet("the Excel file holds macros or other files: save it as plain .xlsx", field="file")
    if name.endswith((".xml", ".rels")):
        with archive.open(item) as file:
            start = file.read(4096)
        if re.search(rb"<!(DOCTYPE|ENTITY)", start, re.IGNORECASE):
            raise BadSheet("the Excel file declares XML entities", field="file")
