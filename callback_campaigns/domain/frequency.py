"""How often a number may be called: our own limits and the carriers' (domain.md §6.1).

Carriers count failed calls too, so every attempt that was committed counts here, whatever became of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callback_campaigns.domain.windows import Span


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` calls in any stretch of ``per``."""

    limit: int
    per: timedelta

    def __post_init__(self) -> None:
        if self.limit < 1 or self.per <= timedelta(0):
            raise ValueError("a rate allows at least one call in some time")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierRules:
    """What a carrier lets through.

    Attributes:
        rates: per called number.
        hours: when calls pass at all; ``None`` for always.
        blocked_prefixes: beginnings of E.164 numbers that it does not serve.
        concurrent: calls at a time per own number; ``None`` for no limit.
    """

    name: str
    rates: tuple[Rate, ...] = ()
    hours: tuple[Span, ...] | None = None
    blocked_prefixes: tuple[str, ...] = ()
    concurrent: int | None = None

    def serves(self, e164: str) -> bool:
        """Tell whether it serves a number at all."""
        return not e164.startswith(self.blocked_prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyRules:
    """Our own limits.

    Attributes:
        number: per called number, all campaigns together.
        cases: the same for calls that a person makes about an open case of theirs.
        surveys: answered survey calls per customer, all types together.
    """

    number: tuple[Rate, ...] = (Rate(1, timedelta(minutes=30)), Rate(3, timedelta(hours=24)))
    cases: tuple[Rate, ...] = (Rate(3, timedelta(minutes=30)), Rate(8, timedelta(hours=24)))
    surveys: Rate = Rate(3, timedelta(days=30))


def free_at(rates: Iterable[Rate], calls: Sequence[datetime], now: datetime) -> datetime | None:
    """Return from when the rates allow one more call, ``None`` when they do now.

    Calls that lie ahead of ``now`` were made before the clock was set back; they count.
    """
    latest: datetime | None = None
    ordered = sorted(calls)
    for rate in rates:
        recent = [call for call in ordered if call > now - rate.per]
        if len(recent) >= rate.limit:
            free = recent[-rate.limit] + rate.per
            latest = free if latest is None else max(latest, free)
    return latest
