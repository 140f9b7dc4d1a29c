"""Abandonment: what counts, over which window, and how much may be saved up."""

import pytest

from callback_campaigns.pacing import AbandonmentBudget

pytestmark = pytest.mark.unit


def budget(**changes: float) -> AbandonmentBudget:
    return AbandonmentBudget(**{"cap": 0.03, "window_seconds": 86_400.0, "savings": 20.0, **changes})


def test_nothing_may_be_abandoned_before_the_first_answer() -> None:
    assert budget().credit(0.0) == 0.0


def test_a_hundred_live_answers_pay_for_three() -> None:
    one = budget()
    for second in range(100):
        one.record(float(second), abandoned=second in {10, 50})
    assert one.counts(100.0) == (100, 2)
    assert one.rate(100.0) == pytest.approx(0.02)
    assert one.credit(100.0) == pytest.approx(1.0)


def test_above_the_cap_the_credit_is_negative() -> None:
    one = budget()
    one.record(1.0, abandoned=True)
    assert one.credit(1.0) == pytest.approx(-0.97)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    one = budget(window_seconds=3_600.0)
    for second in range(50):
        one.record(float(second), abandoned=False)
    assert one.credit(60.0) == pytest.approx(1.5)
    assert one.counts(3_700.0) == (0, 0)
    assert one.credit(3_700.0) == 0.0
    assert one.rate(3_700.0) == 0.0


def test_a_quiet_morning_does_not_pay_for_an_afternoon_of_silent_calls() -> None:
    one = budget(savings=5.0)
    for second in range(1_000):
        one.record(float(second), abandoned=False)
    assert one.credit(1_000.0) == 5.0


def test_a_debt_goes_with_the_window_that_it_was_made_in() -> None:
    one = budget(window_seconds=3_600.0)
    for second in range(5):
        one.record(float(second), abandoned=True)
    assert one.credit(10.0) < -4
    assert one.credit(3_700.0) == 0.0
