"""The calendar's overrides in the database, and the clocks that run on them."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.limit_tables import CalendarDayRow, CalendarYearRow, LimitTimerRow, ServiceHoursRow
from kernel.business_time import BusinessClocks, ClockKind, HolidayClosing, ServiceHours
from kernel.clock import Clock
from kernel.errors import Invalid
from kernel.holidays import CalendarDay, CalendarKind, CalendarYearMissing, WorkCalendar, statutory_holidays

MAX_NOTICE_BYTES = 256 * 1024
READ_AGAIN = timedelta(seconds=60)
"""How old the overrides may be that a process remembers."""


class CalendarBook:
    """The overrides, remembered for a minute; another process's change is seen after that.

    Args:
        hours: when the service clock runs, until it is set in the browser.
    """

    def __init__(self, clock: Clock, hours: ServiceHours | None = None) -> None:
        self._clock = clock
        self._hours = hours or ServiceHours()
        self._clocks: BusinessClocks | None = None
        self._read_at = 0.0

    async def clocks(self, session: AsyncSession) -> BusinessClocks:
        """Return the three clocks with the present overrides."""
        age = self._clock.monotonic() - self._read_at
        if self._clocks is None or age >= READ_AGAIN.total_seconds():
            await self._read(session)
        assert self._clocks is not None
        return self._clocks

    async def after_service_time(
        self, session: AsyncSession, since: datetime, length: timedelta
    ) -> datetime | None:
        """Return when ``length`` of service hours has passed, ``None`` while a year's calendar is missing."""
        clocks = await self.clocks(session)
        try:
            return clocks.add(ClockKind.SVC, since, length)
        except CalendarYearMissing:
            return None

    def forget(self) -> None:
        """Read the overrides again when they are next needed."""
        self._clocks = None

    async def _read(self, session: AsyncSession) -> None:
        days = (await session.execute(_DAYS)).all()
        years = (await session.execute(_YEARS)).scalars().all()
        set_hours = await session.scalar(_HOURS)
        calendar = WorkCalendar(
            (
                CalendarDay(date=row.date, kind=CalendarKind(row.kind), name=row.name, source=row.source)
                for row in days
            ),
            years,
        )
        self._clocks = BusinessClocks(self.hours_of(set_hours), calendar)
        self._read_at = self._clock.monotonic()

    def hours_of(self, row: ServiceHoursRow | None) -> ServiceHours:
        """Return the hours of a version; those of the settings without one."""
        if row is None:
            return self._hours
        return ServiceHours.parse(
            row.spans, row.days, closing=HolidayClosing(row.closing), zone=self._hours.zone
        )

    async def put_day(self, session: AsyncSession, day: CalendarDay) -> None:
        """Let ``day`` outweigh the calendar."""
        await session.execute(delete(CalendarDayRow).where(CalendarDayRow.date == day.date))
        session.add(self._row(day))
        await session.flush()
        self.forget()

    async def clear_day(self, session: AsyncSession, day: date) -> None:
        """Let the calendar say again what ``day`` is."""
        await session.execute(delete(CalendarDayRow).where(CalendarDayRow.date == day))
        self.forget()

    async def load_year(self, session: AsyncSession, year: int, days: Sequence[CalendarDay]) -> None:
        """Put a year's whole notice in the place of what the overrides have of it."""
        if any(day.date.year != year for day in days):
            raise Invalid(f"the notice has days of another year than {year}")
        first, last = date(year, 1, 1), date(year, 12, 31)
        await session.execute(delete(CalendarDayRow).where(CalendarDayRow.date.between(first, last)))
        await session.execute(delete(CalendarYearRow).where(CalendarYearRow.year == year))
        source = days[0].source if days else ""
        session.add_all(self._row(day) for day in days)
        session.add(CalendarYearRow(year=year, source=source, loaded_at=self._clock.now()))
        await self.wake(session, year)
        await session.flush()
        self.forget()

    async def wake(self, session: AsyncSession, year: int) -> None:
        """Let the worker come to the limits that have waited for a year."""
        waiting = update(LimitTimerRow).where(LimitTimerRow.calendar_year == year)
        await session.execute(waiting.values(due_at=self._clock.now(), claimed_by=None, claimed_until=None))

    def _row(self, day: CalendarDay) -> CalendarDayRow:
        return CalendarDayRow(
            date=day.date, kind=day.kind, name=day.name, source=day.source, changed_at=self._clock.now()
        )


_DAYS = select(CalendarDayRow.date, CalendarDayRow.kind, CalendarDayRow.name, CalendarDayRow.source)
_YEARS = select(CalendarYearRow.year)
_HOURS = select(ServiceHoursRow).order_by(ServiceHoursRow.version.desc()).limit(1)


def read_notice(text: str, source: str) -> tuple[int, tuple[CalendarDay, ...]]:
    """Read a year's notice in the form of the data set holiday-cn, and return its year and days.

    The form is ``{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}, …]}``.
    Days off that are holidays by law become so; a day may say its ``kind`` itself.

    Raises:
        Invalid: not of that form; names the day at fault.
    """
    if len(text.encode()) > MAX_NOTICE_BYTES:
        raise Invalid(f"{source}: larger than {MAX_NOTICE_BYTES // 1024} KB")
    try:
        tree = json.loads(text)
        year = tree["year"]
        if not isinstance(year, int) or not 2004 <= year <= 2199 or not isinstance(tree["days"], list):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid(f"{source}: must be JSON with the fields year and days") from error
    try:
        by_law = statutory_holidays(year)
    except CalendarYearMissing:
        by_law = {}
    days = [
        _read_day(entry, f"{source}: days[{at}]", source, by_law) for at, entry in enumerate(tree["days"])
    ]
    # A notice names the last days of December as part of the next New Year.
    own = {day.date: day for day in days if day.date.year == year}
    missing = [day for day in by_law if own.get(day) is None or own[day].kind is not CalendarKind.HOLIDAY]
    if missing:
        raise Invalid(
            f"{source}: {min(missing)} {by_law[min(missing)]} is a holiday by law and is not off here"
        )
    if not any(day.kind is CalendarKind.HOLIDAY for day in own.values()):
        raise Invalid(f"{source}: has no holiday; give the holidays by law the kind «holiday»")
    return year, tuple(own.values())


def _read_day(entry: Any, place: str, source: str, by_law: Any) -> CalendarDay:
    try:
        day, name = date.fromisoformat(entry["date"]), str(entry.get("name", ""))[:40]
        off = entry["isOffDay"]
        if not isinstance(off, bool):
            raise ValueError
        if "kind" in entry:
            kind = CalendarKind(entry["kind"])
        elif off:
            kind = CalendarKind.HOLIDAY if day in by_law else CalendarKind.OFF
        else:
            kind = CalendarKind.MAKEUP_WORK if day.weekday() >= 5 else CalendarKind.WORK
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"{place}: must have date (2027-01-01), isOffDay (true or false) and name") from error
    return CalendarDay(date=day, kind=kind, name=name, source=source[:120])
