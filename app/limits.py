"""Limit sets and the calendar from the command line; a centre that runs sees a change within a minute."""

import getpass
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.store import open_store
from crm.calendar_book import MAX_NOTICE_BYTES, read_notice
from crm.domain.limit_file import MAX_BYTES
from crm.domain.limits import Rule
from crm.journal import Journal
from crm.limit_rules import PolicyVersion
from crm.limits import LimitBook
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.business_time import DAY, IN_DAYS
from kernel.clock import SystemClock
from kernel.errors import Invalid
from kernel.holidays import CalendarDay, CalendarKind, CalendarYearMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Office:
    """An open transaction with what the commands need."""

    session: AsyncSession
    book: LimitBook
    journal: Journal
    actor: Actor
    now: datetime

    async def note(self, action: str, entity: str, entity_id: str, after: dict[str, Any]) -> None:
        await self.journal.note(
            self.session, self.actor, action, entity=entity, entity_id=entity_id, after=after
        )


@asynccontextmanager
async def _office(settings: Settings) -> AsyncIterator[_Office]:
    clock = SystemClock()
    book = LimitBook(clock, hours=settings.service_hours, default_set=settings.centre.limit_set)
    async with open_store(settings) as database, database.transaction() as session:
        yield _Office(
            session=session,
            book=book,
            journal=Journal(AuditLog(database, clock)),
            actor=Actor.system(f"command line ({getpass.getuser()})"),
            now=clock.now(),
        )


def _read(path: Path, longest: int) -> str:
    with path.open("rb") as file:
        raw = file.read(longest + 1)
    if len(raw) > longest:
        raise Invalid(f"{path.name}: larger than {longest // 1024} KB")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"{path.name}: not a text in UTF-8") from error


def _day(text: str, what: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{what}: {text!r} is no date, such as 2026-12-01") from error


def _from(text: str | None, settings: Settings, now: datetime) -> datetime | None:
    """Return the beginning of a day at the site; ``None``, which is now, for today or no day."""
    if text is None:
        return None
    day = _day(text, "--from")
    if day == now.astimezone(settings.zone).date():
        return None
    return datetime.combine(day, time.min, settings.zone)


async def show_limits(settings: Settings, set_name: str | None) -> list[str]:
    """Return the versions that there are, and the rules of the set in use or the one named."""
    async with _office(settings) as office:
        chosen = await office.book.policies.chosen_set(office.session, office.now)
        versions = await office.book.policies.versions(office.session)
        counts = await office.book.policies.effective(office.session, office.now, set_name or chosen)
    lines = [_version_line(version, settings, chosen) for version in versions]
    return [*lines, "", *_rule_lines(counts)]


def _version_line(version: PolicyVersion, settings: Settings, chosen: str) -> str:
    since = version.effective_from.astimezone(settings.zone)
    from_text = "from the start" if since.year == 2000 else f"from {since:%Y-%m-%d %H:%M}"
    mark = "  in use for new records" if version.set_name == chosen else ""
    return f"{version.set_name}/{version.version}  {version.policy.title}  {from_text}{mark}"


def _rule_lines(version: PolicyVersion) -> Iterator[str]:
    yield f"{version.set_name}/{version.version}"
    for rule in version.policy.rules.values():
        warn = "/".join(str(percent) for percent in rule.warn)
        yield (
            f"  {rule.code:<9} {_amount(rule):>5} {rule.clock}  {rule.start} → {rule.stop}"
            f"  {rule.owes}  {warn} %  {rule.name}"
        )


def _amount(rule: Rule) -> str:
    if rule.clock in IN_DAYS:
        return f"{rule.amount // DAY} d"
    hours = rule.amount / timedelta(hours=1)
    return f"{hours:g} h"


async def load_limits(settings: Settings, path: Path, since: str | None) -> str:
    """Store the next version of a set from a file; return a line that says what was done."""
    text = _read(path, MAX_BYTES)
    async with _office(settings) as office:
        version = await office.book.policies.load(
            office.session,
            text,
            source=path.name,
            effective_from=_from(since, settings, office.now),
            by=office.actor.name,
        )
        name = f"{version.set_name}/{version.version}"
        await office.note("limits_loaded", "limit_policy", name, {"from": version.effective_from})
    since_text = version.effective_from.astimezone(settings.zone)
    return f"limit set {name} counts from {since_text:%Y-%m-%d %H:%M} for records that begin then"


async def use_limits(settings: Settings, set_name: str, since: str | None) -> str:
    """Use a set for new records; return a line that says what was done."""
    async with _office(settings) as office:
        start = await office.book.policies.choose(
            office.session,
            set_name,
            effective_from=_from(since, settings, office.now),
            by=office.actor.name,
        )
        await office.note("limits_chosen", "limit_set", set_name, {"from": start})
    return f"new records get limit set {set_name} from {start.astimezone(settings.zone):%Y-%m-%d %H:%M}"


async def show_calendar(settings: Settings, year: int) -> list[str]:
    """Return the days of a year that are not ordinary."""
    async with _office(settings) as office:
        calendar = (await office.book.calendar.clocks(office.session)).calendar
    lines = []
    day = date(year, 1, 1)
    try:
        while day.year == year:
            found = calendar.day(day)
            if found.name or found.source not in {"chinesecalendar", "notice"}:
                lines.append(f"{day} {day:%a}  {found.kind:<12} {found.name}  ({found.source})")
            day += timedelta(days=1)
    except CalendarYearMissing as error:
        return [*lines, error.message]
    return lines


async def load_calendar(settings: Settings, path: Path) -> str:
    """Store a year's notice; return a line that says what was done."""
    year, days = read_notice(_read(path, MAX_NOTICE_BYTES), path.name)
    async with _office(settings) as office:
        await office.book.calendar.load_year(office.session, year, days)
        await office.note("calendar_loaded", "calendar_year", str(year), {"days": len(days)})
    working = sum(day.kind is CalendarKind.MAKEUP_WORK for day in days)
    return f"the calendar of {year} is loaded: {len(days) - working} days off, {working} make-up working days"


async def set_calendar_day(settings: Settings, text: str, kind: CalendarKind, name: str) -> str:
    """Let one day outweigh the calendar; return a line that says what was done."""
    day = CalendarDay(
        date=_day(text, "date"), kind=kind, name=name[:40], source=f"command line ({getpass.getuser()})"
    )
    async with _office(settings) as office:
        await office.book.calendar.put_day(office.session, day)
        await office.note("calendar_changed", "calendar_day", text, {"kind": kind, "name": day.name})
    return f"{day.date} is now {kind.value}; limits that run keep their deadlines"
