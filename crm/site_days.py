"""The site's hours and calendar in memory, for whoever answers callers and cannot wait for a database."""

import asyncio
from datetime import date, datetime, time, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from crm.calendar_book import CalendarBook
from kernel.business_time import BusinessClocks, OpeningHours, ServiceHours, closed_by_law
from kernel.clock import Clock
from kernel.db import Database
from kernel.holidays import CalendarYearMissing, WorkCalendar

log = structlog.get_logger(__name__)

LOOK = timedelta(seconds=20)


class SiteDays:
    """Implements :class:`kernel.business_time.SiteHolidays`.

    Until the first look it goes by the settings, and by the calendar without what was changed in it. While
    the database is away it keeps what it knew.
    """

    def __init__(self, database: Database, clock: Clock, hours: ServiceHours) -> None:
        self._database = database
        self._book = CalendarBook(clock, hours)
        self._clocks = BusinessClocks(hours, WorkCalendar())

    @property
    def hours(self) -> ServiceHours:
        """When the service clock runs."""
        return self._clocks.hours

    def closed(self, day: date) -> tuple[bool, bool]:
        """Tell whether the site closes on ``day`` as a holiday, and whether that is known."""
        hours = self._clocks.hours
        try:
            return hours.closed(day, self._clocks.calendar), True
        except CalendarYearMissing:
            return closed_by_law(day, hours.closing)

    def is_open(self, now: datetime) -> bool:
        """Tell whether somebody is there."""
        hours = self._clocks.hours
        spans = tuple((start, end if end > time.min else time.max) for start, end in hours.spans)
        weekly = dict.fromkeys(hours.weekdays, spans)
        return OpeningHours(weekly=weekly, zone=hours.zone, site=self).is_open(now)

    async def look(self) -> None:
        """Read what is in force."""
        self._book.forget()
        try:
            async with self._database.session() as session:
                self._clocks = await self._book.clocks(session)
        except (SQLAlchemyError, OSError) as error:
            log.warning("site_days_not_read", error=type(error).__name__)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK.total_seconds())
