"""A crew's quality deposit 质保金: postings that are never edited; the balance is their sum (domain.md §1.5).

What a crew owes beyond its deposit becomes a receivable; the balance never falls below nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from crm.domain.payments import money
from kernel.errors import Conflict, Invalid

NOTHING = Decimal("0.00")
MOST = Decimal("9999999.99")
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])", re.ASCII)


class PostingKind(StrEnum):
    """Why the balance changed."""

    INITIAL = "initial"
    WITHHOLD = "withhold"
    """A percentage kept back of a project's pay."""
    DEDUCT = "deduct"
    """A repair that the crew bears; only a settlement posts it."""
    RELEASE = "release"
    """Paid out to the crew."""
    ADJUST = "adjust"
    """A correction, up or down, with reason."""


_SIGN = {
    PostingKind.INITIAL: 1,
    PostingKind.WITHHOLD: 1,
    PostingKind.DEDUCT: -1,
    PostingKind.RELEASE: -1,
}


class Overdrawn(Conflict):
    """There is not that much in the account."""

    code = "overdrawn"


@dataclass(frozen=True, slots=True)
class Deduction:
    """What is taken from the deposit, and what the crew still owes."""

    posted: Decimal
    owed: Decimal


def balance(postings: Iterable[Decimal]) -> Decimal:
    """Return the sum of signed postings."""
    return sum(postings, NOTHING)


def signed_amount(kind: PostingKind, amount: Decimal, held: Decimal) -> Decimal:
    """Return a posting by hand with its sign: taking out is below zero.

    Args:
        amount: positive, except that :attr:`PostingKind.ADJUST` may be below zero.

    Raises:
        Invalid: a deduction, which only a settlement posts; no amount, or one that cannot be.
        Overdrawn: it takes out more than the account holds.
    """
    if kind is PostingKind.DEDUCT:
        raise Invalid("a deduction is posted by settling the repair's cost", field="kind")
    minus = kind is PostingKind.ADJUST and amount < 0
    size = money(-amount if minus else amount, field="amount")
    if size == NOTHING or size > MOST:
        raise Invalid(f"an amount above 0, {MOST} at the most", field="amount")
    change = -size if minus else size * _SIGN.get(kind, 1)
    if held + change < NOTHING:
        raise Overdrawn(f"the account holds {held}", field="amount")
    return change


def deduct(held: Decimal, due: Decimal) -> Deduction:
    """Return what a deduction takes: what is there, at most what is due (domain.md §1.5)."""
    posted = min(max(held, NOTHING), due)
    return Deduction(posted, due - posted)


def read_month(raw: str, *, field: str = "month") -> str:
    """Return a month such as ``2026-11``. Raises Invalid."""
    if _MONTH.fullmatch(raw) is None:
        raise Invalid("a month such as 2026-11", field=field)
    return raw
