"""Duty roster, duty log, patrol twice a day (domain.md §1.13: 值班表、值班日志、一日两巡).

The hours of shifts and patrols are «designed»; a patrol belongs to a slot of a day and is written down once.
"""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from kernel.errors import Conflict, Invalid

AHEAD = timedelta(days=92)
DAY = timedelta(days=1)


class Shift(StrEnum):
    """When somebody is on duty."""

    EARLY = "early"
    LATE = "late"
    NIGHT = "night"


SHIFT_HOURS = {
    Shift.EARLY: (time(8, 30), time(13, 30)),
    Shift.LATE: (time(13, 0), time(18, 0)),
    Shift.NIGHT: (time(18, 0), time(8, 30)),
}
"""The night shift ends on the next morning."""


class PatrolSlot(StrEnum):
    """Which of the day's two patrols."""

    MORNING = "morning"
    AFTERNOON = "afternoon"


PATROL_HOURS = {
    PatrolSlot.MORNING: (time(8, 0), time(12, 0)),
    PatrolSlot.AFTERNOON: (time(12, 0), time(18, 0)),
}
"""From when on a patrol can be made, and until when it has to be written down."""


class PatrolOutOfTime(Conflict):
    """The slot has not begun, or its day is over."""

    code = "patrol_out_of_time"


def check_roster_day(day: date, today: date) -> None:
    """Refuse to change who was on duty, or to plan too far. Raises Invalid."""
    if not today <= day <= today + AHEAD:
        raise Invalid(f"between today and {AHEAD.days} days ahead", field="day")


def check_patrol(slot: PatrolSlot, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a patrol of today is written down late. Raises PatrolOutOfTime before its slot begins."""
    begins, ends = PATROL_HOURS[slot]
    at = now.astimezone(zone).time()
    if at < begins:
        raise PatrolOutOfTime(f"the {slot.value} patrol begins at {begins:%H:%M}", field="slot")
    return at > ends


def missing(day: date, done: Collection[PatrolSlot], now: datetime, zone: ZoneInfo) -> tuple[PatrolSlot, ...]:
    """Return the patrols of a day that should have been made by now and were not."""
    return tuple(
        slot
        for slot, (_, ends) in PATROL_HOURS.items()
        if slot not in done and now > datetime.combine(day, ends, zone)
    )


def shift_span(day: date, shift: Shift, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a shift of a day begins and ends."""
    begins, ends = SHIFT_HOURS[shift]
    last = day + DAY if ends <= begins else day
    return datetime.combine(day, begins, zone), datetime.combine(last, ends, zone)


def is_on(day: date, shift: Shift, hour: datetime, zone: ZoneInfo) -> float:
    """Return which share of the hour that begins at ``hour`` a shift covers, 0 to 1."""
    begins, ends = shift_span(day, shift, zone)
    shared = min(ends, hour + timedelta(hours=1)) - max(begins, hour)
    return max(shared.total_seconds(), 0) / 3600
