"""Rules of the repair-point network: amounts, months, four eyes, budgets (domain.md §1.13)."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from crm.domain.line_steps import SamePerson
from kernel.errors import Conflict, Invalid

CENT = Decimal("0.01")
LARGEST = Decimal("9999999.99")
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)


class PartKind(StrEnum):
    """Which way spare parts went."""

    ISSUE = "issue"
    RETURN = "return"


def amount(raw: object, *, field: str, least: Decimal = Decimal(0)) -> Decimal:
    """Return an amount with at most two decimals.

    Raises:
        Invalid: no number, more than two decimals, less than ``least``, or more than anybody has.
    """
    try:
        value = raw if isinstance(raw, Decimal) else Decimal(str(raw)[:40])
    except InvalidOperation as error:
        raise Invalid("no amount", field=field) from error
    if not value.is_finite():
        raise Invalid("no amount", field=field)
    if not least <= value <= LARGEST:
        raise Invalid(f"between {least} and {LARGEST}", field=field)
    if value != value.quantize(CENT):
        raise Invalid("at most two decimals", field=field)
    return value.quantize(CENT)


def month_of(raw: str, today: date, *, field: str = "month") -> str:
    """Return a month, ``2026-03``. Raises Invalid when it is none, or lies more than a year ahead."""
    match = _MONTH.fullmatch(raw)
    if match is None:
        raise Invalid("a month such as 2026-03", field=field)
    if (int(match[1]) - today.year) * 12 + int(match[2]) - today.month > 12:
        raise Invalid("lies more than a year ahead", field=field)
    return raw


def agreement_holds(valid_from: date, valid_to: date | None, today: date) -> bool:
    """Tell whether an agreement holds on a day; its first and its last day belong to it."""
    return valid_from <= today and (valid_to is None or today <= valid_to)


def check_stock(issued: Decimal, returned: Decimal, back: Decimal) -> None:
    """Refuse to take back more of a part than a point has got. Raises Invalid."""
    if returned + back > issued:
        raise Invalid(f"the point has {issued - returned} of it", field="quantity")


def over_budget(budget: Decimal, actual: Decimal | None) -> Decimal:
    """Return by how much a month is over its budget, 0 when it is not."""
    return max((actual or Decimal(0)) - budget, Decimal(0))


def check_approval(
    *, budget: Decimal, actual: Decimal | None, entered_by: str, approver: str, why: str
) -> None:
    """Refuse an approval that is none: two people, a figure, and a reason where it is over the budget.

    Raises:
        Conflict: there is no actual cost yet.
        SamePerson: who entered it approves it.
        Invalid: over the budget, and no word why.
    """
    if actual is None:
        raise Conflict("there is no actual cost yet", field="actual")
    if entered_by == approver:
        raise SamePerson("who entered an account does not approve it", field="approved")
    if over_budget(budget, actual) and not why.strip():
        raise Invalid("it is over the budget: say why", field="why")
