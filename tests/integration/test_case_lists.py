"""The board by what is due first, and a specialist's day, on both databases."""

from datetime import timedelta

import pytest

from crm.case_history import CaseHistory
from crm.case_lists import CaseLists
from crm.cases import CaseFilter
from crm.domain.case import CaseStatus, Severity
from crm.domain.complaint_line import LineStatus
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from tests.support.complaints import (
    COLLEAGUE,
    DESIGN,
    DESIGNER,
    ENGINEER,
    INTEGRITY,
    MANAGER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def desk(database: Database, clock: FakeClock) -> Desk:
    return await open_desk(database, clock)


def lists(desk: Desk) -> CaseLists:
    return CaseLists(desk.database, desk.clock, desk.register, desk.book, zone=SHANGHAI)


COMPLAINTS = CaseFilter(specialist_id=SPECIALIST.user_id, is_open=True)


async def test_the_board_shows_what_is_due_first_and_leads_on(desk: Desk) -> None:
    made = []
    for _ in range(3):
        made.append((await desk.new()).case_id)
        desk.clock.advance(timedelta(minutes=10))
    rejected = await desk.handed_off()
    line = rejected.lines[0]
    await desk.services.work.reject(ENGINEER, line.line_id, line.version, "不是我们")
    first = await lists(desk).board(SPECIALIST, COMPLAINTS, limit=2)
    assert [row.case.case_id for row in first.items] == made[:2]
    assert first.items[0].limit is not None
    assert first.items[0].limit.code == "TS.T1"
    assert first.items[0].departments == ("工程部",)
    rest = await lists(desk).board(SPECIALIST, COMPLAINTS, limit=2, cursor=first.next_cursor)
    assert [row.case.case_id for row in rest.items] == [made[2], rejected.case_id]
    assert rest.items[1].limit is None  # no limit runs while it waits for customer service
    assert rest.next_cursor is None
    with pytest.raises(Invalid):
        await lists(desk).board(SPECIALIST, COMPLAINTS, cursor="nonsense")


async def test_the_board_filters_and_counts(desk: Desk) -> None:
    view = await desk.handed_off(severity=Severity.SERIOUS)
    await desk.new(DESIGN)
    counts = await lists(desk).counts(SPECIALIST, COMPLAINTS)
    assert counts == {CaseStatus.HANDED_OFF.value: 1, CaseStatus.REGISTERED.value: 1}
    serious = await lists(desk).board(MANAGER, CaseFilter(severity=2))
    assert [row.case.case_id for row in serious.items] == [view.case_id]
    late = await lists(desk).board(SPECIALIST, COMPLAINTS, overdue=True)
    assert late.items == ()
    desk.clock.advance(timedelta(days=2))
    late = await lists(desk).board(SPECIALIST, COMPLAINTS, overdue=True)
    assert len(late.items) == 2


async def test_a_department_sees_its_own_and_nothing_of_a_confidential_line(desk: Desk) -> None:
    mine = await desk.handed_off(WORKMANSHIP, INTEGRITY)
    other = await desk.handed_off(DESIGN)
    board = await lists(desk).board(ENGINEER, CaseFilter())
    rows = {row.case.case_id: row for row in board.items}
    assert other.case_id not in rows
    limit = rows[mine.case_id].limit
    assert limit is not None
    assert limit.owner.department == "ENG"
    seen = {row.case.case_id for row in (await lists(desk).board(DESIGNER, CaseFilter())).items}
    assert other.case_id in seen
    assert mine.case_id not in seen


async def test_a_day_has_what_is_late_what_came_back_and_whom_to_call(desk: Desk) -> None:
    late = await desk.handed_off()
    desk.clock.advance(timedelta(days=1))
    unsent = await desk.new(DESIGN)
    back = await desk.handed_off()
    line = back.lines[0]
    await desk.services.work.reject(ENGINEER, line.line_id, line.version, "不是我们")
    visit = await desk.handed_off()
    await desk.planned(visit.lines[0])
    day = await lists(desk).day(SPECIALIST, SPECIALIST.user_id)
    assert [item.case.case_id for item in day.overdue] == [late.case_id]
    assert {item.case.case_id: item.status for item in day.returned} == {
        unsent.case_id: LineStatus.REGISTERED,
        back.case_id: LineStatus.REJECTED,
    }
    assert [item.case.case_id for item in day.appointments] == [visit.case_id]
    assert day.callbacks == ()
    assert day.unfinished >= 3
    desk.clock.advance(timedelta(days=1, hours=3))
    day = await lists(desk).day(SPECIALIST, SPECIALIST.user_id)
    assert [row.case.case_id for row in day.callbacks] == [visit.case_id]


async def test_a_day_is_the_persons_own(desk: Desk) -> None:
    await desk.new()
    with pytest.raises(Forbidden):
        await lists(desk).day(COLLEAGUE, SPECIALIST.user_id)
    with pytest.raises(Forbidden):
        await lists(desk).day(ENGINEER, ENGINEER.user_id)
    theirs = await lists(desk).day(MANAGER, SPECIALIST.user_id)
    assert theirs.unfinished == 1
    mine = await lists(desk).day(COLLEAGUE, COLLEAGUE.user_id)
    assert mine.unfinished == 0
    assert await lists(desk).specialists(MANAGER) == {SPECIALIST.user_id: SPECIALIST.name}
    with pytest.raises(Forbidden):
        await lists(desk).specialists(ENGINEER)


async def test_history_has_the_case_and_the_lines_that_are_asked_for(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, DESIGN)
    line = view.lines[0]
    await desk.services.work.reject(ENGINEER, line.line_id, line.version, "不是我们")
    history = CaseHistory(desk.database)
    whole = await history.of("complaint", view.case_id, [line.line_id])
    assert whole[0].action in {"complaint.reject", "complaint.status"}
    rejected = next(item for item in whole if item.action == "complaint.reject")
    assert (rejected.actor, rejected.why, rejected.line_id) == (ENGINEER.name, "不是我们", line.line_id)
    assert rejected.after["status"] == "rejected"
    alone = await history.of("complaint", view.case_id)
    assert {item.line_id for item in alone} == {""}
