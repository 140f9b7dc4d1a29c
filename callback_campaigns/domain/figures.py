"""Callbacks in figures (domain.md §5.1): each with its numerator and its denominator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from callback_campaigns.domain.questionnaire import as_g4

LEAST = 5
"""So many answers a mean of a person needs; of fewer it is «few»."""
TENTH = Decimal("0.1")


class CallbackFigure(StrEnum):
    """The figures."""

    COVERAGE = "coverage"
    """Done ÷ tasks whose window has ended, in the period; frozen and cancelled ones do not count."""
    ON_TIME = "on_time"
    REQUIRED_RATIO = "required_ratio"
    """Done ÷ what the sampling ratio asks for."""
    CONTACT = "contact"
    """Answered attempts ÷ attempts."""
    COMPLETION = "completion"
    """Done ÷ tasks that were attempted."""
    ATTEMPTS_PER_DONE = "attempts_per_done"
    SATISFACTION = "satisfaction"
    """Top answers ÷ valid answers."""
    GOOD = "good"
    """优 + 良 ÷ all."""
    PASSED = "passed"
    """优 + 良 + 中 ÷ all."""
    STAGE_SATISFACTION = "stage_satisfaction"
    """Callbacks whose verdict is satisfied ÷ those with a result."""
    PM_PRESENCE = "pm_presence"
    SOLVED = "solved"
    """Asked again and satisfied ÷ tickets of dissatisfied customers whose limits ended in the period."""


PERCENT = frozenset(set(CallbackFigure) - {CallbackFigure.ATTEMPTS_PER_DONE})


class GroupBy(StrEnum):
    """What results are broken down by."""

    KIND = "kind"
    PM = "pm"
    CREW = "crew"
    DESIGNER = "designer"
    INSPECTOR = "inspector"
    STORE = "store"
    DEPARTMENT = "department"
    MONTH = "month"


ROLES: Mapping[GroupBy, str] = {
    GroupBy.PM: "pm",
    GroupBy.CREW: "crew",
    GroupBy.DESIGNER: "designer",
    GroupBy.INSPECTOR: "qc",
}
"""Role that an item counts for, of the breakdowns by person."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure; nothing in the denominator is no figure, neither 0 nor 100."""

    numerator: Decimal
    denominator: Decimal

    @property
    def percent(self) -> Decimal | None:
        """The rate in percent, to a tenth."""
        return self._times(100)

    @property
    def ratio(self) -> Decimal | None:
        """The quotient, to a tenth."""
        return self._times(1)

    def _times(self, factor: int) -> Decimal | None:
        if self.denominator <= 0:
            return None
        return (self.numerator * factor / self.denominator).quantize(TENTH, ROUND_HALF_UP)


def rate(numerator: int | Decimal, denominator: int | Decimal) -> Rate:
    """Return a rate of two counts."""
    return Rate(Decimal(numerator), Decimal(denominator))


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean score of what was answered."""

    total: int
    count: int

    @property
    def value(self) -> Decimal | None:
        """The mean, to a tenth; ``None`` of nothing."""
        return rate(self.total, self.count).ratio

    @property
    def few(self) -> bool:
        """Whether so few answered that a mean of a person is not shown."""
        return self.count < LEAST


def grades(values: Mapping[str, int]) -> tuple[Rate, Rate]:
    """Return the good rate 优良率 and the pass rate 合格率 of answers on four grades.

    Args:
        values: how often each was given; answers on three grades count as the grades that they stand for.
    """
    counted = dict.fromkeys(("excellent", "good", "fair", "poor"), 0)
    for value, number in values.items():
        grade = as_g4(value)
        if grade in counted:
            counted[grade] += number
    whole = sum(counted.values())
    good = counted["excellent"] + counted["good"]
    return rate(good, whole), rate(good + counted["fair"], whole)


DELAYS: tuple[tuple[str, int], ...] = (("0", 0), ("1", 1), ("2-3", 3), ("4-7", 7))
LATER = "8+"


def delay_of(days: int) -> str:
    """Return in which band a callback lies that was done so many days after the day it was planned for."""
    return next((name for name, most in DELAYS if days <= most), LATER)


def months_between(
    since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield the site's months of a period, each with the part of the period that lies in it."""
    begins = since
    while begins < until:
        day = begins.astimezone(zone).date().replace(day=1)
        following = (day + timedelta(days=32)).replace(day=1)
        ends = min(until, datetime.combine(following, time.min, zone).astimezone(UTC))
        yield f"{day:%Y-%m}", begins, ends
        begins = ends
