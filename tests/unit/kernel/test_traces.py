"""Words are made illegible in place, wherever they lie in a log (domain.md §6.4)."""

from pathlib import Path

import pytest

from kernel import traces
from kernel.traces import LogFiles, blot_out

pytestmark = pytest.mark.unit

NUMBER = "13800138001"


def test_a_word_goes_and_everything_else_stays_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f'"CHAN","+86{NUMBER}","0"\n"欧阳","{NUMBER}"\n', encoding="utf-8")
    assert blot_out(path, [NUMBER.encode(), b"+8613800138001"]) == 3
    assert path.read_text(encoding="utf-8") == '"CHAN","**************","0"\n"欧阳","***********"\n'
    assert blot_out(path, [NUMBER.encode()]) == 0
    assert blot_out(path, []) == 0


@pytest.mark.parametrize("block", [1, 5, 11, 12, 30], ids=str)
def test_also_where_it_lies_across_two_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(traces, "_BLOCK", block)
    path = tmp_path / "log"
    path.write_bytes(f"ab{NUMBER}cd{NUMBER}{NUMBER}e".encode())
    assert blot_out(path, [NUMBER.encode()]) >= 3
    assert path.read_bytes() == b"ab" + b"*" * 11 + b"cd" + b"*" * 22 + b"e"


async def test_all_logs_below_a_folder_but_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    logs, other = tmp_path / "log", tmp_path / "other"
    (logs / "cel").mkdir(parents=True)
    for path in (logs / "a.log", logs / "cel" / "b.csv", other):
        path.write_text(NUMBER)
    (logs / "link").symlink_to(other)
    assert await LogFiles(logs, tmp_path / "none").blot_out([NUMBER]) == 2
    assert (other.read_text(), (logs / "a.log").read_text()) == (NUMBER, "*" * 11)
