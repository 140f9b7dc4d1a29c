"""Numbers, dates and money as they are said in English."""

from datetime import date, time
from decimal import Decimal

import pytest

from kernel.spoken_en import (
    spoken_date_en,
    spoken_digits_en,
    spoken_integer_en,
    spoken_money_en,
    spoken_ordinal_en,
    spoken_time_en,
    spoken_year_en,
)

pytestmark = pytest.mark.unit


_8000 = "eight zero zero zero"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        pytest.param(spoken_digits_en("13800138000"), f"one three eight, zero zero one three, {_8000}"),
        pytest.param(spoken_digits_en("010-62668000"), f"zero one zero, six two six six, {_8000}"),
        pytest.param(spoken_digits_en("1001"), "one zero zero one"),
        pytest.param(spoken_integer_en(0), "zero"),
        pytest.param(spoken_integer_en(342), "three hundred and forty-two"),
        pytest.param(spoken_integer_en(10086), "ten thousand and eighty-six"),
        pytest.param(spoken_integer_en(-15), "minus fifteen"),
        pytest.param(spoken_integer_en(2_000_000), "two million"),
        pytest.param(spoken_ordinal_en(12), "twelfth"),
        pytest.param(spoken_ordinal_en(22), "twenty-second"),
        pytest.param(spoken_ordinal_en(30), "thirtieth"),
        pytest.param(spoken_money_en(Decimal("1280.50")), "one thousand two hundred and eighty yuan fifty"),
        pytest.param(spoken_money_en(Decimal("3.05")), "three yuan oh five"),
        pytest.param(spoken_date_en(date(2026, 11, 22)), "November the twenty-second"),
        pytest.param(spoken_date_en(date(2026, 5, 1), year=True), "May the first, twenty twenty-six"),
        pytest.param(spoken_year_en(2005), "two thousand and five"),
        pytest.param(spoken_year_en(1900), "nineteen hundred"),
        pytest.param(spoken_time_en(time(8, 30)), "eight thirty a.m."),
        pytest.param(spoken_time_en(time(12, 0)), "twelve p.m."),
        pytest.param(spoken_time_en(time(0, 5)), "twelve oh five a.m."),
    ],
)
def test_it_is_said_so(said: str, wanted: str) -> None:
    assert said == wanted
