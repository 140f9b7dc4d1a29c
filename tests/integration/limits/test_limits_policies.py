"""Limit sets by their dates, and the calendar under them."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from crm.domain.limits import NoSuchLimit
from crm.limit_rules import shipped_text
from crm.limit_tables import LimitTimerRow
from crm.limits import LimitBook, TimerView
from kernel.db import Database
from kernel.errors import ConfigurationError, Conflict, Invalid
from kernel.holidays import CalendarDay, CalendarKind, WorkCalendar
from kernel.ids import new_ulid
from tests.support.limit_work import FRIDAY, HOUR, breaches, drain, only, worker_of
from tests.support.limits import SettableClock, at, complaint, local, start

pytestmark = pytest.mark.integration


# Policies.

STRICTER = shipped_text("A").replace("amount: 24h, start: accepted", "amount: 12h, start: accepted")


async def test_a_policy_change_touches_no_record_that_has_begun(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    old = complaint(new_ulid())
    before = await start(database, book, "TS.T1", old, FRIDAY)
    async with database.transaction() as session:
        monday = at("2026-03-23T00:00")
        version = await book.policies.load(
            session, STRICTER, source="limits.yaml", effective_from=monday, by="王经理"
        )
    assert (version.set_name, version.version) == ("A", 2)
    clock.set(at("2026-03-23T09:00"))
    new = complaint(new_ulid())
    assert (await only(database, LimitBook(clock), old)).due_at == before.due_at
    kept = await start(database, book, "TS.T2", old, clock.now())
    fresh = await start(database, book, "TS.T2", new, clock.now())
    assert (kept.policy, local(kept.due_at)) == ("A/1", "Tue 03-24 09:00")
    assert (fresh.policy, local(fresh.due_at)) == ("A/2", "Mon 03-23 21:00")
    backdated = await start(database, book, "TS.T2", complaint(new_ulid()), at("2026-03-22T09:00"))
    assert backdated.policy == "A/1"


async def test_another_set_counts_from_its_date_for_new_records(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    old = complaint(new_ulid())
    await start(database, book, "TS.T1", old, FRIDAY)
    async with database.transaction() as session:
        await book.policies.choose(session, "B", effective_from=at("2026-03-21T00:00"), by="王经理")
    assert (await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)).policy == "A/1"
    clock.set(at("2026-03-21T09:00"))
    assert (await start(database, book, "TS.T1", complaint(new_ulid()), clock.now())).policy == "B/1"
    assert (await start(database, book, "TS.T2", old, clock.now())).policy == "A/1"
    async with database.transaction() as session:
        with pytest.raises(Conflict):
            await book.policies.choose(session, "A", effective_from=FRIDAY, by="王经理")
        with pytest.raises(NoSuchLimit):
            await book.policies.choose(session, "C", effective_from=clock.now(), by="王经理")


async def test_a_policy_cannot_begin_in_the_past_and_a_wrong_file_is_not_stored(
    database: Database, book: LimitBook
) -> None:
    async with database.transaction() as session:
        with pytest.raises(Invalid, match="is past"):
            await book.policies.load(
                session, STRICTER, source="limits.yaml", effective_from=FRIDAY - HOUR, by="王经理"
            )
        with pytest.raises(ConfigurationError, match=r"limits\.yaml: TS\.T1\.amount: "):
            await book.policies.load(
                session,
                STRICTER.replace("amount: 3h", "amount: soon", 1),
                source="limits.yaml",
                effective_from=FRIDAY,
                by="王经理",
            )
        assert [version.version for version in await book.policies.versions(session)] == [1, 1]


@pytest.mark.parametrize("change", ["UPDATE limit_policy SET title = 'x'", "DELETE FROM limit_policy"])
async def test_the_database_itself_keeps_a_policy_as_it_is(
    database: Database, book: LimitBook, change: str
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    with pytest.raises(DBAPIError, match="never changes"):
        async with database.transaction() as session:
            await session.execute(text(change))


async def test_two_processes_storing_the_shipped_set_at_once(
    database: Database, clock: SettableClock
) -> None:
    async def one() -> TimerView:
        return await start(database, LimitBook(clock), "TS.T1", complaint(new_ulid()), FRIDAY)

    assert {view.policy for view in await asyncio.gather(*(one() for _ in range(6)))} == {"A/1"}
    async with database.session() as session:
        assert len(set((await session.scalars(select(LimitTimerRow.policy_id))).all())) == 1


# The calendar.


async def test_an_override_moves_what_is_started_after_it(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    day = CalendarDay(date=date(2026, 3, 21), kind=CalendarKind.HOLIDAY, name="停业", source="公司通知")
    before = await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    async with database.transaction() as session:
        await book.calendar.put_day(session, day)
        await book.calendar.put_day(session, day)
    after = await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    assert (local(before.due_at), local(after.due_at)) == ("Sat 03-21 10:00", "Sun 03-22 10:00")


async def test_a_limit_that_cannot_be_understood_stops_no_other(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    await start(database, book, "TS.T1", complaint("broken"), FRIDAY)
    async with database.transaction() as session:
        broken = update(LimitTimerRow).where(LimitTimerRow.record_id == "broken")
        await session.execute(broken.values(code="TS.T9"))
    clock.set(at("2026-03-21T10:00"))
    await drain(worker_of(database, clock))
    assert len(await breaches(database)) == 1


async def test_a_calendar_that_ends_soon_is_complained_of_in_time(
    database: Database, clock: SettableClock
) -> None:
    last = max(year for year in range(2026, 2060) if WorkCalendar().knows(year))
    worker = worker_of(database, clock)
    clock.set(at(f"{last}-12-01T09:00"))
    with capture_logs() as logs:
        assert await worker.check_calendar() == 31
        assert not logs
        clock.set(at(f"{last}-12-20T09:00"))
        assert await worker.check_calendar() == 12
    assert [(entry["event"], entry["year"], entry["days_left"]) for entry in logs] == [
        ("calendar_year_missing", last + 1, 12)
    ]
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, last + 1, [])
    clock.advance(timedelta(minutes=2))
    assert await worker.check_calendar() == 377
