"""The site's hours and calendar, kept in the browser: each change is written down, none undoes another's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.calendar_book import CalendarBook, read_notice
from crm.limit_tables import CalendarDayRow, ServiceHoursRow
from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.business_time import HolidayClosing, ServiceHours
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, StaleVersion
from kernel.holidays import CalendarDay, CalendarKind, CalendarYearMissing

MAX_NAME = 40
MAX_WHY = 200
MAX_SPANS = 120
MOST_VERSIONS = 20
FIRST_YEAR, LAST_YEAR = 2004, 2099


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursVersion:
    """Service hours that were set; version 0 are those of the settings."""

    version: int
    hours: ServiceHours
    why: str = ""
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class YearView:
    """A year of the calendar.

    Attributes:
        days: each day of it; empty where its calendar is not loaded.
        changed: the days that were changed by hand or by a notice.
        hours: those in force, with the ones before, the newest first.
    """

    year: int
    days: tuple[CalendarDay, ...]
    changed: frozenset[date]
    hours: tuple[HoursVersion, ...]
    first_unknown: int


class CalendarAdmin:
    """Use cases of those who keep the limits. Safe to use from many tasks and processes.

    Limits that run keep their deadlines; menus and surveys follow within half a minute.
    """

    def __init__(self, database: Database, clock: Clock, book: CalendarBook) -> None:
        self._database = database
        self._clock = clock
        self._book = book
        self._audit = AuditLog(database, clock)

    async def year(self, actor: Actor, year: int) -> YearView:
        """Return a year. Raises Forbidden, Invalid."""
        actor.need(Permission.LIMITS_CONFIGURE)
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise Invalid(f"a year from {FIRST_YEAR} to {LAST_YEAR}", field="year")
        query = select(ServiceHoursRow).order_by(ServiceHoursRow.version.desc()).limit(MOST_VERSIONS)
        first, last = date(year, 1, 1), date(year, 12, 31)
        changed = select(CalendarDayRow.date).where(CalendarDayRow.date.between(first, last))
        self._book.forget()
        async with self._database.session() as session:
            calendar = (await self._book.clocks(session)).calendar
            rows = (await session.scalars(query)).all()
            days = frozenset(await session.scalars(changed))
        versions = [self._version(row) for row in rows]
        if len(versions) < MOST_VERSIONS:
            versions.append(HoursVersion(version=0, hours=self._book.hours_of(None)))
        try:
            count = (last - first).days + 1
            found = tuple(calendar.day(first + timedelta(days=number)) for number in range(count))
        except CalendarYearMissing:
            found = ()
        return YearView(
            year=year,
            days=found,
            changed=days,
            hours=tuple(versions),
            first_unknown=calendar.first_unknown(self._clock.now().year),
        )

    async def set_day(
        self, actor: Actor, day: date, kind: CalendarKind | None, name: str, *, seen: CalendarKind | None
    ) -> None:
        """Say what a day is; ``kind`` ``None`` gives it back to the notice.

        Args:
            name: of the holiday; may be empty.
            seen: what the day was on the page; ``None`` where its calendar is not loaded.

        Raises:
            Forbidden: the role does not keep the limits.
            Invalid: a day or a name that cannot be.
            StaleVersion: somebody changed the day meanwhile.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        name = " ".join(name.split())
        if len(name) > MAX_NAME or not name.isprintable():
            raise Invalid(f"at most {MAX_NAME} characters", field="name")
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise Invalid(f"a day from {FIRST_YEAR} to {LAST_YEAR}", field="date")
        async with self._database.transaction() as session:
            self._book.forget()
            calendar = (await self._book.clocks(session)).calendar
            try:
                before: CalendarKind | None = calendar.day(day).kind
            except CalendarYearMissing:
                before = None
            if before is not seen:
                raise StaleVersion("the day was changed meanwhile; look again", field="If-Match")
            if kind is None:
                await self._book.clear_day(session, day)
            else:
                source = f"{actor.name[:60]} {self._clock.now():%Y-%m-%d}"
                found = CalendarDay(date=day, kind=kind, name=name, source=source)
                await self._book.put_day(session, found)
            after = kind.value if kind else "notice"
            detail = {"before": before.value if before else None, "after": after, "name": name}
            await self._note(session, actor, "calendar_changed", "calendar_day", day.isoformat(), detail)

    async def load(self, actor: Actor, text: str, source: str) -> int:
        """Load a year's whole notice, and return the year; its days changed by hand are replaced.

        Raises:
            Forbidden: the role does not keep the limits.
            Invalid: no such notice; says which day is wrong.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        year, days = read_notice(text, source)
        async with self._database.transaction() as session:
            await self._book.load_year(session, year, days)
            await self._note(
                session, actor, "calendar_loaded", "calendar_year", str(year), {"days": len(days)}
            )
        return year

    async def set_hours(
        self, actor: Actor, *, spans: str, days: str, closing: str, why: str, expected: int
    ) -> HoursVersion:
        """Put other service hours in force.

        Args:
            spans, days: as :meth:`kernel.business_time.ServiceHours.parse` takes them.
            expected: the version that was seen; 0 for the settings'.

        Raises:
            Forbidden: the role does not keep the limits.
            Invalid: hours that cannot be, or no reason.
            StaleVersion: somebody set others meanwhile.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        why, days = " ".join(why.split()), "".join(sorted(set(days)))
        if not 1 <= len(why) <= MAX_WHY or not why.isprintable():
            raise Invalid(f"1 to {MAX_WHY} characters: say what was changed", field="why")
        if closing not in set(HolidayClosing):
            raise Invalid(f"one of {', '.join(HolidayClosing)}", field="closing")
        spans = spans.replace("：", ":").replace("，", ",").replace(" ", "")
        if len(spans) > MAX_SPANS:
            raise Invalid(f"at most {MAX_SPANS} characters", field="spans")
        try:
            hours = ServiceHours.parse(spans, days, closing=HolidayClosing(closing))
        except Invalid as error:
            raise Invalid(error.message, field="spans") from error
        async with self._database.transaction() as session:
            before = await session.scalar(select(func.max(ServiceHoursRow.version))) or 0
            if before != expected:
                raise StaleVersion("they were changed meanwhile; look again", field="If-Match")
            row = ServiceHoursRow(
                version=before + 1,
                spans=hours.text,
                days=days,
                closing=closing,
                why=why,
                created_at=self._clock.now(),
                created_by=actor.name[:80],
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion("they were changed meanwhile; look again", field="If-Match") from error
            detail = {"spans": hours.text, "days": days, "closing": closing, "why": why}
            await self._note(session, actor, "hours_set", "service_hours", str(row.version), detail)
            self._book.forget()
            return self._version(row)

    def _version(self, row: ServiceHoursRow) -> HoursVersion:
        return HoursVersion(
            version=row.version,
            hours=self._book.hours_of(row),
            why=row.why,
            created_at=row.created_at,
            created_by=row.created_by,
        )

    async def _note(
        self,
        session: AsyncSession,
        actor: Actor,
        action: str,
        entity: str,
        entity_id: str,
        detail: dict[str, Any],
    ) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity=entity,
            entity_id=entity_id,
            detail=detail,
            session=session,
        )


def weeks_of(days: Sequence[CalendarDay]) -> tuple[tuple[CalendarDay | None, ...], ...]:
    """Return the days of a month in weeks from Monday; ``None`` where a week belongs to another month."""
    cells: list[CalendarDay | None] = [None] * days[0].date.weekday() + list(days)
    cells += [None] * (-len(cells) % 7)
    return tuple(tuple(cells[start : start + 7]) for start in range(0, len(cells), 7))
