"""The six lists over complaints, repairs and tickets: domain.md §0 (the work lists of G1), §1.4, §1.5."""

from datetime import timedelta
from pathlib import Path

import pytest

from crm.domain.case import CaseKind
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import VisitOutcome
from crm.domain.ticket import Revisit
from crm.late_lists import LateLists
from crm.limit_lists import OverdueList
from crm.repair_views import RepairView
from crm.search_feed import SearchFeed
from crm.ticket_services import TicketServices
from crm.ticket_views import CallbackSource, NewRevisit
from kernel.access import Actor
from kernel.db import Database
from tests.support import complaints as complaint_desk
from tests.support.limits import SettableClock, at, local
from tests.support.repairs import (
    CAPTAIN,
    DEMANDED,
    ENGINEER,
    HOUR,
    MANAGER,
    SPECIALIST,
    Company,
    open_company,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
def lists(database: Database, clock: SettableClock) -> LateLists:
    return LateLists(database, clock)


@pytest.fixture
async def company(database: Database, clock: SettableClock, tmp_path: Path) -> Company:
    return await open_company(database, clock, tmp_path)


async def late(lists: LateLists, which: OverdueList, actor: Actor = MANAGER) -> list[tuple[str, str]]:
    """Return number and, in the site's time, since when, of what is late."""
    page = await lists.overdue_page(actor, which)
    return [(row.no, local(row.due_at)) for row in page.items]


async def totals(lists: LateLists, actor: Actor = MANAGER) -> dict[str, int]:
    return {found.which: found.total for found in await lists.overdue_lists(actor) if found.total}


async def visit(company: Company, repair: RepairView, outcome: VisitOutcome) -> RepairView:
    work = company.services.work
    repair = await work.arrive(CAPTAIN, repair.case_id, expected=repair.version)
    return await work.finish(
        CAPTAIN, repair.case_id, expected=repair.version, outcome=outcome, result="还需再来一次"
    )


async def test_a_repair_goes_through_the_lists(
    company: Company, lists: LateLists, clock: SettableClock
) -> None:
    repair = await company.register(DEMANDED)
    assert await totals(lists) == {}
    clock.set(at("2026-03-20T12:30"))
    # R2: whoever repairs was to be told within 3 hours of service.
    assert await late(lists, OverdueList.NOT_ACCEPTED) == [(repair.no, "Fri 03-20 12:00")]
    repair = await company.notify(repair)
    assert await totals(lists) == {}
    clock.set(at("2026-03-21T12:31"))
    # R3 and R4: the customer called and a visit agreed on, within 24 hours of that.
    assert await late(lists, OverdueList.PLAN_LATE) == [(repair.no, "Sat 03-21 12:30")]
    repair = await company.appointed(repair, CAPTAIN)
    assert await totals(lists) == {}
    clock.set(at("2026-03-21T16:45"))
    # R5, «as appointed»: the appointment is over and nobody came.
    assert await late(lists, OverdueList.VISIT_LATE) == [(repair.no, "Sat 03-21 16:31")]
    repair = await visit(company, repair, VisitOutcome.UNFINISHED)
    assert await late(lists, OverdueList.VISIT_LATE) == []
    clock.advance(HOUR)
    assert await late(lists, OverdueList.NOT_SOLVED_AS_PLANNED) == [(repair.no, "Sat 03-21 16:45")]
    assert await totals(lists) == {"not_solved_as_planned": 1}
    clock.set(at("2026-03-22T13:01"))
    # R6: 48 hours and the visit's two after the registration.
    assert await late(lists, OverdueList.NOT_CLOSED) == [(repair.no, "Sun 03-22 11:00")]
    repair = await company.call_back(repair, ProblemStatus.IN_HAND)
    clock.advance(HOUR)
    assert await late(lists, OverdueList.NOT_SOLVED) == [(repair.no, "Sun 03-22 13:01")]
    assert await late(lists, OverdueList.NOT_SOLVED_AS_PLANNED) == []  # a visit of the round before
    repair = await company.visited(await company.appointed(await company.notify(repair), CAPTAIN), CAPTAIN)
    assert await late(lists, OverdueList.NOT_SOLVED) == []
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    since = local(clock.now())
    clock.advance(HOUR)
    assert await late(lists, OverdueList.NOT_CLOSED) == [(repair.no, since)]  # only to be closed
    clock.advance(timedelta(hours=48))
    found = await lists.overdue_page(MANAGER, OverdueList.NOT_CLOSED)
    assert [row.code for row in found.items] == [None, "BX.K0"]
    repair = await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    assert [row.code for row in (await lists.overdue_page(MANAGER, OverdueList.NOT_CLOSED)).items] == [
        "BX.K0"
    ]


async def test_the_lists_count_department_and_person(
    company: Company, lists: LateLists, clock: SettableClock
) -> None:
    for _ in range(3):
        await company.notified()
    await company.notified(DEMANDED)
    clock.advance(timedelta(days=2))
    found = {item.which: item for item in await lists.overdue_lists(MANAGER)}["plan_late"]
    counts = {(count.department, count.person): count.count for count in found.counts}
    assert sum(counts.values()) == found.total == 4
    assert counts[("ENG", "刘施工队")] == 3
    assert await totals(lists, ENGINEER) == {"plan_late": 3}
    assert await totals(lists, complaint_desk.DESIGNER) == {}
    seen, cursor = [], None
    while True:
        page = await lists.overdue_page(MANAGER, OverdueList.PLAN_LATE, cursor=cursor, limit=1)
        seen += [row.no for row in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == len(set(seen)) == 4
    assert (await lists.overdue_page(MANAGER, OverdueList.PLAN_LATE, kind=CaseKind.TICKET)).items == ()


async def test_tickets_and_complaints_stand_in_the_same_lists(
    database: Database, lists: LateLists, clock: SettableClock
) -> None:
    desk = await complaint_desk.open_desk(database, clock)
    tickets = TicketServices.build(
        database,
        clock,
        register=desk.register,
        journal=desk.journal,
        limits=desk.book,
        feed=SearchFeed(),
        handoffs=desk.services.handoffs,
        complaints=desk.services.complaints,
    )
    complaint = await desk.handed_off()
    clock.advance(timedelta(minutes=1))
    source = CallbackSource(
        customer_id=desk.customer_id,
        project_id=desk.project_id,
        callback_ref="HF202603200007",
        question_id="YB4",
        question="隐蔽工程的水电施工您满意吗?",
        answer="不满意",
        text="厨房插座位置与图纸不符",
    )
    ticket = await tickets.tickets.open_from_callback(SPECIALIST, source, ("ENG",))
    clock.set(at("2026-03-20T13:00"))
    found = await desk.services.overdue.overdue_page(MANAGER, OverdueList.NOT_ACCEPTED)
    assert [(row.kind, row.no, row.status_label, local(row.due_at)) for row in found.items] == [
        ("complaint", complaint.no, "未接收", "Fri 03-20 12:00"),
        ("ticket", ticket.no, "待接收", "Fri 03-20 12:01"),
    ]
    (only,) = (
        await lists.overdue_page(MANAGER, OverdueList.NOT_ACCEPTED, kind=CaseKind.TICKET, department="ENG")
    ).items
    assert (only.line_id, only.department_name) == (ticket.parts[0].part_id, "工程部")
    part = ticket.parts[0]
    ticket = await tickets.work.sign(ENGINEER, part.part_id, part.version, complaint_desk.PIN)
    clock.set(at("2026-03-21T13:30"))
    assert await late(lists, OverdueList.NOT_SOLVED) == [(ticket.no, "Sat 03-21 13:00")]
    assert await totals(lists, complaint_desk.DESIGNER) == {}
    part = ticket.parts[0]
    ticket = await tickets.work.solve(ENGINEER, part.part_id, part.version, "已移位")
    ticket = await tickets.end.revisit(
        SPECIALIST, ticket.case_id, ticket.version, NewRevisit(said=Revisit.SATISFIED)
    )
    clock.advance(HOUR)
    assert await late(lists, OverdueList.NOT_CLOSED) == [(ticket.no, "Sat 03-21 13:30")]
    await tickets.end.close(SPECIALIST, ticket.case_id, ticket.version)
    assert await late(lists, OverdueList.NOT_CLOSED) == []


async def test_limits_that_nobody_knows_to_be_late_are_counted_beside_the_lists(
    database: Database, lists: LateLists, clock: SettableClock
) -> None:
    desk = await complaint_desk.open_desk(database, clock)
    async with database.transaction() as session:
        await desk.book.calendar.load_year(session, 2098, [])
    clock.set(at("2098-12-31T17:00"))
    await desk.handed_off()
    found = {item.which: item.calendar_missing for item in await lists.overdue_lists(MANAGER)}
    assert {which: count for which, count in found.items() if count} == {"not_accepted": 1}
    des = {item.which: item.calendar_missing for item in await lists.overdue_lists(complaint_desk.DESIGNER)}
    assert not any(des.values())
