"""Limits that end in a year whose calendar is not loaded: not refused, not guessed (domain.md §0, §6.2)."""

from datetime import date, timedelta

import pytest
from sqlalchemy import update

from crm.events_limits import (
    CalendarYearNotLoaded,
    LimitBreached,
    LimitDeadlineKnown,
    LimitEscalated,
    LimitFact,
    LimitRed,
    LimitWarned,
)
from crm.limit_lists import LimitLists, OverdueList
from crm.limit_tables import LimitTimerRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, RecordRef, TimerState, TimerView
from crm.notices.domain import NoticeRequest
from crm.notices.facts import ENTRIES
from kernel.access import Actor, Role
from kernel.db import Database
from kernel.holidays import CalendarDay, CalendarKind, CalendarYearMissing
from tests.support.limits import SettableClock, at, complaint, facts, local, start

pytestmark = pytest.mark.integration

EVE = at("2098-12-31T16:30")
CASE = complaint("c1", "line-1")
MANAGER = Actor(user_id="u-wang", name="王经理", role=Role.MANAGER)


@pytest.fixture
def clock() -> SettableClock:
    """The last afternoon of a year, and the next one is not loaded."""
    return SettableClock(EVE)


@pytest.fixture
def book(clock: SettableClock) -> LimitBook:
    return LimitBook(clock)


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Database:
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, 2098, [])
    return database


async def load_2099(database: Database, clock: SettableClock) -> None:
    """Load the notice, in another process."""
    new_year = CalendarDay(date=date(2099, 1, 1), kind=CalendarKind.HOLIDAY, name="元旦", source="国办通知")
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, 2099, [new_year])


def worker_of(database: Database, clock: SettableClock, book: LimitBook | None = None) -> LimitWorker:
    return LimitWorker(database, clock, book or LimitBook(clock), worker="w1")


async def drain(worker: LimitWorker) -> None:
    while await worker.run_once():
        pass


async def only(database: Database, book: LimitBook, record: RecordRef = CASE) -> TimerView:
    async with database.session() as session:
        (found,) = (await book.timers(session, [record.record_id]))[record.record_id]
    return found


async def stop(database: Database, book: LimitBook, when: str, record: RecordRef = CASE) -> TimerView:
    async with database.transaction() as session:
        found = await book.stop(session, "TS.T1", record, at=at(when))
    assert found is not None
    return found


async def points(database: Database) -> list[str]:
    found = await facts(database, LimitFact)
    return [
        f"{type(fact).__name__} {local(fact.at)}"
        for fact in found
        if not isinstance(fact, LimitDeadlineKnown)
    ]


