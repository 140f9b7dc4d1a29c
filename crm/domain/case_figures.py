"""Figures about complaints and repairs (domain.md §5.2): numerator and denominator beside every rate.

A rate over nothing is «–»: its value is ``None``, never 0 and never 100.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from kernel.errors import Invalid

LONGEST = timedelta(days=400)
REPEAT_WITHIN = timedelta(days=90)
DEPOSIT_YEAR = timedelta(days=365)
_CENT = Decimal("0.01")
_DAY = Decimal(24 * 3600)


class Unit(StrEnum):
    """How the value of a figure reads."""

    PERCENT = "percent"
    PER_100 = "per_100"
    """For each hundred projects."""
    DAYS = "days"
    MONEY = "money"
    PER_10000 = "per_10000"
    """Yuan for each ten thousand yuan of contract value."""


_FACTORS = {Unit.PERCENT: 100, Unit.PER_100: 100, Unit.DAYS: 1, Unit.MONEY: 1, Unit.PER_10000: 10000}


class FigureCode(StrEnum):
    """The figures, in the order in which they are shown."""

    COMPLAINT_RATE = "complaint_rate"
    ACCEPTED_IN_LIMIT = "accepted_in_limit"
    VERIFIED_IN_LIMIT = "verified_in_limit"
    CLOSED_IN_LIMIT = "closed_in_limit"
    CLOSED_IN_LIMIT_STRICT = "closed_in_limit_strict"
    DAYS_TO_SOLVE = "days_to_solve"
    REJECTION_RATE = "rejection_rate"
    HANDLING_RATE = "handling_rate"
    CLOSURE_REFUSAL_RATE = "closure_refusal_rate"
    TIMELY_RATE = "timely_rate"
    SATISFIED_RATE = "satisfied_rate"
    COMPENSATION_RATE = "compensation_rate"
    COMPENSATION_PER_10000 = "compensation_per_10000"
    REPEAT_COMPLAINT = "repeat_complaint"
    REOPEN_RATE = "reopen_rate"
    ESCALATION_VISIT_IN_LIMIT = "escalation_visit_in_limit"
    REPAIR_CLOSED_IN_LIMIT = "repair_closed_in_limit"
    REPAIR_DAYS_TO_SOLVE = "repair_days_to_solve"
    REPAIR_FIRST_TIME_FIX = "repair_first_time_fix"
    DEPARTED_CREW_SHARE = "departed_crew_share"
    COST_PER_REPAIR = "cost_per_repair"
    DEPOSIT_COVERAGE = "deposit_coverage"


UNITS: dict[FigureCode, Unit] = {
    FigureCode.COMPLAINT_RATE: Unit.PER_100,
    FigureCode.DAYS_TO_SOLVE: Unit.DAYS,
    FigureCode.REPAIR_DAYS_TO_SOLVE: Unit.DAYS,
    FigureCode.COMPENSATION_PER_10000: Unit.PER_10000,
    FigureCode.COST_PER_REPAIR: Unit.MONEY,
}
"""Units of those that are not percentages."""

OF_COMPANY = frozenset({FigureCode.DEPOSIT_COVERAGE})
"""Figures of the whole company, whatever store or department was asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with what it was made of; ``value`` is ``None`` when the denominator is nothing."""

    code: FigureCode
    numerator: Decimal
    denominator: Decimal
    unit: Unit

    @property
    def value(self) -> Decimal | None:
        """The numerator over the denominator in the figure's unit, with two decimals."""
        if not self.denominator:
            return None
        found = self.numerator * _FACTORS[self.unit] / self.denominator
        return found.quantize(_CENT, rounding=ROUND_HALF_UP)


def figure(code: FigureCode, numerator: Decimal | int, denominator: Decimal | int) -> Figure:
    """Return a figure in its unit."""
    unit = UNITS.get(code, Unit.PERCENT)
    return Figure(code=code, numerator=Decimal(numerator), denominator=Decimal(denominator), unit=unit)


def days(seconds: Iterable[timedelta]) -> Decimal:
    """Return the sum of some spans in days, with two decimals."""
    whole = sum((Decimal(span // timedelta(seconds=1)) for span in seconds), Decimal(0))
    return (whole / _DAY).quantize(_CENT, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something took: the mean, the median and the 90th percentile, ``None`` of nothing."""

    code: str
    count: int
    mean: timedelta | None
    median: timedelta | None
    p90: timedelta | None


def spread(code: str, spans: Sequence[timedelta]) -> Spread:
    """Return the spread of some spans; the percentile is the nearest rank, which is one of them."""
    ordered = sorted(spans)
    count = len(ordered)
    if not count:
        return Spread(code=code, count=0, mean=None, median=None, p90=None)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    return Spread(
        code=code,
        count=count,
        mean=sum(ordered, timedelta()) / count,
        median=middle,
        p90=ordered[math.ceil(count * 0.9) - 1],
    )


@dataclass(frozen=True, slots=True)
class Complained:
    """One complaint: whose, when, and whether the same class came up on the same project before."""

    customer_id: str
    at: datetime
    same_again: bool = False


def repeaters(found: Sequence[Complained], since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many customers complained repeatedly, and how many complained, in ``[since, until)``.

    Repeatedly: another complaint in the 90 days before, or the same class on the same project.

    Args:
        found: the complaints of the period and of the 90 days before it.
    """
    times: dict[str, list[datetime]] = {}
    for one in found:
        times.setdefault(one.customer_id, []).append(one.at)
    complaining: set[str] = set()
    repeating: set[str] = set()
    for one in found:
        if not since <= one.at < until:
            continue
        complaining.add(one.customer_id)
        close = [at for at in times[one.customer_id] if one.at - REPEAT_WITHIN <= at <= one.at]
        if one.same_again or len(close) > 1:
            repeating.add(one.customer_id)
    return len(repeating), len(complaining)


def check_period(since: datetime, until: datetime) -> None:
    """Refuse a period that cannot be. Raises Invalid, which names the field."""
    if until <= since:
        raise Invalid("ends before it begins", field="until")
    if until - since > LONGEST:
        raise Invalid(f"at most {LONGEST.days} days", field="until")
