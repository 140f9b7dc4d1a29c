"""What failed while the machine was busy is run once more, and what fails twice is broken."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import every


def _plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *rounds: tuple[int, Sequence[str]]) -> list[str]:
    """Have pytest end with these codes and these failed; return what it was called with."""
    called: list[str] = []
    left = list(rounds)
    cache = tmp_path / "lastfailed"
    monkeypatch.setattr(every, "REMEMBERED", cache)
    monkeypatch.setattr(every.remembered, "__defaults__", (cache,))

    def run(*arguments: str) -> int:
        called.append(" ".join(arguments))
        code, failed = left.pop(0)
        cache.write_text(json.dumps(dict.fromkeys(failed, True)), encoding="utf-8")
        return code

    monkeypatch.setattr(every, "pytest", run)
    return called


@pytest.mark.parametrize("code", [0, 2, 3, 4, 5])
def test_an_end_that_is_no_failed_test_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    called = _plays(monkeypatch, tmp_path, (code, ["tests/a.py::one"] if code else []))
    assert every.main(["-k", "x"]) == code
    assert len(called) == 1
    assert called[0].endswith("-k x")


@pytest.mark.parametrize("second", [0, 1])
def test_a_few_are_run_once_more_and_that_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = ["tests/a.py::one", "tests/b.py::two[x y]"]
    called = _plays(monkeypatch, tmp_path, (1, failed), (second, failed if second else []))
    assert every.main([]) == second
    assert called[1] == "-p no:xdist tests/a.py::one tests/b.py::two[x y]"
    assert ("FAILED UNDER LOAD ONLY" in capsys.readouterr().out) == (second == 0)


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param([f"tests/a.py::t{n}" for n in range(4)], id="many"),
        pytest.param(["tests/a.py"], id="a-file-that-cannot-be-read"),
        pytest.param([], id="nobody-knows-which"),
    ],
)
def test_more_than_a_few_are_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failed: list[str]
) -> None:
    called = _plays(monkeypatch, tmp_path, (1, failed))
    assert every.main([]) == 1
    assert len(called) == 1
