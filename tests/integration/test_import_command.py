"""``huifang import``: says what it would do, does it once, and leaves a report."""

from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from app.cli import cli

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUIFANG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(cli, arguments)
    return answer.exit_code, answer.output


def test_an_import_from_the_command_line(folder: Path) -> None:
    sheet = folder / "客户.csv"
    sheet.write_text("客户姓名,电话\n王建军,13800138001\n李秀英,不知道\n", encoding="utf-8")
    assert command("db", "upgrade")[0] == 0
    code, _ = command("import", str(sheet), "--dry-run", "--report", str(folder / "r.xlsx"))
    assert code == 1
    cells = [
        [cell.value for cell in row] for row in load_workbook(folder / "r.xlsx").worksheets[0].iter_rows()
    ]
    assert cells[1][:2] == [3, "电话"]
    assert command("import", str(sheet))[0] == 1
    code, said = command("import", str(sheet), "--good-rows-only")
    assert (code, "1 new customers" in said) == (0, True)
    code, said = command("import", str(sheet), "--good-rows-only")
    assert (code, "0 new customers" in said, "1 unchanged" in said) == (0, True, True)
    assert command("import", str(folder / "no.csv"))[0] == 1