async def test_a_limit_starts_without_a_deadline_and_people_are_told(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    view = await start(office, book, "TS.T1", CASE, EVE)
    assert (view.state, view.calendar_missing) == (TimerState.CALENDAR_MISSING, 2099)
    assert (view.due_at, view.overdue, view.is_open, view.started_at) == (None, False, True, EVE)
    clock.set(at("2099-01-08T10:00"))
    await drain(worker_of(office, clock))
    again = await only(office, book)
    assert (again.state, again.due_at, again.overdue, again.used) == (view.state, None, False, 0.5)
    assert await points(office) == []
    (told,) = await facts(office, CalendarYearNotLoaded)
    assert (told.year, told.day, told.days_left) == (2099, "2098-12-31", 1)
    (notice,) = ENTRIES[CalendarYearNotLoaded](told)
    assert isinstance(notice, NoticeRequest)
    assert (notice.code, notice.key) == ("calendar.missing", "calendar.missing|2099|2098-12-31")


async def test_a_limit_on_natural_hours_needs_no_calendar(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    view = await start(office, book, "TS.T2", CASE, EVE)
    assert (view.state, local(view.due_at)) == ("running", "Thu 01-01 16:30")
    clock.set(at("2099-01-03T09:00"))
    await drain(worker_of(office, clock))
    assert [type(fact) for fact in await facts(office, LimitFact)][-2:] == [LimitBreached, LimitEscalated]
    await load_2099(office, clock)
    await drain(worker_of(office, clock))
    # 3 service hours after Thursday's breach, which was on a holiday: Friday from 08:30.
    assert [local(fact.at) for fact in await facts(office, LimitRed)] == ["Fri 01-02 11:30"]


@pytest.mark.parametrize("worker_knows", [False, True])
async def test_as_soon_as_the_calendar_is_loaded_all_points_are_handled_in_order(
    office: Database, book: LimitBook, clock: SettableClock, worker_knows: bool
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    clock.set(at("2099-01-02T12:00"))
    worker = worker_of(office, clock, None if worker_knows else book)
    await drain(worker)
    await load_2099(office, clock)
    view = await only(office, LimitBook(clock))  # shown right away, before the worker has come
    assert (view.state, local(view.due_at), view.overdue) == ("running", "Fri 01-02 10:00", True)
    await drain(worker)  # remembers the calendar of a moment ago
    assert await points(office) == [
        "LimitWarned Wed 12-31 18:00",
        "LimitWarned Fri 01-02 09:24",
        "LimitBreached Fri 01-02 10:00",
    ]
    (known,) = await facts(office, LimitDeadlineKnown)
    assert (known.line_id, local(known.due_at)) == ("line-1", "Fri 01-02 10:00")
    clock.set(at("2099-01-02T13:00"))
    await drain(worker)
    assert len(await facts(office, LimitRed)) == 1
    assert len(await facts(office, LimitBreached)) == 1


@pytest.mark.parametrize(("when", "late"), [("2099-01-02T10:00", False), ("2099-01-02T13:30", True)])
async def test_a_stop_is_written_down_and_judged_when_the_calendar_comes(
    office: Database, book: LimitBook, clock: SettableClock, when: str, late: bool
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    clock.set(at(when))
    stopped = await stop(office, book, when)
    assert (stopped.state, stopped.calendar_missing, stopped.overdue) == ("stopped", 2099, False)
    assert stopped.stopped_at == at(when)
    clock.set(at("2099-01-12T09:00"))
    worker = worker_of(office, clock)
    await drain(worker)
    assert await points(office) == []
    await load_2099(office, clock)
    await drain(worker)
    view = await only(office, book)
    assert (view.state, view.overdue, view.calendar_missing) == ("stopped", late, None)
    assert local(view.due_at) == "Fri 01-02 10:00"
    expected = ["LimitBreached Fri 01-02 10:00", "LimitRed Fri 01-02 13:00"] if late else []
    assert await points(office) == expected
    assert await facts(office, LimitDeadlineKnown) == []  # nobody waits for that deadline any more
    clock.advance(timedelta(days=1))
    assert await worker.run_once() == 0


async def test_the_calendar_may_come_between_the_start_and_the_stop(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    await load_2099(office, clock)
    clock.set(at("2099-01-02T11:00"))
    view = await stop(office, book, "2099-01-02T11:00")
    assert (view.overdue, local(view.breached_at)) == (True, "Fri 01-02 10:00")
    assert await worker_of(office, clock).run_once() == 0


async def test_the_red_step_of_a_closed_limit_waits_for_the_calendar_too(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T2", CASE, EVE - timedelta(hours=20))
    clock.set(at("2099-01-04T09:00"))
    async with office.transaction() as session:
        await book.stop(session, "TS.T2", CASE, at=clock.now())
    assert await facts(office, LimitRed) == []
    await load_2099(office, clock)
    await drain(worker_of(office, clock))
    assert [local(fact.at) for fact in await facts(office, LimitRed)] == ["Fri 01-02 11:30"]


async def test_started_anew_and_voided_while_the_calendar_is_missing(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    clock.set(at("2098-12-31T17:30"))
    async with office.transaction() as session:
        again = await book.restart(
            session, "TS.T1", CASE, at=clock.now(), owner=(await only(office, book)).owner
        )
        assert again.state is TimerState.CALENDAR_MISSING
        assert await book.void(session, CASE, reason="不立案") == 1
    await load_2099(office, clock)
    clock.set(at("2099-01-05T09:00"))
    await drain(worker_of(office, clock))
    async with office.session() as session:
        views = (await book.timers(session, ["c1"]))["c1"]
    assert [(view.state, view.overdue) for view in views] == [("void", False), ("void", False)]
    assert await points(office) == []


async def test_a_pause_that_ends_without_a_calendar_waits_for_it(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, at("2098-12-31T09:00"))
    async with office.transaction() as session:
        await book.pause(session, "TS.T1", CASE, at=at("2098-12-31T10:00"), reason="等客户")
        view = await book.resume(session, "TS.T1", CASE, at=at("2098-12-31T17:30"))
        assert view is not None
        assert view.state is TimerState.CALENDAR_MISSING
        assert view.used == pytest.approx(1 / 3)
    clock.set(at("2099-01-02T08:00"))
    async with office.transaction() as session:
        with pytest.raises(CalendarYearMissing):
            await book.pause(session, "TS.T1", CASE, at=clock.now(), reason="等客户")
    await load_2099(office, clock)
    await drain(worker_of(office, clock))
    assert local((await only(office, book)).due_at) == "Fri 01-02 10:00"


async def test_an_updated_package_wakes_what_waits_when_the_centre_starts(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    await load_2099(office, clock)
    async with office.transaction() as session:  # as it is when nothing but the package told us
        await session.execute(update(LimitTimerRow).values(due_at=EVE + timedelta(minutes=15)))
    worker = worker_of(office, clock)
    await worker.check_calendar()
    assert await worker.run_once() == 1
    assert (await only(office, book)).state == "running"


async def test_people_are_told_again_each_day_that_limits_wait(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    clock.set(at("2099-01-01T09:00"))
    await worker_of(office, clock).check_calendar()
    assert [(fact.day, fact.days_left) for fact in await facts(office, CalendarYearNotLoaded)] == [
        ("2098-12-31", 1),
        ("2099-01-01", 0),
    ]


async def test_lists_show_what_waits_for_a_calendar_before_all_else(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    lists = LimitLists(clock, book)
    await start(office, book, "TS.T1", complaint("late", "l"), at("2098-12-31T08:30"))
    for number in range(3):
        await start(office, book, "TS.T1", complaint(f"w{number}", "l"), EVE + number * timedelta(minutes=1))
    clock.set(at("2098-12-31T17:59"))
    await drain(worker_of(office, clock))
    async with office.session() as session:
        red = await lists.red_list(session, MANAGER)
        assert [view.record.record_id for view in red.timers] == ["w0", "w1", "w2", "late"]
        assert [view.calendar_missing for view in red.timers] == [2099, 2099, 2099, None]
        found, cursor = [], None
        while True:
            page = await lists.overdue(
                session, MANAGER, which=OverdueList.NOT_ACCEPTED, cursor=cursor, limit=2
            )
            found += [view.record.record_id for view in page.timers]
            if (cursor := page.cursor) is None:
                break
    assert found == ["w0", "w1", "w2", "late"]


async def test_the_80_percent_warning_is_told_once_whenever_the_calendar_comes(
    office: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(office, book, "TS.T1", CASE, EVE)
    await load_2099(office, clock)
    clock.set(at("2099-01-02T09:30"))
    worker = worker_of(office, clock)
    await drain(worker)
    await drain(worker)
    assert [fact.percent for fact in await facts(office, LimitWarned)] == [50, 80]
