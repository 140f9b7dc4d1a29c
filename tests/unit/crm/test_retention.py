"""Retention classes (domain.md §6.4): a test for each row, and the mistakes in the file."""

from dataclasses import replace
from datetime import date
from importlib.resources import files

import pytest

from crm.domain.retention import (
    Kept,
    RetentionClass,
    Span,
    class_of,
    ends_on,
    has_ended,
    parse_retention,
    shipped_retention,
)
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit

POLICY = shipped_retention()
CALL = Kept(begun=date(2026, 1, 10))
CASE = Kept(
    begun=date(2026, 3, 2),
    closed=date(2026, 3, 20),
    is_case=True,
    delivered=date(2025, 6, 30),
    warranty_end=date(2027, 6, 30),
)


def test_ROUTINE_call_180_days() -> None:
    assert class_of(CALL) is RetentionClass.ROUTINE
    assert ends_on(CALL, POLICY) == date(2026, 7, 9)
    assert not has_ended(CALL, POLICY, date(2026, 7, 9)), "the last day still counts"
    assert has_ended(CALL, POLICY, date(2026, 7, 10))


def test_CALLBACK_delivery_and_24_months() -> None:
    made = replace(CALL, is_callback=True, delivered=date(2026, 5, 31))
    assert class_of(made) is RetentionClass.CALLBACK
    assert ends_on(made, POLICY) == date(2028, 5, 31)
    assert ends_on(replace(made, delivered=None, running=True), POLICY) is None, "not handed over yet"
    assert ends_on(replace(made, delivered=date(2024, 2, 29)), POLICY) == date(2028, 1, 10)


def test_CASE_warranty_end_at_most_5_years_and_3_years() -> None:
    assert ends_on(CASE, POLICY) == date(2030, 6, 30)
    assert ends_on(replace(CASE, warranty_end=date(2040, 1, 1)), POLICY) == date(2033, 6, 30), "5 y + 3 y"
    assert ends_on(replace(CASE, warranty_end=None, delivered=None), POLICY) == date(2034, 3, 20)
    assert ends_on(replace(CASE, warranty_end=date(2025, 7, 1)), POLICY) == date(2029, 3, 20), (
        "not before three years after it was closed"
    )
    assert ends_on(replace(CASE, closed=None), POLICY) is None, "an open case stays"
    assert ends_on(replace(CASE, running=True), POLICY) is None


def test_MAJOR_legal_hold_until_it_is_released() -> None:
    major = replace(CASE, major=True)
    assert class_of(major) is RetentionClass.MAJOR
    assert ends_on(major, POLICY) is None
    assert ends_on(replace(CASE, held=True), POLICY) is None
    assert ends_on(replace(CALL, held=True), POLICY) is None
    released = replace(major, held=False)
    assert (class_of(released), ends_on(released, POLICY)) == (RetentionClass.CASE, date(2030, 6, 30))


def test_CANCELLED_one_year_minimum() -> None:
    gone = replace(CASE, cancelled=date(2026, 2, 1))
    assert (class_of(gone), ends_on(gone, POLICY)) == (RetentionClass.CANCELLED, date(2027, 3, 20))
    later = replace(gone, cancelled=date(2026, 8, 31))
    assert ends_on(later, POLICY) == date(2027, 8, 31)


def test_AUDIT_3_years() -> None:
    assert POLICY[RetentionClass.AUDIT].keep == Span(months=36)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("keep: 180d", "keep: 29d", "ROUTINE.keep: shorter than it must be kept"),
        ("keep: 1y", "keep: 11m", "CANCELLED.keep: shorter than it must be kept"),
        ("keep: 24m", "keep: long", "CALLBACK.keep: no length such as 180d, 24m or 3y"),
        ("from: delivered", "from: moon", "CALLBACK.from: 'moon' is none of"),
        ("cap: 5y, ", "", "CASE: with from: warranty_end it says cap, keep"),
        ("AUDIT:", "LOGS:", "LOGS: no such class"),
    ],
)
def test_mistakes_in_the_file_are_named(old: str, new: str, problem: str) -> None:
    text = (files("crm") / "retention.yaml").read_text(encoding="utf-8")
    body = text[text.index("ROUTINE: {") :]
    with pytest.raises(ConfigurationError, match="retention") as refused:
        parse_retention(body.replace(old, new, 1))
    assert problem in str(refused.value)
