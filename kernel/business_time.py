"""Opening hours, and the three clocks that limits are measured on (domain.md §0, §6.2).

The calendar comes from the ``chinesecalendar`` package (the State Council's notices) and, for the clocks,
from the overrides of :class:`kernel.holidays.WorkCalendar`. A year that is not known is an error for
planning; :meth:`OpeningHours.is_open`, asked while a caller waits, then treats the day as an ordinary one and
says so in its answer.

:class:`OpeningHours` is what callers hear, :class:`ServiceHours` what departments are measured by. Which days
off both mean is one setting of the site, a :class:`HolidayClosing`: unless set otherwise the holidays by law
only, as domain.md §0 has it, so that the clock runs whenever callers are told that somebody is there.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import count
from typing import Protocol, Self
from zoneinfo import ZoneInfo

import chinese_calendar

from kernel.errors import ConfigurationError, Invalid
from kernel.holidays import CalendarKind, CalendarYearMissing, WorkCalendar, missing, statutory_holidays

__all__ = [
    "SHANGHAI",
    "BusinessClocks",
    "CalendarYearMissing",
    "ClockKind",
    "DayKind",
    "HolidayClosing",
    "OpeningHours",
    "Openness",
    "ServiceHours",
    "SiteHolidays",
    "closed_by_law",
    "day_kind",
]

SHANGHAI = ZoneInfo("Asia/Shanghai")


class DayKind(StrEnum):
    """What the notice makes of a day, the days moved next to a holiday counted as holiday.

    :class:`kernel.holidays.CalendarKind` tells those apart.
    """

    WORK = "work"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    MAKEUP_WORK = "makeup_work"


def day_kind(day: date) -> DayKind:
    """Return the kind of ``day``.

    Raises:
        CalendarYearMissing: the calendar of that year is not loaded.
    """
    try:
        off = chinese_calendar.is_holiday(day)
    except NotImplementedError as error:
        raise missing(day.year) from error
    weekend = day.weekday() >= 5
    if off:
        _, name = chinese_calendar.get_holiday_detail(day)
        return DayKind.HOLIDAY if name else DayKind.WEEKEND
    return DayKind.MAKEUP_WORK if weekend else DayKind.WORK


class HolidayClosing(StrEnum):
    """On which days off nobody is there: the service clock stands still, and menus say «closed»."""

    NEVER = "never"
    STATUTORY = "statutory"
    """On the holidays by law, not on the days moved next to them."""
    PERIOD = "period"
    """On every day of the notice's holiday, weekends within it included."""


def closed_by_law(day: date, closing: HolidayClosing) -> tuple[bool, bool]:
    """Tell whether ``closing`` closes on ``day``, and whether that is known, without the site's calendar."""
    if closing is HolidayClosing.NEVER:
        return False, True
    if closing is HolidayClosing.PERIOD:
        with suppress(CalendarYearMissing):
            return day_kind(day) is DayKind.HOLIDAY, True
    try:
        # By law, so known without the year's notice.
        return day in statutory_holidays(day.year), closing is HolidayClosing.STATUTORY
    except CalendarYearMissing:
        return False, False


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


class SiteHolidays(Protocol):
    """What the site's own calendar says of days; in a running centre it changes while calls go on."""

    def closed(self, day: date) -> tuple[bool, bool]:
        """Tell whether the site closes on ``day`` as a holiday, and whether that is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Weekly hours in local time.

    Attributes:
        weekly: weekday (0 Monday) → spans (start, end), end exclusive; a missing day is closed.
        closed_on_holidays: closed on the days off that ``closing`` means.
        closing: the site's; the same as of its service clock.
        zone: the site's zone.
        site: the site's calendar with what was changed in it; ``closing`` and the law without one.
    """

    weekly: Mapping[int, tuple[tuple[time, time], ...]] = field(
        default_factory=lambda: {day: ((time(8, 30), time(18, 0)),) for day in range(7)}
    )
    closed_on_holidays: bool = True
    closing: HolidayClosing = HolidayClosing.STATUTORY
    zone: ZoneInfo = SHANGHAI
    site: SiteHolidays | None = field(default=None, compare=False)

    @classmethod
    def always(cls, zone: ZoneInfo = SHANGHAI) -> Self:
        """Return hours that never close."""
        return cls(
            weekly=dict.fromkeys(range(7), ((time.min, time.max),)), closed_on_holidays=False, zone=zone
        )

    def _holiday(self, day: date) -> tuple[bool, bool]:
        if self.site is not None:
            return self.site.closed(day)
        return closed_by_law(day, self.closing)

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


