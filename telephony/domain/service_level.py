"""A day's figures of a queue, and the formulas of the service level (domain.md §5.3).

Raw counts are kept and the formula is a setting, because at least four are in use and their results
differ: a figure means nothing without the name of its formula.
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Formula(StrEnum):
    """How the service level is computed.

    A: answered, B: abandoned; «in» means within the threshold of the service level.

    - ``net_of_short``: A in ÷ (A + B − short abandons); the default.
    - ``all_handled``: (A in + B in) ÷ (A + B).
    - ``of_answered``: A in ÷ A.
    - ``of_offered``: A in ÷ (A + B).
    - ``late_abandons``: A in ÷ (A + B later than the threshold).
    """

    NET_OF_SHORT = "net_of_short"
    ALL_HANDLED = "all_handled"
    OF_ANSWERED = "of_answered"
    OF_OFFERED = "of_offered"
    LATE_ABANDONS = "late_abandons"


class QueueOutcome(StrEnum):
    """How far a call has come with its queue."""

    WAITING = "waiting"
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    LEFT = "left"
    """Left otherwise: time-out, nobody signed in, asked to be called back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueVisit:
    """One call's stay in one queue."""

    call_id: str
    queue: str
    outcome: QueueOutcome
    queued_at: datetime
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where the lines are drawn.

    Attributes:
        answer_within: the X of «service level X».
        short_abandon: whoever gives up within this time is a short abandon.
    """

    answer_within: timedelta = timedelta(seconds=20)
    short_abandon: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """Raw counts.

    Attributes:
        offered: chose to queue, however it ended.
        answered_in, abandoned_in: within the threshold of the service level.
        abandoned: all who gave up waiting, the short ones too.
        abandoned_short: gave up within the short-abandon threshold.
        answered_wait: sum of the waits of the answered.
    """

    offered: int = 0
    answered: int = 0
    answered_in: int = 0
    abandoned: int = 0
    abandoned_in: int = 0
    abandoned_short: int = 0
    answered_wait: timedelta = timedelta(0)

    def changed(self, visit: QueueVisit, thresholds: Thresholds, *, by: int) -> "QueueCounts":
        """Return the counts with ``visit`` counted (``by=1``) or taken out again (``by=-1``)."""
        counts = replace(self, offered=self.offered + by)
        inside = visit.wait <= thresholds.answer_within
        match visit.outcome:
            case QueueOutcome.ANSWERED:
                return replace(
                    counts,
                    answered=counts.answered + by,
                    answered_in=counts.answered_in + (by if inside else 0),
                    answered_wait=counts.answered_wait + by * visit.wait,
                )
            case QueueOutcome.ABANDONED:
                short = visit.wait <= thresholds.short_abandon
                return replace(
                    counts,
                    abandoned=counts.abandoned + by,
                    abandoned_in=counts.abandoned_in + (by if inside else 0),
                    abandoned_short=counts.abandoned_short + (by if short else 0),
                )
            case _:
                return counts

    def __add__(self, other: "QueueCounts") -> "QueueCounts":
        return QueueCounts(
            offered=self.offered + other.offered,
            answered=self.answered + other.answered,
            answered_in=self.answered_in + other.answered_in,
            abandoned=self.abandoned + other.abandoned,
            abandoned_in=self.abandoned_in + other.abandoned_in,
            abandoned_short=self.abandoned_short + other.abandoned_short,
            answered_wait=self.answered_wait + other.answered_wait,
        )

    def average_answer(self) -> timedelta | None:
        """Return the average speed of answer, ``None`` before the first answer."""
        return self.answered_wait / self.answered if self.answered else None


def parts(counts: QueueCounts, formula: Formula) -> tuple[int, int]:
    """Return the numerator and the denominator of the service level."""
    c = counts
    match formula:
        case Formula.NET_OF_SHORT:
            return c.answered_in, c.answered + c.abandoned - c.abandoned_short
        case Formula.ALL_HANDLED:
            return c.answered_in + c.abandoned_in, c.answered + c.abandoned
        case Formula.OF_ANSWERED:
            return c.answered_in, c.answered
        case Formula.OF_OFFERED:
            return c.answered_in, c.answered + c.abandoned
        case Formula.LATE_ABANDONS:
            return c.answered_in, c.answered + c.abandoned - c.abandoned_in


def service_level(counts: QueueCounts, formula: Formula = Formula.NET_OF_SHORT) -> float | None:
    """Return the service level as a share from 0 to 1; ``None`` when there is nothing to divide by."""
    part, whole = parts(counts, formula)
    return part / whole if whole else None


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the midnight with which the site's present day began, aware, in the site's zone."""
    return datetime.combine(now.astimezone(zone).date(), time(0), zone)


class DayLedger:
    """The visits of one day, each counted once however often it is reported.

    A visit belongs to the day in which it began to wait; reported again with another outcome it moves.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._start: datetime | None = None
        self._visits: dict[tuple[str, str], tuple[QueueVisit, Thresholds]] = {}
        self._counts: dict[str, QueueCounts] = {}

    def roll(self, now: datetime) -> bool:
        """Begin a new day when midnight has passed; tell whether it has."""
        start = day_start(now, self._zone)
        if start == self._start:
            return False
        self._start = start
        self.forget()
        return True

    def put(self, visit: QueueVisit, thresholds: Thresholds, *, now: datetime) -> bool:
        """Count ``visit``, replacing what was known of it; tell whether a count moved.

        The first answer stands: a transfer answers the same call again, and its wait is another's.
        """
        self.roll(now)
        if self._start is None or visit.queued_at < self._start:
            return False
        key = (visit.call_id, visit.queue)
        known = self._visits.get(key)
        if known is not None and (known[0].outcome is QueueOutcome.ANSWERED or known[0] == visit):
            return False
        if known is not None and visit.outcome is QueueOutcome.WAITING:
            return False
        counts = self._counts.get(visit.queue, QueueCounts())
        if known is not None:
            counts = counts.changed(known[0], known[1], by=-1)
        self._visits[key] = (visit, thresholds)
        self._counts[visit.queue] = counts.changed(visit, thresholds, by=1)
        return True

    def forget(self) -> None:
        """Count from nothing again."""
        self._visits.clear()
        self._counts.clear()

    def visit(self, call_id: str, queue: str) -> QueueVisit | None:
        """Return what is known of a visit of today."""
        found = self._visits.get((call_id, queue))
        return found[0] if found is not None else None

    def counts(self, queue: str, *, now: datetime) -> QueueCounts:
        """Return today's counts of ``queue``."""
        self.roll(now)
        return self._counts.get(queue, QueueCounts())
