"""When a customer who was not reached is called again (domain.md §1.2 CB-7, §6.1).

At most two attempts a day, on at most three days, at least two hours apart, in different parts of the day.
An attempt that surely rang no phone (our switch or the network failed) has a waiting time of its own and does
not use up the customer's patience; so that it cannot go on for ever, all attempts together have a ceiling.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from callback_campaigns.domain.terms import Channel, Outcome
from kernel.business_time import SHANGHAI

Opens = Callable[[datetime], datetime | None]
"""Returns the first moment from the given one on at which a call may begin."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """What follows an outcome.

    Attributes:
        after: not again before this has passed.
        counts: the attempt counts for the customer's limits.
        again: it makes sense to call again at all.
    """

    after: timedelta = timedelta(hours=2)
    counts: bool = True
    again: bool = True


@dataclass(frozen=True, slots=True)
class DayPart:
    """A part of the day, up to where the next one begins."""

    name: str
    since: time


def _default_rules() -> Mapping[Outcome, RetryRule]:
    hours = timedelta(hours=1)
    return {
        Outcome.ANSWERED: RetryRule(),
        Outcome.MACHINE: RetryRule(4 * hours),
        Outcome.NO_ANSWER: RetryRule(2 * hours),
        Outcome.BUSY: RetryRule(2 * hours),
        Outcome.REJECTED: RetryRule(24 * hours),
        Outcome.OFF: RetryRule(4 * hours),
        Outcome.EMPTY: RetryRule(again=False),
        Outcome.ABANDONED: RetryRule(24 * hours),
        Outcome.CONGESTION: RetryRule(hours / 2, counts=False),
        Outcome.FAILED: RetryRule(hours / 4, counts=False),
        Outcome.UNKNOWN: RetryRule(2 * hours),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The caps of CB-7 and what each outcome asks for.

    Attributes:
        ceiling: attempts of any sort that a task may have.
        ivr_attempts: so many failed attempts by the system, and a person calls (domain.md §3.0).
    """

    rules: Mapping[Outcome, RetryRule] = field(default_factory=_default_rules)
    days: int = 3
    per_day: int = 2
    apart: timedelta = timedelta(hours=2)
    ceiling: int = 12
    ivr_attempts: int = 2
    parts: tuple[DayPart, ...] = (
        DayPart("morning", time(0)),
        DayPart("afternoon", time(12)),
        DayPart("evening", time(17)),
    )
    zone: ZoneInfo = SHANGHAI

    def day_of(self, moment: datetime) -> date:
        """Return the site's day of a moment."""
        return moment.astimezone(self.zone).date()

    def part_of(self, moment: datetime) -> str:
        """Return the part of the day that a moment lies in."""
        at = moment.astimezone(self.zone).time()
        return [part.name for part in self.parts if part.since <= at][-1]

    def part_began(self, moment: datetime) -> datetime:
        """Return when the part of the day that a moment lies in began."""
        local = moment.astimezone(self.zone)
        since = max(part.since for part in self.parts if part.since <= local.time())
        return datetime.combine(local.date(), since, self.zone).astimezone(UTC)

    def next_part(self, moment: datetime) -> datetime:
        """Return when the next part of the day begins, perhaps that of the next day."""
        local = moment.astimezone(self.zone)
        later = [part.since for part in self.parts if part.since > local.time()]
        day = local.date() if later else local.date() + timedelta(days=1)
        return datetime.combine(day, min(later) if later else time.min, self.zone).astimezone(UTC)

    def next_day(self, moment: datetime) -> datetime:
        """Return when the next day begins."""
        day = self.day_of(moment) + timedelta(days=1)
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt of a task that is over, or counts as over."""

    at: datetime
    outcome: Outcome
    channel: Channel = Channel.AGENT


class Spacing(StrEnum):
    """Why a task's next attempt would come too soon after the others."""

    TOO_SOON = "too_soon"
    SAME_PART = "same_part"
    DAY_FULL = "day_full"
    DAYS_FULL = "days_full"
    CEILING = "ceiling"


def spacing(policy: RetryPolicy, tried: Sequence[Tried], now: datetime) -> Spacing | None:
    """Return what stands against an attempt at ``now`` after those that were made, else ``None``."""
    if len(tried) >= policy.ceiling:
        return Spacing.CEILING
    if not tried:
        return None
    if now < _earliest(policy, tried):
        return Spacing.TOO_SOON
    counted = _counted(policy, tried)
    days = Counter(policy.day_of(one.at) for one in counted)
    today = policy.day_of(now)
    if days[today] >= policy.per_day:
        return Spacing.DAY_FULL
    if today not in days and len(days) >= policy.days:
        return Spacing.DAYS_FULL
    part = policy.part_of(now)
    if any(policy.day_of(one.at) == today and policy.part_of(one.at) == part for one in counted):
        return Spacing.SAME_PART
    return None


def next_attempt(
    policy: RetryPolicy, tried: Sequence[Tried], *, now: datetime, opens: Opens
) -> datetime | None:
    """Return when to call again, ``None`` when the attempts are exhausted.

    Of the moments that are allowed the first one in a part of the day that was tried least is taken; where
    the windows never lead there within two days, the first one allowed at all.
    """
    if tried and not policy.rules[tried[-1].outcome].again:
        return None
    used = Counter(policy.part_of(one.at) for one in _counted(policy, tried))
    least = min((used[part.name] for part in policy.parts), default=0)
    moment = opens(max(now, _earliest(policy, tried)))
    fallback: datetime | None = None
    while moment is not None:
        if fallback is not None and policy.day_of(moment) > policy.day_of(fallback) + timedelta(days=1):
            return fallback
        match spacing(policy, tried, moment):
            case None:
                if used[policy.part_of(moment)] <= least:
                    return moment
                fallback = fallback or moment
                moment = opens(policy.next_part(moment))
            case Spacing.SAME_PART:
                moment = opens(policy.next_part(moment))
            case Spacing.DAY_FULL:
                moment = opens(policy.next_day(moment))
            case Spacing.TOO_SOON | Spacing.DAYS_FULL | Spacing.CEILING:
                return fallback
    return fallback


def wants_person(policy: RetryPolicy, tried: Sequence[Tried]) -> bool:
    """Tell whether the system has tried often enough, so that a person calls from now on (§3.0)."""
    by_system = [one for one in _counted(policy, tried) if one.channel is Channel.IVR]
    return len(by_system) >= policy.ivr_attempts


def _counted(policy: RetryPolicy, tried: Sequence[Tried]) -> list[Tried]:
    return [one for one in tried if policy.rules[one.outcome].counts]


def _earliest(policy: RetryPolicy, tried: Sequence[Tried]) -> datetime:
    moments = [one.at + policy.apart for one in _counted(policy, tried)]
    if tried:
        moments.append(tried[-1].at + policy.rules[tried[-1].outcome].after)
    return max(moments, default=datetime.min.replace(tzinfo=UTC))
