"""Money that customers pay for a project (domain.md §4.1): never more than is owed, never edited."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from kernel.errors import Conflict, Invalid

MAX_AMOUNT = Decimal("9999999999.99")
NOTHING = Decimal("0.00")


class Period(StrEnum):
    """What a payment is for 收款期次."""

    FIRST = "first"
    MID = "mid"
    FINAL = "final"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A posted payment; a reversal has the amount below zero."""

    period: Period
    amount: Decimal
    due: Decimal | None = None
    reversed: bool = False


def money(raw: object, *, field: str) -> Decimal:
    """Return an amount with two decimals.

    Raises:
        Invalid: it is no amount, below zero, too large, or finer than a cent.
    """
    try:
        amount = Decimal(str(raw).strip().replace(",", "").replace("，", "").removeprefix("¥"))
    except InvalidOperation as error:
        raise Invalid("not an amount: write it like 12800.50", field=field) from error
    if not amount.is_finite() or amount < 0 or amount > MAX_AMOUNT:
        raise Invalid("an amount from 0 to 9999999999.99", field=field)
    if amount != amount.quantize(Decimal("0.01")):
        raise Invalid("at most two decimals", field=field)
    return amount.quantize(Decimal("0.01"))


def paid(entries: Iterable[Entry]) -> Decimal:
    """Return what has been received, reversals taken off."""
    return sum((entry.amount for entry in entries), NOTHING)


def owed(amount: Decimal | None, changes: Decimal | None) -> Decimal | None:
    """Return the contract's amount with the approved changes; ``None`` while it is not known."""
    return None if amount is None else amount + (changes or NOTHING)


def check_payment(entries: Iterable[Entry], amount: Decimal, limit: Decimal | None) -> None:
    """Refuse a payment that nobody owes.

    Raises:
        Invalid: the amount is zero, or all payments together exceed what is owed.
        Conflict: the contract's amount is not known.
    """
    if amount <= 0:
        raise Invalid("the amount must be above zero", field="amount")
    if limit is None:
        raise Conflict("enter the amount of the contract first", field="amount")
    total = paid(entries) + amount
    if total > limit:
        raise Invalid(f"{total} would be paid of {limit} that are owed", field="amount")


def settled(entries: Iterable[Entry]) -> frozenset[Period]:
    """Return the periods that are paid in full: no less than the largest amount that was due for them."""
    received: dict[Period, Decimal] = defaultdict(lambda: NOTHING)
    due: dict[Period, Decimal] = defaultdict(lambda: NOTHING)
    for entry in entries:
        received[entry.period] += entry.amount
        if entry.due is not None and not entry.reversed and entry.amount > 0:
            due[entry.period] = max(due[entry.period], entry.due)
    return frozenset(period for period, sum_ in received.items() if sum_ > 0 and sum_ >= due[period])
