"""The line that lists show of a case."""

import pytest

from crm.domain.case import summary_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("墙砖空鼓\n请上门", "墙砖空鼓"),
        ("请回电13800138001，墙砖空鼓", "请回电138****8001，墙砖空鼓"),
        ("请回电 138 0013 8001", "请回电 138****8001"),
        ("请回电+8613800138001", "请回电+86138****8001"),
        ("合同号 20261380013800123", "合同号 20261380013800123"),
        ("长" * 90, "长" * 79 + "…"),
    ],
)
def test_a_summary_is_one_short_line_without_whole_numbers(content: str, shown: str) -> None:
    assert summary_of(content) == shown
