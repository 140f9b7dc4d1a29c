"""Cells of files: no text becomes a formula, and none breaks the file."""

import csv
import io

import pytest
from openpyxl import load_workbook

from crm.sheets import LONGEST_CELL, ExcelFile, cell, chunks, csv_part

pytestmark = pytest.mark.unit

FORMULAS = (
    "=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =cmd|' /C calc'!A0",
    "＝1+1",
    "\x00=1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    found = cell(text)
    assert isinstance(found, str)
    assert found.startswith("'")


@pytest.mark.parametrize("value", ["厨房墙砖空鼓", "", "2026-03-10 09:00", 12, 1.5, None, "a=b", "–"])
def test_what_is_none_stays_as_it_is(value: str | float | None) -> None:
    assert cell(value) == value


def test_a_cell_is_cut_and_loses_what_no_file_holds() -> None:
    assert len(str(cell("长" * 40_000))) == LONGEST_CELL
    assert cell("\ud800坏\x0b字\x00") == "坏字"


def test_csv_comes_in_parts_and_opens_in_excel() -> None:
    whole = csv_part([["单号", "摘要"]], first=True) + csv_part([["TS1", '引"号,\n换行'], ["=2", None]])
    assert whole.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(whole.decode("utf-8-sig"), newline="")))
    assert rows == [["单号", "摘要"], ["TS1", '引"号,\n换行'], ["'=2", ""]]


def test_an_excel_file_has_texts_where_formulas_were_tried() -> None:
    book = ExcelFile("cases")
    book.add([["单号", "次数"]])
    book.add([[text, 3] for text in FORMULAS])
    with book.finish() as file:
        content = b"".join(chunks(file))
    sheet = load_workbook(io.BytesIO(content))["cases"]
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert len(cells) == len(FORMULAS)
    assert {found.data_type for found in cells} == {"s"}
    assert sheet["B2"].value == 3
