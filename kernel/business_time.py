"""Opening hours with the Chinese calendar of holidays and make-up working days (domain.md §0, §6.2).

The calendar comes from the ``chinesecalendar`` package (the State Council's notices). A year it does not
know is an error for planning; :meth:`OpeningHours.is_open`, asked while a caller waits, then treats the
day as an ordinary one and says so in its answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

import chinese_calendar

from kernel.errors import HuifangError

SHANGHAI = ZoneInfo("Asia/Shanghai")


class DayKind(StrEnum):
    """What the State Council makes of a day."""

    WORK = "work"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    MAKEUP_WORK = "makeup_work"


class CalendarYearMissing(HuifangError):
    """No notice is loaded for that year; nothing may be planned in it."""

    code = "calendar_year_missing"


def day_kind(day: date) -> DayKind:
    """Return the kind of ``day``.

    Raises:
        CalendarYearMissing: the calendar of that year is not loaded.
    """
    try:
        off = chinese_calendar.is_holiday(day)
    except NotImplementedError as error:
        raise CalendarYearMissing(
            f"the holiday calendar of {day.year} is not loaded; update chinesecalendar", year=day.year
        ) from error
    weekend = day.weekday() >= 5
    if off:
        _, name = chinese_calendar.get_holiday_detail(day)
        return DayKind.HOLIDAY if name else DayKind.WEEKEND
    return DayKind.MAKEUP_WORK if weekend else DayKind.WORK


@dataclass(frozen=True, slots=True)
class Openness:
    """Answer to «are we open?».

    Attributes:
        open: whether calls are taken.
        reason: ``open``, ``hours`` (outside the hours of the day), ``day`` (closed all day) or ``holiday``.
        next_opening: when it opens again, aware UTC, ``None`` when open or not within 30 days.
        calendar_known: false when the year's holidays are not loaded.
    """

    open: bool
    reason: str
    next_opening: datetime | None
    calendar_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Weekly hours in local time.

    Attributes:
        weekly: weekday (0 Monday) → spans (start, end), end exclusive; a missing day is closed.
        closed_on_holidays: statutory holidays and their bridging days are closed.
        zone: the site's zone.
    """

    weekly: Mapping[int, tuple[tuple[time, time], ...]] = field(
        default_factory=lambda: {day: ((time(8, 30), time(18, 0)),) for day in range(7)}
    )
    closed_on_holidays: bool = True
    zone: ZoneInfo = SHANGHAI

    @classmethod
    def always(cls, zone: ZoneInfo = SHANGHAI) -> Self:
        """Return hours that never close."""
        return cls(
            weekly=dict.fromkeys(range(7), ((time.min, time.max),)), closed_on_holidays=False, zone=zone
        )

    def _holiday(self, day: date) -> tuple[bool, bool]:
        try:
            return day_kind(day) is DayKind.HOLIDAY, True
        except CalendarYearMissing:
            return False, False

    def at(self, now: datetime) -> Openness:
        """Say whether it is open at ``now`` (aware), and if not, why and until when."""
        local = now.astimezone(self.zone)
        holiday, known = self._holiday(local.date())
        spans = self.weekly.get(local.weekday(), ())
        if holiday and self.closed_on_holidays:
            return Openness(False, "holiday", self._next(local), known)
        if not spans:
            return Openness(False, "day", self._next(local), known)
        if any(start <= local.time() < end for start, end in spans):
            return Openness(True, "open", None, known)
        return Openness(False, "hours", self._next(local), known)

    def is_open(self, now: datetime) -> bool:
        """Shorthand for ``at(now).open``."""
        return self.at(now).open

    def _next(self, local: datetime) -> datetime | None:
        for offset in range(31):
            day = local.date() + timedelta(days=offset)
            if self.closed_on_holidays and self._holiday(day)[0]:
                continue
            for start, _ in sorted(self.weekly.get(day.weekday(), ())):
                opening = datetime.combine(day, start, self.zone)
                if opening > local:
                    return opening.astimezone(UTC)
        return None
