"""The report of an import as a file: CSV or Excel, where no cell can become a formula."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from crm.domain.import_columns import PROBLEMS
from crm.domain.import_rows import RowProblem
from crm.sheets import guard

Words = Callable[[str], tuple[str, str]]
"""Code → what is wrong and what to do, in somebody's language."""
TITLES = ("row", "column", "value", "problem", "what to do")


def english(code: str) -> tuple[str, str]:
    """Return the words of the code's own table."""
    return PROBLEMS[code]


def report_csv(
    problems: Sequence[RowProblem], *, words: Words = english, titles: Sequence[str] = TITLES
) -> bytes:
    """Return the problems as CSV in UTF-8 with a mark, which Excel opens as it is."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([guard(title) for title in titles])
    writer.writerows(_rows(problems, words))
    return file.getvalue().encode("utf-8-sig")


def report_xlsx(
    problems: Sequence[RowProblem], *, words: Words = english, titles: Sequence[str] = TITLES
) -> bytes:
    """Return the problems as an Excel file."""
    # Slow to import, and not every process needs it.
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("import")
    sheet.append([guard(title) for title in titles])
    for row in _rows(problems, words):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _rows(problems: Sequence[RowProblem], words: Words) -> Iterator[list[int | str]]:
    for problem in problems:
        what, mend = words(problem.code)
        yield [problem.row, guard(problem.column), guard(problem.value), guard(what), guard(mend)]
