"""What complaints refuse, who sees what of them, and what is late: domain.md §0, §4.4."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crm.complaint_input import NewLine, NewVisit
from crm.domain.complaint import ComplaintClass
from crm.domain.complaint_line import LineStatus, ProblemStatus
from crm.domain.machine import IllegalStep
from crm.events_cases import HandOffSent
from crm.handoffs import Box, Dispatch
from crm.limit_lists import OverdueList
from crm.search_query import Search
from crm.timeline import Timeline
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    CAPTAIN,
    DESIGN,
    DESIGNER,
    ENGINEER,
    HOUR,
    INTEGRITY,
    MANAGER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at, facts

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30: the worked example's registration."""
    return SettableClock(at("2026-03-20T16:30"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    return await open_desk(database, clock)


# Bad input


async def test_what_is_refused_changes_nothing(desk: Desk) -> None:
    view = await desk.handed_off()
    before = await AuditLog(desk.database, desk.clock).recent()
    nobody: tuple[NewLine, ...] = ()
    service = replace(WORKMANSHIP, class_=ComplaintClass.SERVICE, subclass=None)
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"content": ""}, "content"),
        ({"content": "空" * 2001}, "content"),
        ({"content": "水" * 1_000_000}, "content"),
        ({"demand": "a" * 1_000_000}, "demand"),
        ({"lines": nobody}, "lines"),
        ({"lines": (WORKMANSHIP,) * 13}, "lines"),
        ({"lines": (WORKMANSHIP, replace(WORKMANSHIP, cause=" "))}, "lines.1.cause"),
        ({"lines": (replace(WORKMANSHIP, department="XXX"),)}, "lines.0.department"),
        ({"lines": (replace(WORKMANSHIP, subclass="delivery"),)}, "lines.0.subclass"),
        ({"lines": (service,)}, "lines.0.department"),
        ({"lines": (replace(WORKMANSHIP, person="名" * 41),)}, "lines.0.person"),
        ({"complained_at": desk.now + HOUR}, "complained_at"),
        ({"complained_at": desk.now - timedelta(days=3000)}, "complained_at"),
        ({"want_by": desk.now - HOUR}, "want_by"),
        ({"want_by": desk.now.replace(year=9999)}, "want_by"),
        ({"call_id": "x"}, "call_id"),
    )
    for changes, field in wrong:
        with pytest.raises(Invalid) as refused:
            await desk.new(**changes)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        await desk.new(customer_id=new_ulid(), project_id=None)
    assert await AuditLog(desk.database, desk.clock).recent() == before
    assert (await desk.new()).no == "TS202603200002"
    assert (await desk.get(view)).version == view.version


async def test_stale_versions_and_somebody_elses_case(desk: Desk) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    complaints, work = desk.services.complaints, desk.services.work
    with pytest.raises(StaleVersion):
        await complaints.hand_off(SPECIALIST, view.case_id, view.version - 1, Dispatch())
    with pytest.raises(StaleVersion):
        await work.reject(ENGINEER, line.line_id, line.version - 1, "x")
    for call in (
        complaints.get(DESIGNER, view.case_id),
        work.get(DESIGNER, line.line_id),
        work.verify(DESIGNER, line.line_id, line.version, facts="x"),
        desk.services.handoffs.sheet(DESIGNER, line.handoffs[0].handoff_id),
        work.get(DESIGNER, new_ulid()),
        work.get(DESIGNER, "x"),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await desk.services.handoffs.page(DESIGNER, Box.ALL)).items == ()
    with pytest.raises(Invalid):
        await complaints.hand_off(SPECIALIST, view.case_id, view.version, Dispatch())
    with pytest.raises(Invalid):
        await complaints.hand_off(SPECIALIST, view.case_id, view.version, Dispatch(), line_ids=[new_ulid()])
    with pytest.raises(IllegalStep):
        await complaints.hand_off(SPECIALIST, view.case_id, view.version, Dispatch(), line_ids=[line.line_id])


async def test_another_departments_line_of_the_same_case_is_forbidden(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, DESIGN)
    line = await desk.accept(view.lines[1], DESIGNER)
    with pytest.raises(Forbidden) as refused:
        await desk.services.work.verify(ENGINEER, line.line_id, line.version, facts="x")
    assert refused.value.field == "department"
    assert "verify" not in (await desk.services.work.get(ENGINEER, line.line_id)).steps
    assert "verify" in (await desk.services.work.get(DESIGNER, line.line_id)).steps


# Confidential lines


async def test_integrity_is_the_managers_and_no_department_sees_it(desk: Desk) -> None:
    view = await desk.handed_off(INTEGRITY)
    line = view.lines[0]
    for somebody in (CAPTAIN, ENGINEER):
        with pytest.raises(NotFound):
            await desk.services.complaints.get(somebody, view.case_id)
    assert (await desk.services.handoffs.page(CAPTAIN, Box.ALL)).items == ()
    mixed = await desk.handed_off(INTEGRITY, replace(WORKMANSHIP, department="CS"))
    seen = await desk.services.complaints.get(CAPTAIN, mixed.case_id)
    assert [found.class_code for found in seen.lines] == [1]
    with pytest.raises(NotFound):
        await desk.accept(mixed.lines[0], CAPTAIN)
    line = await desk.accept(line, MANAGER)
    line = await desk.services.work.verify(MANAGER, line.line_id, line.version, facts="已核实转账记录")
    assert line.status is LineStatus.VERIFIED
    (sent, *_) = await facts(desk.database, HandOffSent)
    assert sent.department is None