class ClockKind(StrEnum):
    """The clock that a limit runs on; never mix them (domain.md §0)."""

    NAT = "NAT"
    """Natural hours: runs at night and on holidays."""
    SVC = "SVC"
    """Runs only inside service hours."""
    WD = "WD"
    """Working days: the count starts the day after the start, and ends at the end of the last one."""
    SD = "SD"
    """Days of service: that of the start is the first, so that one day is «the same day»; what begins after
    the hours, or on a day without any, begins on the next one. It ends with the hours of the last."""


IN_DAYS = frozenset({ClockKind.WD, ClockKind.SD})
"""Clocks whose amounts are whole days."""


DAY = timedelta(days=1)
_SEARCHED_DAYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHours:
    """When the service clock runs, and when a working day begins and ends, in the site's time.

    Attributes:
        spans: (start, end) of a day, in order; an end of 00:00 is midnight at the day's end.
        weekdays: 0 Monday; a make-up working day runs whatever its weekday.
        closing: on which days off it stands still.
        workday: a working day's begin and end, for the clock ``WD``; its end is the deadline's hour.
    """

    spans: tuple[tuple[time, time], ...] = ((time(8, 30), time(18)),)
    weekdays: frozenset[int] = frozenset(range(7))
    closing: HolidayClosing = HolidayClosing.STATUTORY
    workday: tuple[time, time] = (time(8, 30), time(18))
    zone: ZoneInfo = SHANGHAI

    def __post_init__(self) -> None:
        last = time.min
        for start, end in self.spans:
            if start < last or (end != time.min and end <= start):
                raise Invalid(f"service hours {self.text}: spans are to be in order and not empty")
            last = end if end != time.min else time.max
        if not self.spans or not self.weekdays or not self.weekdays <= set(range(7)):
            raise Invalid("service hours: at least one span on at least one of the days 1 to 7")

    @classmethod
    def parse(
        cls,
        spans: str,
        days: str = "1234567",
        *,
        closing: HolidayClosing = HolidayClosing.STATUTORY,
        zone: ZoneInfo = SHANGHAI,
    ) -> Self:
        """Read ``08:30-12:00,13:30-18:00`` and ISO weekdays such as ``123456``.

        Raises:
            Invalid: not of that form.
        """
        try:
            pairs = [span.strip().split("-") for span in spans.split(",")]
            read = tuple(
                (time.fromisoformat(start), time.min if end == "24:00" else time.fromisoformat(end))
                for start, end in pairs
            )
            weekdays = frozenset(int(day) - 1 for day in days)
        except ValueError as error:
            raise Invalid(
                f"service hours {spans!r} on days {days!r}: "
                "write them like 08:30-12:00,13:30-18:00 and 123456"
            ) from error
        return cls(spans=read, weekdays=weekdays, closing=closing, zone=zone)

    @property
    def text(self) -> str:
        """The spans as :meth:`parse` takes them."""
        return ",".join(
            f"{start:%H:%M}-{'24:00' if end == time.min else format(end, '%H:%M')}"
            for start, end in self.spans
        )

    def on(self, day: date, calendar: WorkCalendar) -> tuple[tuple[datetime, datetime], ...]:
        """Return the spans of ``day`` in UTC; none when the clock stands still all day.

        Raises:
            CalendarYearMissing: whether that day is a holiday is not known.
        """
        runs = day.weekday() in self.weekdays
        if self.closing is not HolidayClosing.NEVER:
            runs = runs or calendar.day(day).kind is CalendarKind.MAKEUP_WORK
            runs = runs and not self.closed(day, calendar)
        if not runs:
            return ()
        return tuple((self._utc(day, start), self._utc(day, end, ends=True)) for start, end in self.spans)

    def closed(self, day: date, calendar: WorkCalendar) -> bool:
        """Tell whether ``day`` is a day off on which nobody is there. Raises CalendarYearMissing."""
        if self.closing is HolidayClosing.NEVER:
            return False
        found = calendar.day(day)
        beside = found.kind is CalendarKind.OFF and bool(found.name)
        return found.kind is CalendarKind.HOLIDAY or (beside and self.closing is HolidayClosing.PERIOD)

    def working_hours(self, day: date) -> tuple[datetime, datetime]:
        """Return begin and end of a working day in UTC."""
        return self._utc(day, self.workday[0]), self._utc(day, self.workday[1], ends=True)

    def _utc(self, day: date, at: time, *, ends: bool = False) -> datetime:
        if ends and at == time.min:
            day += DAY
        return datetime.combine(day, at, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class BusinessClocks:
    """The three clocks of a site; everything is pure, in aware UTC.

    A length is a ``timedelta`` that has passed *on the clock*; on ``WD`` a day of it is one working day.
    Everything raises CalendarYearMissing where the answer depends on a day of a year that is not loaded; the
    clock ``NAT`` never does.
    """

    hours: ServiceHours = field(default_factory=ServiceHours)
    calendar: WorkCalendar = field(default_factory=WorkCalendar)

    def add(self, clock: ClockKind, start: datetime, length: timedelta) -> datetime:
        """Return when ``length`` (not negative) has passed on ``clock`` since ``start``.

        On ``SVC`` the answer is always inside service hours, their ends included. On ``WD`` whole days end
        at the end of a working day, and a part of a day lies as far into it.
        """
        if length < timedelta(0):
            raise ValueError("a length is not negative")
        start = start.astimezone(UTC)
        if clock is ClockKind.NAT:
            return start + length
        if clock is ClockKind.SD:
            return self._add_service_days(start, length)
        return self._add_service(start, length) if clock is ClockKind.SVC else self._add_days(start, length)

    def elapsed(self, clock: ClockKind, start: datetime, end: datetime) -> timedelta:
        """Return how much has passed on ``clock`` from ``start`` to ``end``, nothing when that is earlier."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end <= start:
            return timedelta(0)
        if clock is ClockKind.NAT:
            return end - start
        if clock is ClockKind.SD:
            return self._service_days(start, end)
        days = self._days_from(start, 0 if clock is ClockKind.SVC else 1)
        last = end.astimezone(self.hours.zone).date()
        total = timedelta(0)
        for day in days:
            if day > last:
                break
            total += self._service_on(day, start, end) if clock is ClockKind.SVC else self._share_on(day, end)
        return total

    def _days_from(self, start: datetime, offset: int) -> Iterator[date]:
        first = start.astimezone(self.hours.zone).date()
        return (first + timedelta(days=number) for number in count(offset))

    def _add_service(self, start: datetime, length: timedelta) -> datetime:
        for searched, day in enumerate(self._days_from(start, 0)):
            if searched > _SEARCHED_DAYS + length.days * 24:
                break
            for opens, closes in self.hours.on(day, self.calendar):
                since = max(opens, start)
                if closes < since:
                    continue
                if since + length <= closes:
                    return since + length
                length -= closes - since
        raise ConfigurationError(
            "service hours: the service clock never runs; look at the calendar's holidays"
        )

    def _open_days(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield begin and end of the days of service from ``start`` on; the first begins there."""
        idle = 0
        for day in self._days_from(start, 0):
            spans = self.hours.on(day, self.calendar)
            if spans and spans[-1][1] > start:
                idle = 0
                yield max(spans[0][0], start), spans[-1][1]
            elif (idle := idle + 1) > _SEARCHED_DAYS:
                break
        raise ConfigurationError("service hours: there are no days of service")

    def _add_service_days(self, start: datetime, length: timedelta) -> datetime:
        if not length:
            return start
        for begins, ends in self._open_days(start):
            if length <= DAY:
                return begins + (ends - begins) * (length / DAY)
            length -= DAY
        raise AssertionError("days of service never end")

    def _service_days(self, start: datetime, end: datetime) -> timedelta:
        total = timedelta(0)
        for begins, ends in self._open_days(start):
            if end < ends:
                return total + (DAY * ((end - begins) / (ends - begins)) if end > begins else timedelta(0))
            total += DAY
            if ends.astimezone(self.hours.zone).date() >= end.astimezone(self.hours.zone).date():
                break
        return total

    def _service_on(self, day: date, start: datetime, end: datetime) -> timedelta:
        spans = self.hours.on(day, self.calendar)
        return sum(
            (max(timedelta(0), min(closes, end) - max(opens, start)) for opens, closes in spans),
            start=timedelta(0),
        )

    def _add_days(self, start: datetime, length: timedelta) -> datetime:
        if not length:
            return start
        idle = 0
        for day in self._days_from(start, 1):
            if not self.calendar.is_working(day):
                idle += 1
                if idle > _SEARCHED_DAYS:
                    break
                continue
            idle = 0
            begins, ends = self.hours.working_hours(day)
            if length <= DAY:
                return begins + (ends - begins) * (length / DAY) if length < DAY else ends
            length -= DAY
        raise ConfigurationError("working days: the calendar has none")

    def _share_on(self, day: date, end: datetime) -> timedelta:
        begins, ends = self.hours.working_hours(day)
        if end <= begins or not self.calendar.is_working(day):
            return timedelta(0)
        return DAY if end >= ends else DAY * ((end - begins) / (ends - begins))
