"""What is kept back of a crew's pay, and when it is paid out (domain.md §1.5, «designed on W13, W14»).

======== ==================================================================================================
posting  rule
======== ==================================================================================================
WITHHOLD the percentage of the contract and its approved changes when a project is completed, once per
         project; never more than is missing to the cap, so that an account never grows beyond it by what is
         withheld
RELEASE  what was withheld of a project, some months after its completion; never more than leaves the floor
         in the account: the rest follows as soon as the account holds more
======== ==================================================================================================

The rule in force on the day of completion holds for a project to the end; projects that were completed before
the first rule are left alone.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from crm.domain.deposit import NOTHING
from crm.domain.repair_point import CENT, amount
from kernel.errors import Invalid

MOST_MONTHS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRule:
    """A rule from a day on.

    Attributes:
        percent: of a project's contract.
        cap: what the account may hold after something was withheld.
        initial: what a crew is to pay in at first; shown, never posted by itself.
        release_months: after completion.
        floor: what a release leaves in the account.
    """

    valid_from: date
    percent: Decimal
    cap: Decimal
    initial: Decimal
    release_months: int
    floor: Decimal


def check_rule(rule: DepositRule) -> DepositRule:
    """Return a rule with sound figures. Raises Invalid, which names the field."""
    percent = amount(rule.percent, field="percent")
    if percent > 100:
        raise Invalid("at most 100", field="percent")
    cap, floor = amount(rule.cap, field="cap"), amount(rule.floor, field="floor")
    if floor > cap:
        raise Invalid("the floor lies above the cap", field="floor")
    if not 0 <= rule.release_months <= MOST_MONTHS:
        raise Invalid(f"0 to {MOST_MONTHS}", field="release_months")
    return DepositRule(
        valid_from=rule.valid_from,
        percent=percent,
        cap=cap,
        initial=amount(rule.initial, field="initial"),
        release_months=rule.release_months,
        floor=floor,
    )


def rule_on(rules: Sequence[DepositRule], day: date) -> DepositRule | None:
    """Return the rule in force on a day."""
    return max((one for one in rules if one.valid_from <= day), key=lambda one: one.valid_from, default=None)


def to_withhold(rule: DepositRule, contract: Decimal, held: Decimal) -> Decimal:
    """Return what is kept back of a project's pay while the account holds ``held``."""
    share = (contract * rule.percent / 100).quantize(CENT, ROUND_HALF_UP)
    return max(min(share, rule.cap - held), NOTHING)


def to_release(rule: DepositRule, withheld: Decimal, held: Decimal) -> Decimal:
    """Return what is paid out of what was withheld of a project."""
    return max(min(withheld, held - rule.floor), NOTHING)


def release_on(rule: DepositRule, completed: date) -> date:
    """Return the day from which a project's part is paid out; a short month ends earlier."""
    months = completed.month - 1 + rule.release_months
    year, month = completed.year + months // 12, months % 12 + 1
    return date(year, month, min(completed.day, calendar.monthrange(year, month)[1]))
