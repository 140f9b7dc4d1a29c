"""The line that lists show of a case."""

import pytest

from crm.domain.case import mask_numbers, summary_of

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("打010-1234 5678找我", "打010****5678找我"),
        ("家里01062345678", "家里010****5678"),
        ("（0539）8123456转805", "（0539）****3456"),
        ("0539-812 3456", "0539****3456"),
        ("0755－8234－5678 转 12", "0755****5678"),
        ("+86 10 6234 5678", "+86 10****5678"),
        ("０１０—６２３４５６７８", "010****5678"),
        ("021 5234 5678 ext 3", "021****5678"),
        ("139-1234-5678", "139****5678"),
        ("0539 8123456，0539 8123457", "0539****3456，0539****3457"),
        ("合同HT010123456789，20260310 1234，单号0101234567890123", None),
        ("金额0.5元，TS202611220001，400-800-1234", None),
    ],
)
def test_6_3_landlines_and_mobiles_are_masked_however_they_are_written(text: str, shown: str | None) -> None:
    assert mask_numbers(text) == (text if shown is None else shown)
