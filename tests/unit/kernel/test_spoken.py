"""Numbers as people say them."""

from decimal import Decimal

import pytest

from kernel.spoken import spoken_count, spoken_decimal, spoken_integer, spoken_money, spoken_year

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "一"),
        (2, "两"),
        (3, "三"),
        (10, "十"),
        (11, "十一"),
        (12, "十二"),
        (22, "二十二"),
        (200, "两百"),
        (2200, "两千二百"),
        (20000, "两万"),
    ],
)
def test_a_count_before_its_measure_word(number: int, said: str) -> None:
    assert spoken_count(number) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (15, "十五"),
        (20, "二十"),
        (101, "一百零一"),
        (110, "一百一十"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (10086, "一万零八十六"),
        (100000, "十万"),
        (100010, "十万零一十"),
        (1030500, "一百零三万零五百"),
        (120000000, "一亿两千万".replace("两", "二")),
        (100000001, "一亿零一"),
        (-3, "负三"),
        (10**16, "一" + "零" * 16),
    ],
)
def test_whole_numbers(number: int, said: str) -> None:
    assert spoken_integer(number) == said


@pytest.mark.parametrize(
    ("number", "said"), [("3.50", "三点五零"), ("0.5", "零点五"), ("-1.2", "负一点二"), ("120", "一百二十")]
)
def test_decimals(number: str, said: str) -> None:
    assert spoken_decimal(number) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("1280.50", "一千二百八十元五角"),
        ("12.05", "十二元零五分"),
        ("12.55", "十二元五角五分"),
        ("0.20", "两角"),
        ("0", "零元"),
        ("2", "两元"),
        ("200", "两百元"),
        ("-5", "负五元"),
        ("1.125", "一点一二五元"),
    ],
)
def test_money(amount: str, said: str) -> None:
    assert spoken_money(Decimal(amount)) == said


def test_years_have_no_hundreds() -> None:
    assert spoken_year("2026") == "二零二六"
