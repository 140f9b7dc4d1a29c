"""When a customer may be called (domain.md §6.1, §6.2).

A call may begin inside a window only if the longest questionnaire ends inside it. Both ends belong to the
answer: the first moment of a window, and the last one from which the questionnaire still fits.

A day off that was moved next to a holiday is closed like the holiday itself, unless the site says otherwise:
§6.1 asks to avoid rest time. A year that is not loaded is an error, here as everywhere.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from crm.domain.customer import Level
from kernel.business_time import SHANGHAI, HolidayClosing
from kernel.holidays import CalendarKind, WorkCalendar

SEARCHED_DAYS = 62
DAY = timedelta(days=1)
SUNDAY = 6


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a day in the site's time, ``start`` before ``end``."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError("a span ends after it starts")


class Occasion(StrEnum):
    """Why this call is made at this hour."""

    ROUTINE = "routine"
    APPOINTED = "appointed"
    """The customer named the time."""
    REQUESTED = "requested"
    """The customer asked for the call itself: a call-back request, an open case."""


class Closed(StrEnum):
    """Why no call may begin now."""

    HOLIDAY = "holiday"
    DAY = "day"
    """A Sunday, or another day that is not called on."""
    HOURS = "hours"
    TOO_LATE = "too_late"
    """Inside a window, but the questionnaire would not end in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingRules:
    """The profile of a site; the defaults are the one called «designed» in domain.md §6.1.

    Attributes:
        routine: hours of ordinary callbacks.
        wished: hours inside which a customer's own wish counts: appointments, preferences of level A.
        requested: hours in which a customer's own request is returned, on any day.
        weekdays: days of ordinary callbacks, 0 Monday; a make-up working day is one whatever its weekday.
        closing: which days off are closed.
        reserve: the last call begins at least this long before a window's end.
    """

    routine: tuple[Span, ...] = (Span(time(9, 30), time(12)), Span(time(14), time(19, 30)))
    wished: tuple[Span, ...] = (Span(time(8, 30), time(20, 30)),)
    requested: tuple[Span, ...] = (Span(time(8, 30), time(20, 30)),)
    weekdays: frozenset[int] = frozenset(range(SUNDAY))
    closing: HolidayClosing = HolidayClosing.PERIOD
    reserve: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWish:
    """The call that somebody wants to make.

    Attributes:
        preferred: the hours that the customer prefers.
        longest: how long the longest questionnaire asked in it may take.
        ring: how long the telephones may ring before anybody answers.
        carrier: hours in which the carrier lets calls through; ``None`` for no limit of its own.
    """

    occasion: Occasion = Occasion.ROUTINE
    level: Level = Level.B
    preferred: Span | None = None
    longest: timedelta = timedelta(0)
    ring: timedelta = timedelta(0)
    carrier: tuple[Span, ...] | None = None


@dataclass(frozen=True, slots=True)
class CallingWindows:
    """Answers when calls may begin."""

    rules: CallingRules = field(default_factory=CallingRules)
    calendar: WorkCalendar = field(default_factory=WorkCalendar)
    zone: ZoneInfo = SHANGHAI

    def closed(self, now: datetime, wish: CallWish) -> Closed | None:
        """Return why no call may begin at ``now``, ``None`` when it may.

        Raises:
            CalendarYearMissing: the year's holidays are not loaded.
        """
        day = self.day_of(now)
        why = self._day_closed(day, wish)
        if why is not None:
            return why
        for begins, ends in self.on(day, wish):
            if begins <= now < ends:
                return None if now + self._needed(wish) <= ends else Closed.TOO_LATE
        return Closed.HOURS

    def left(self, now: datetime, wish: CallWish) -> timedelta:
        """Return how long the window lasts that is open at ``now``. Raises as :meth:`closed` does."""
        for begins, ends in self.on(self.day_of(now), wish):
            if begins <= now < ends:
                return ends - now
        return timedelta(0)

    def opens(self, since: datetime, wish: CallWish) -> datetime | None:
        """Return the first moment from ``since`` on at which a call may begin, ``None`` if there is none.

        There is none when the questionnaire fits into no window of the next two months.

        Raises:
            CalendarYearMissing: the answer depends on a year that is not loaded.
        """
        first, needed = self.day_of(since), self._needed(wish)
        for offset in range(SEARCHED_DAYS):
            for begins, ends in self.on(first + offset * DAY, wish):
                moment = max(begins, since)
                if moment + needed <= ends:
                    return moment.astimezone(UTC)
        return None

    def on(self, day: date, wish: CallWish) -> tuple[tuple[datetime, datetime], ...]:
        """Return the windows of a day, in order. Raises as :meth:`opens` does."""
        if self._day_closed(day, wish) is not None:
            return ()
        spans = self._hours(wish)
        if wish.carrier is not None:
            spans = common(spans, wish.carrier)
        return tuple((self._utc(day, span.start), self._utc(day, span.end)) for span in spans)

    def day_of(self, moment: datetime) -> date:
        """Return the site's day of a moment."""
        return moment.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Return when a day begins."""
        return self._utc(day, time.min)

    def _hours(self, wish: CallWish) -> tuple[Span, ...]:
        rules = self.rules
        match wish.occasion:
            case Occasion.REQUESTED:
                return rules.requested
            case Occasion.APPOINTED:
                return rules.wished
            case Occasion.ROUTINE:
                if wish.preferred is None:
                    return rules.routine
                # Level A is called when it likes; others when both sides like.
                ours = rules.wished if wish.level is Level.A else rules.routine
                return common(ours, (wish.preferred,))

    def _day_closed(self, day: date, wish: CallWish) -> Closed | None:
        if wish.occasion is Occasion.REQUESTED:
            return None
        found = self.calendar.day(day)
        moved = found.kind is CalendarKind.OFF and (day.weekday() < 5 or bool(found.name))
        closing = self.rules.closing
        if found.kind is CalendarKind.HOLIDAY and closing is not HolidayClosing.NEVER:
            return Closed.HOLIDAY
        if moved and closing is HolidayClosing.PERIOD:
            return Closed.HOLIDAY
        if wish.occasion is Occasion.APPOINTED or found.kind is CalendarKind.MAKEUP_WORK:
            return None
        return None if day.weekday() in self.rules.weekdays else Closed.DAY

    def _needed(self, wish: CallWish) -> timedelta:
        return max(self.rules.reserve, wish.ring + wish.longest)

    def _utc(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def common(some: tuple[Span, ...], others: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the hours that are in both."""
    found = []
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if start < end:
                found.append(Span(start, end))
    return tuple(sorted(found))
