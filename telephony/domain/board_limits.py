"""From when on a figure of a queue is an alert, and when it is none any more. Pure.

A figure that dances on its limit must not ring again and again: an alert begins when its limit was crossed
without a break for a while, and ends when it was kept without a break for a while.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.errors import Invalid


class LimitKind(StrEnum):
    """What is watched of a queue."""

    WAITING = "waiting"
    """More callers wait than this."""
    LONGEST = "longest"
    """The first caller waits longer than so many seconds."""
    LEVEL = "level"
    """The day's service level is below so many percent."""
    FREE = "free"
    """Fewer agents could be rung than this, while anybody is signed in or waits."""


RANGES = {
    LimitKind.WAITING: (0, 500),
    LimitKind.LONGEST: (5, 7200),
    LimitKind.LEVEL: (1, 100),
    LimitKind.FREE: (1, 500),
}
FEWEST = 5
"""Calls from which on a level says something."""
SHORTEST, LONGEST = timedelta(0), timedelta(minutes=30)
QueueLimits = Mapping[LimitKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardLimits:
    """A version of the limits; 0 is what holds while none were published: none.

    Attributes:
        begins_after, ends_after: how long a limit is crossed, or kept, before an alert begins or ends.
        sound: the supervisor's page may ring when one begins.
    """

    version: int = 0
    queues: Mapping[str, QueueLimits] = field(default_factory=dict)
    begins_after: timedelta = timedelta(seconds=5)
    ends_after: timedelta = timedelta(seconds=30)
    sound: bool = True
    why: str = ""
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The figures of a queue at a moment.

    Attributes:
        longest: how long the first caller has waited.
        level: of the day, in percent, ``None`` while it says nothing.
    """

    queue: str
    waiting: int
    longest: timedelta
    level: float | None
    signed_in: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardAlert:
    """A limit that is crossed.

    Attributes:
        since: when it was crossed; ``value``: of the figure now, in the unit of ``limit``.
    """

    queue: str
    kind: LimitKind
    limit: int
    value: int
    since: datetime


def check_limits(queues: Mapping[str, QueueLimits], begins: timedelta, ends: timedelta) -> None:
    """Raise Invalid, which names the field, for limits that cannot be."""
    for queue, limits in queues.items():
        for kind, limit in limits.items():
            low, high = RANGES[kind]
            if not low <= limit <= high:
                raise Invalid(f"{low} to {high}", field=f"queues.{queue}.{kind.value}")
    for name, value in (("begins_after_seconds", begins), ("ends_after_seconds", ends)):
        if not SHORTEST <= value <= LONGEST:
            raise Invalid(f"0 to {int(LONGEST.total_seconds())} seconds", field=name)


def figure(seen: Seen, kind: LimitKind) -> int | None:
    """Return the figure that a limit is about, ``None`` while there is none."""
    match kind:
        case LimitKind.WAITING:
            return seen.waiting
        case LimitKind.LONGEST:
            return int(seen.longest.total_seconds())
        case LimitKind.LEVEL:
            return None if seen.level is None else int(seen.level)
        case LimitKind.FREE:
            return seen.free if seen.signed_in or seen.waiting else None


def crossed(kind: LimitKind, value: int, limit: int) -> bool:
    """Tell whether a figure is beyond its limit; on it is not beyond."""
    return value < limit if kind in (LimitKind.LEVEL, LimitKind.FREE) else value > limit


@dataclass(slots=True)
class _Watched:
    """A limit under watch: since when its figure has been on the side where it is now."""

    beyond: bool
    since: datetime
    alert_since: datetime | None = None


class LimitWatch:
    """Which limits are crossed, with the patience that the version of the limits asks for."""

    def __init__(self) -> None:
        self._limits = BoardLimits()
        self._watched: dict[tuple[str, LimitKind], _Watched] = {}

    @property
    def limits(self) -> BoardLimits:
        """Return the version that is watched."""
        return self._limits

    def set(self, limits: BoardLimits) -> None:
        """Watch another version; alerts whose limit is the same go on."""
        old, self._limits = self._limits, limits
        for queue, kind in list(self._watched):
            same = old.queues.get(queue, {}).get(kind) == limits.queues.get(queue, {}).get(kind)
            if not same:
                del self._watched[queue, kind]

    def forget(self) -> None:
        """Begin anew: nobody knows how the figures were meanwhile."""
        self._watched.clear()

    def take(self, figures: Iterable[Seen], now: datetime) -> tuple[BoardAlert, ...]:
        """Take the figures as they are now; return the alerts that stand, the oldest first."""
        alerts = []
        for seen in figures:
            for kind, limit in self._limits.queues.get(seen.queue, {}).items():
                value = figure(seen, kind)
                since = self._follow(
                    (seen.queue, kind), value is not None and crossed(kind, value, limit), now
                )
                if since is not None:
                    alerts.append(
                        BoardAlert(queue=seen.queue, kind=kind, limit=limit, value=value or 0, since=since)
                    )
        return tuple(sorted(alerts, key=lambda alert: (alert.since, alert.queue, alert.kind)))

    def _follow(self, key: tuple[str, LimitKind], beyond: bool, now: datetime) -> datetime | None:
        known = self._watched.get(key)
        if known is None:
            known = self._watched[key] = _Watched(beyond, now)
        elif known.beyond is not beyond:
            known.beyond, known.since = beyond, now
        spent = now - known.since
        if beyond and known.alert_since is None and spent >= self._limits.begins_after:
            known.alert_since = known.since
        elif not beyond and known.alert_since is not None and spent >= self._limits.ends_after:
            known.alert_since = None
        return known.alert_since
