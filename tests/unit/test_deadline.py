"""What hangs beyond its time limit is broken off, says where it hung, and the run goes on."""

import time
from pathlib import Path

import pytest

from tests.support.deadline import last_deadline


def test_what_hangs_is_broken_off_and_told(tmp_path: Path) -> None:
    said = tmp_path / "said"
    began = time.monotonic()
    with (
        said.open("w") as out,
        pytest.raises(pytest.fail.Exception, match="not over after 0 s"),
        last_deadline("a test", 0.2, out),
    ):
        time.sleep(30)
    assert time.monotonic() - began < 25
    assert "a test is not over" in said.read_text()
    assert Path(__file__).name in said.read_text()


def test_what_ends_in_time_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as out, last_deadline("a test", 30, out):
        pass
    assert (tmp_path / "said").read_text() == ""
