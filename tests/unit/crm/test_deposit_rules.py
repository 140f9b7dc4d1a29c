"""Rules for quality deposits (domain.md §1.5): 3 % per project, caps, release after 25 months, a floor."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from crm.domain.deposit_rule import DepositRule, check_rule, release_on, rule_on, to_release, to_withhold
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

RULE = DepositRule(
    valid_from=date(2026, 1, 1),
    percent=Decimal(3),
    cap=Decimal(20_000),
    initial=Decimal(10_000),
    release_months=25,
    floor=Decimal(5_000),
)


def test_1_5_three_percent_of_a_project_up_to_the_cap() -> None:
    assert to_withhold(RULE, Decimal(100_000), Decimal(0)) == Decimal("3000.00")
    assert to_withhold(RULE, Decimal("33333.33"), Decimal(0)) == Decimal("1000.00")
    assert to_withhold(RULE, Decimal(100_000), Decimal(18_500)) == Decimal(1_500)
    assert to_withhold(RULE, Decimal(100_000), Decimal(20_000)) == 0
    assert to_withhold(RULE, Decimal(100_000), Decimal(25_000)) == 0
    other = replace(RULE, cap=Decimal(60_000))  # 10,000 paid in and 50,000 withheld
    assert to_withhold(other, Decimal(100_000), Decimal(58_000)) == Decimal(2_000)


def test_1_5_released_25_months_after_completion_keeping_a_floor() -> None:
    assert release_on(RULE, date(2026, 3, 10)) == date(2028, 4, 10)
    assert release_on(RULE, date(2026, 1, 31)) == date(2028, 2, 29)
    assert release_on(replace(RULE, release_months=12), date(2027, 12, 5)) == date(2028, 12, 5)
    assert to_release(RULE, Decimal(3_000), Decimal(20_000)) == Decimal(3_000)
    assert to_release(RULE, Decimal(3_000), Decimal(6_000)) == Decimal(1_000)
    assert to_release(RULE, Decimal(3_000), Decimal(4_000)) == 0


def test_a_project_has_the_rule_of_its_completion() -> None:
    later = replace(RULE, valid_from=date(2026, 6, 1), percent=Decimal(5))
    assert rule_on([RULE, later], date(2026, 5, 31)) == RULE
    assert rule_on([later, RULE], date(2026, 6, 1)) == later
    assert rule_on([RULE], date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("percent", Decimal(101)), ("floor", Decimal(20_001)), ("cap", Decimal(-1)), ("release_months", 121)],
)
def test_figures_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(Invalid):
        check_rule(replace(RULE, **{field: value}))  # type: ignore[arg-type]
