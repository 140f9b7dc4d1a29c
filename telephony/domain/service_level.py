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
        handled, handling: calls of agents, and the time they took with wrap-up.
        busy, ready: agents' time in calls and wrap-up, and in waiting for the next; of all agents only.
    """

    offered: int = 0
    answered: int = 0
    answered_in: int = 0
    abandoned: int = 0
    abandoned_in: int = 0
    abandoned_short: int = 0
    answered_wait: timedelta = timedelta(0)
    handled: int = 0
    handling: timedelta = timedelta(0)
    busy: timedelta = timedelta(0)
    ready: timedelta = timedelta(0)

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
            handled=self.handled + other.handled,
            handling=self.handling + other.handling,
            busy=self.busy + other.busy,
            ready=self.ready + other.ready,
        )

    def negative(self) -> "QueueCounts":
        """Return what takes these counts out again when it is added."""
        return QueueCounts(
            offered=-self.offered,
            answered=-self.answered,
            answered_in=-self.answered_in,
            abandoned=-self.abandoned,
            abandoned_in=-self.abandoned_in,
            abandoned_short=-self.abandoned_short,
            answered_wait=-self.answered_wait,
            handled=-self.handled,
            handling=-self.handling,
            busy=-self.busy,
            ready=-self.ready,
        )

    def average_answer(self) -> timedelta | None:
        """Return the average speed of answer, ``None`` before the first answer."""
        return self.answered_wait / self.answered if self.answered else None

    def average_handling(self) -> timedelta | None:
        """Return the average handling time, ``None`` before the first call was over."""
        return self.handling / self.handled if self.handled else None


def occupancy(busy: timedelta, ready: timedelta) -> float | None:
    """Return the share of their working time that agents spent on calls; pauses are no working time."""
    whole = busy + ready
    return busy / whole if whole else None


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
