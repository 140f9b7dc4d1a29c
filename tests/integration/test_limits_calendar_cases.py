"""A case is never lost for a calendar: complaints and repairs of the last afternoon of a year."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.case_lists import CaseLists
from crm.cases import CaseFilter
from crm.complaint_tables import CaseHandoff, ComplaintLine
from crm.events_limits import LimitDeadlineKnown
from crm.limit_copies import repeat_deadline
from crm.limit_lists import OverdueList
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.holidays import CalendarDay, CalendarKind
from tests.support.complaints import MANAGER, SPECIALIST, open_desk
from tests.support.limits import SettableClock, at, facts, local
from tests.support.repairs import open_company
from web.pages.case_parts import due_of

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(at("2098-12-31T16:30"))


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Database:
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, 2098, [])
    return database


async def calendar_comes(database: Database, clock: SettableClock) -> None:
    new_year = CalendarDay(date=date(2099, 1, 1), kind=CalendarKind.HOLIDAY, name="元旦", source="国办通知")
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, 2099, [new_year])
    await LimitWorker(database, clock, LimitBook(clock), worker="w1").run_once()
    for fact in await facts(database, LimitDeadlineKnown):
        async with database.transaction() as session:
            await repeat_deadline(session, fact)


async def test_a_complaint_is_registered_handed_off_and_signed_without_a_calendar(
    office: Database, clock: SettableClock
) -> None:
    desk = await open_desk(office, clock)
    first, second = await desk.handed_off(), await desk.handed_off()
    assert {timer.calendar_missing for timer in first.lines[0].limits if timer.is_open} == {2099}
    line = await desk.accept(second.lines[0])
    await calendar_comes(office, clock)
    async with office.session() as session:
        waiting = await session.get(ComplaintLine, first.lines[0].line_id)
        signed = await session.get(ComplaintLine, line.line_id)
        handoffs = {row.line_id: row.due_at for row in await session.scalars(select(CaseHandoff))}
    assert waiting is not None
    assert signed is not None
    assert local(waiting.accept_due_at) == "Fri 01-02 10:00"
    assert signed.accept_due_at is None
    assert local(handoffs[waiting.id]) == "Fri 01-02 10:00"
    clock.set(at("2099-01-02T10:01"))
    late = await desk.services.overdue.overdue_page(MANAGER, OverdueList.NOT_ACCEPTED)
    assert [row.line_id for row in late.items] == [waiting.id]


async def test_a_repair_is_registered_without_a_calendar(
    office: Database, clock: SettableClock, tmp_path: Path
) -> None:
    company = await open_company(office, clock, tmp_path)
    repair = await company.register()
    (timer,) = [timer for timer in repair.timers if timer.code == "BX.R2"]
    assert (timer.due_at, timer.calendar_missing) == (None, 2099)
    assert (await company.notified()).status == "notified"


async def test_the_specialists_day_and_the_board_show_it(office: Database, clock: SettableClock) -> None:
    desk = await open_desk(office, clock)
    lists = CaseLists(office, clock, desk.register, desk.book, zone=SHANGHAI)
    clock.set(at("2098-12-31T09:00"))
    known = await desk.handed_off()
    clock.set(at("2098-12-31T16:30"))
    waiting = await desk.handed_off()
    day = await lists.day(SPECIALIST, SPECIALIST.user_id)
    assert [item.limit.record.record_id for item in day.overdue] == [known.case_id]
    (found,) = day.today
    assert (found.case.case_id, found.limit.calendar_missing) == (waiting.case_id, 2099)
    clock.advance(timedelta(minutes=1))
    board = await lists.board(SPECIALIST, CaseFilter(is_open=True), overdue=True)
    rows = {row.case.case_id: row.limit for row in board.items}
    shown = rows[waiting.case_id]
    assert shown is not None
    due = due_of(shown, clock.now())
    assert due is not None
    assert (due.ticks, due.tone, due.text) == (False, "red", "缺少 2099 年日历")