# Search and time line


async def test_a_complaint_can_be_found_and_stands_on_the_time_line(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, INTEGRITY)
    search = Search(desk.database)
    for asked in ("延长保修", "三平方米", view.no):
        assert [hit.ref_id for hit in (await search.search(SPECIALIST, asked)).items] == [view.case_id]
    assert (await search.search(MANAGER, "私下收费")).items == ()  # not to be found by who may not see it
    await desk.done(view.lines[0])
    page = await Timeline(desk.database).page(MANAGER, desk.customer_id)
    channels = {entry.channel for entry in page.items if entry.detail.get("no") == view.no}
    assert channels == {"case", "visit"}


# Lists of what is late


async def late(desk: Desk, which: OverdueList, actor: Actor = MANAGER) -> list[tuple[str, float]]:
    page = await desk.services.overdue.overdue_page(actor, which)
    return [(row.line_id or row.case_id, row.late_seconds / 3600) for row in page.items]


async def test_the_six_lists_of_what_is_late(desk: Desk, clock: SettableClock) -> None:
    async def totals(actor: Actor = MANAGER) -> dict[str, int]:
        found = await desk.services.overdue.overdue_lists(actor)
        return {summary.which: summary.total for summary in found if summary.total}

    view = await desk.handed_off(want_by=at("2026-03-26T12:00"))
    line = view.lines[0]
    assert await totals() == {}
    clock.set(at("2026-03-21T11:00"))
    assert await late(desk, OverdueList.NOT_ACCEPTED) == [(line.line_id, 1.0)]
    assert await totals(DESIGNER) == {}
    assert await totals(ENGINEER) == {"not_accepted": 1}
    line = await desk.accept(line, planned_solve_at=at("2026-03-25T12:00"), person="刘铁柱")
    assert await totals() == {}
    clock.set(at("2026-03-22T13:00"))
    assert await late(desk, OverdueList.PLAN_LATE) == [(line.line_id, 2.0)]  # T2 is over
    line = await desk.services.work.verify(ENGINEER, line.line_id, line.version, facts="属实")
    assert await totals() == {}
    plan = desk.new_plan(
        visit_from=at("2026-03-23T10:00"), visit_until=at("2026-03-23T12:00"), solve_at=at("2026-03-25T12:00")
    )
    line = await desk.services.work.plan(ENGINEER, line.line_id, line.version, plan)
    clock.set(at("2026-03-23T13:00"))
    assert await late(desk, OverdueList.VISIT_LATE) == [(line.line_id, 1.0)]
    visit = NewVisit(arrived_at=desk.now - HOUR, left_at=desk.now, who="刘铁柱", record="已到场")
    line = await desk.services.work.record_visit(ENGINEER, line.line_id, line.version, visit)
    assert await totals() == {}
    clock.set(at("2026-03-25T14:00"))
    assert await late(desk, OverdueList.NOT_SOLVED_AS_PLANNED) == [(line.line_id, 2.0)]
    clock.set(at("2026-03-26T13:00"))
    assert await late(desk, OverdueList.NOT_SOLVED) == [(line.line_id, 1.0)]  # the customer's day
    counts = (await desk.services.overdue.overdue_lists(MANAGER))[4].counts
    assert [(count.department, count.person, count.count) for count in counts] == [("ENG", "刘铁柱", 1)]
    line = await desk.services.work.claim_done(ENGINEER, line.line_id, line.version, note="完工")
    assert await late(desk, OverdueList.NOT_CLOSED) == [(view.case_id, 25.0)]  # T4 is over since Wed 12:00
    await desk.call_back(view, problem=ProblemStatus.IN_HAND)
    clock.advance(HOUR)
    assert await late(desk, OverdueList.NOT_SOLVED) == [(line.line_id, 2.0)]
    assert await late(desk, OverdueList.NOT_CLOSED) == []


async def test_the_lists_have_pages(desk: Desk) -> None:
    for _ in range(5):
        await desk.handed_off()
        desk.clock.advance(timedelta(seconds=1))
    desk.clock.advance(timedelta(days=2))
    overdue, seen, cursor = desk.services.overdue, [], None
    while True:
        page = await overdue.overdue_page(MANAGER, OverdueList.NOT_ACCEPTED, cursor=cursor, limit=2)
        seen += [row.no for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"TS20260320000{number}" for number in range(1, 6)]
    box = await desk.services.handoffs.page(ENGINEER, Box.LATE, limit=3)
    assert (len(box.items), box.next_cursor is not None) == (3, True)
    rest = await desk.services.handoffs.page(ENGINEER, Box.LATE, limit=3, cursor=box.next_cursor)
    assert (len(rest.items), rest.next_cursor) == (2, None)
