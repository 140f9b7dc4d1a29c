"""The formulas of domain.md §5.2 that need no database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm.domain.case_figures import (
    Complained,
    FigureCode,
    Unit,
    check_period,
    days,
    figure,
    repeaters,
    spread,
)
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize("code", list(FigureCode))
def test_zero_denominator_has_no_value_never_0_or_100(code: FigureCode) -> None:
    assert figure(code, 0, 0).value is None
    assert figure(code, 3, 0).value is None


def test_a_rate_keeps_its_numerator_and_denominator() -> None:
    found = figure(FigureCode.SATISFIED_RATE, 2, 3)
    assert (found.numerator, found.denominator) == (Decimal(2), Decimal(3))
    assert found.unit is Unit.PERCENT
    assert found.value == Decimal("66.67")


def test_complaint_rate_is_per_100_projects() -> None:
    assert figure(FigureCode.COMPLAINT_RATE, 9, 180).value == Decimal("5.00")


def test_compensation_is_yuan_per_10000_of_contract_value() -> None:
    assert figure(FigureCode.COMPENSATION_PER_10000, Decimal(3000), Decimal(1_200_000)).value == Decimal(25)


def test_first_response_time_mean_median_and_90th_percentile() -> None:
    found = spread("accept", [HOUR * hours for hours in (1, 2, 3, 4, 5, 6, 7, 8, 9, 20)])
    assert (found.mean, found.median, found.p90) == (6.5 * HOUR, 5.5 * HOUR, 9 * HOUR)
    one = spread("accept", [HOUR])
    assert (one.count, one.mean, one.median, one.p90) == (1, HOUR, HOUR, HOUR)
    nothing = spread("accept", [])
    assert (nothing.count, nothing.mean, nothing.median, nothing.p90) == (0, None, None, None)


def test_average_days_to_solve_is_a_sum_over_a_count() -> None:
    assert figure(FigureCode.DAYS_TO_SOLVE, days([DAY, 2 * DAY]), 2).value == Decimal("1.50")


def test_repeat_complaint_two_cases_in_90_days() -> None:
    found = [
        Complained("a", MARCH - 91 * DAY),
        Complained("a", MARCH),
        Complained("b", MARCH - 30 * DAY),
        Complained("b", MARCH + DAY),
        Complained("c", MARCH + DAY),
        Complained("d", MARCH - DAY),
    ]
    assert repeaters(found, MARCH, APRIL) == (1, 3)


def test_repeat_complaint_same_class_on_the_same_project() -> None:
    assert repeaters([Complained("a", MARCH, same_again=True), Complained("b", MARCH)], MARCH, APRIL) == (
        1,
        2,
    )


@pytest.mark.parametrize("until", [MARCH, MARCH - DAY, MARCH + 401 * DAY])
def test_a_period_that_cannot_be_is_refused(until: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        check_period(MARCH, until)
    assert refused.value.field == "until"
