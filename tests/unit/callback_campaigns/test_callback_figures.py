"""Callbacks in figures (domain.md §5.1): numerators and denominators, good and pass rate, few, delays."""

from decimal import Decimal

import pytest

from callback_campaigns.domain.figures import Mean, delay_of, grades, rate

pytestmark = pytest.mark.unit


def test_nothing_in_the_denominator_is_no_figure() -> None:
    assert (rate(0, 0).percent, rate(3, 0).ratio) == (None, None)
    assert (rate(0, 4).percent, rate(4, 4).percent) == (Decimal("0.0"), Decimal("100.0"))
    assert rate(2, 3).percent == Decimal("66.7")
    assert rate(5, 2).ratio == Decimal("2.5")


def test_the_pass_rate_adds_fair_to_the_good_ones_and_never_poor() -> None:
    good, passed = grades({"excellent": 4, "good": 3, "fair": 2, "poor": 1})
    assert (good.percent, passed.percent) == (Decimal("70.0"), Decimal("90.0"))
    assert {int(good.denominator), int(passed.denominator)} == {10}
    only_poor = grades({"poor": 5})
    assert [one.percent for one in only_poor] == [Decimal("0.0"), Decimal("0.0")]


def test_answers_on_three_grades_count_as_the_four_that_they_stand_for() -> None:
    good, passed = grades({"satisfied": 2, "neutral": 1, "dissatisfied": 1, "not_a_grade": 9})
    assert (good.percent, passed.percent) == (Decimal("50.0"), Decimal("75.0"))


@pytest.mark.parametrize(("count", "few"), [(0, True), (4, True), (5, False)])
def test_under_five_answers_are_few(count: int, few: bool) -> None:
    assert Mean(80 * count, count).few is few


@pytest.mark.parametrize(
    ("days", "band"),
    [(-3, "0"), (0, "0"), (1, "1"), (3, "2-3"), (4, "4-7"), (7, "4-7"), (8, "8+")],
)
def test_the_delay_is_counted_in_days_after_the_due_date(days: int, band: str) -> None:
    assert delay_of(days) == band
