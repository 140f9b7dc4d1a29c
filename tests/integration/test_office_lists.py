"""The manager's lists: complaints that repeat, flagged customers, what a month's complaints were about."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from crm.case_figures import CaseFiguresReader
from crm.complaint_input import NewLine
from crm.complaint_tables import ComplaintLine
from crm.complaint_views import ComplaintView
from crm.domain.case_figures import FigureCode
from crm.domain.compensation import LiableParty
from crm.domain.complaint import ComplaintClass
from crm.escalation_tables import CompensationRow, EscalationRow
from crm.figure_period import Asked
from crm.month_causes import MonthCausesReader
from crm.problem_customers import ProblemCustomers
from crm.repeat_complaints import RepeatComplaints, RepeatFilter
from crm.tables import Customer, Project
from kernel.access import Actor
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from tests.integration.test_case_figures import forget_cases
from tests.support.complaints import (
    ADMIN,
    BOSS,
    DESIGN,
    DESIGNER,
    ENG_WORKER,
    ENGINEER,
    FINANCE,
    HR,
    INTEGRITY,
    MANAGER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at
from tests.support.people import make_desk as people_desk

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> SettableClock:
    """Tuesday 10 March 2026, 09:00."""
    return SettableClock(at("2026-03-10T09:00"))


async def opened(database: Database, clock: SettableClock) -> Desk:
    desk = await open_desk(database, clock)
    await forget_cases(database)
    return desk


def repeats_of(desk: Desk) -> RepeatComplaints:
    return RepeatComplaints(desk.database, desk.clock, desk.register)


def since_january(desk: Desk, **more: object) -> RepeatFilter:
    return RepeatFilter(since=at("2026-01-01T00:00"), until=desk.now + DAY, **more)  # type: ignore[arg-type]


async def others(desk: Desk) -> tuple[str, str]:
    """Return another customer and their project."""
    async with desk.database.session() as session:
        query = select(Project.customer_id, Project.id).where(Project.customer_id != desk.customer_id)
        row = (await session.execute(query.order_by(Project.id).limit(1))).one()
    return row[0], row[1]


async def test_repeat_complaint_within_90_days_or_same_class_on_the_same_project(
    database: Database, clock: SettableClock
) -> None:
    """Section 5.2, on both databases: the arithmetic of times is each one's own."""
    desk = await opened(database, clock)
    first = await desk.new()
    clock.advance(90 * DAY)
    exactly = await desk.new(DESIGN)
    clock.advance(90 * DAY + timedelta(seconds=1))
    later = await desk.new(NewLine(class_=ComplaintClass.DELAY, cause="木门迟迟不到", department="MAT"))
    clock.advance(timedelta(days=200))
    same_class = await desk.new()
    customer_id, project_id = await others(desk)
    await desk.new(customer_id=customer_id, project_id=project_id)
    unfiled = await desk.new()
    await desk.services.end.not_file(MANAGER, unfiled.case_id, unfiled.version, "同一件事")
    wanted = RepeatFilter(since=at("2026-05-01T00:00"), until=desk.now + DAY)
    page = await repeats_of(desk).page(MANAGER, wanted)
    assert [row.case.no for row in page.items] == [same_class.no, exactly.no]
    assert [[before.no for before in row.earlier] for row in page.items] == [[first.no], [first.no]]
    assert [row.same_class for row in page.items] == [True, False]
    assert page.items[0].classes == (ComplaintClass.WORKMANSHIP,)
    assert page.items[0].causes == (WORKMANSHIP.cause,)
    assert later.no not in {row.case.no for row in page.items}, "a second more than 90 days, another class"
    assert await repeats_of(desk).count(BOSS, wanted) == 2
    # The list and the figure of the same period speak of the same customers.
    figures = await CaseFiguresReader(database, clock, zone=SHANGHAI).read(
        MANAGER, Asked(since=wanted.since, until=wanted.until)
    )
    assert figures.of(FigureCode.REPEAT_COMPLAINT).numerator == 1


async def test_repeat_complaints_go_on_page_by_page_and_filter(
    sqlite: Database, clock: SettableClock
) -> None:
    desk, found = await opened(sqlite, clock), []
    for number in range(5):
        found.append(await desk.new(DESIGN if number == 3 else WORKMANSHIP))
        clock.advance(DAY)
    repeats, wanted = repeats_of(desk), since_january(desk)
    numbers: list[str] = []
    cursor = None
    for _ in range(3):
        page = await repeats.page(MANAGER, wanted, cursor=cursor, limit=2)
        numbers += [row.case.no for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert numbers == [view.no for view in reversed(found[1:])]
    counts = {one.class_: one.count for one in await repeats.by_class(MANAGER, wanted)}
    assert counts == {ComplaintClass.WORKMANSHIP: 3, ComplaintClass.DESIGN: 1}
    only = since_january(desk, class_=ComplaintClass.DESIGN, department="DES", is_open=True)
    assert [row.case.no for row in (await repeats.page(MANAGER, only)).items] == [found[3].no]
    assert (await repeats.page(MANAGER, since_january(desk, store="没有这个店"))).items == ()
    with pytest.raises(Invalid, match="cursor"):
        await repeats.page(MANAGER, wanted, cursor="nothing of ours")
    with pytest.raises(Invalid, match="before it begins"):
        await repeats.page(MANAGER, RepeatFilter(since=desk.now, until=desk.now))


async def test_lists_are_for_who_sees_the_red_list(sqlite: Database, clock: SettableClock) -> None:
    desk = await opened(sqlite, clock)
    for actor in (SPECIALIST, ENGINEER, ENG_WORKER, FINANCE, HR):
        with pytest.raises(Forbidden):
            await repeats_of(desk).page(actor, since_january(desk))
        with pytest.raises(Forbidden):
            await ProblemCustomers(sqlite).page(actor)
    for actor in (MANAGER, BOSS, ADMIN):
        await repeats_of(desk).page(actor, since_january(desk))
        await ProblemCustomers(sqlite).page(actor)


async def test_flagged_customers_say_why_by_whom_and_what_came_before(
    database: Database, clock: SettableClock
) -> None:
    desk, people = await opened(database, clock), people_desk(database, clock)
    async with database.transaction() as session:
        await session.execute(update(Customer).values(problem_reason=None))
        await session.execute(
            update(Customer).where(Customer.id == (await others(desk))[0]).values(problem_reason="导入时已标")
        )
    record = await people.people.get(MANAGER, desk.customer_id)
    clock.advance(DAY)
    record = await people.people.change(
        SPECIALIST, desk.customer_id, {"problem_reason": "多次辱骂客服"}, expected=record.version
    )
    clock.advance(DAY)
    changed_at = clock.now()
    record = await people.people.change(
        MANAGER, desk.customer_id, {"problem_reason": "要求先赔钱"}, expected=record.version
    )
    clock.advance(DAY)
    await people.people.change(MANAGER, desk.customer_id, {"elder_mode": True}, expected=record.version)
    await desk.new()
    first, second = (await ProblemCustomers(database).page(BOSS)).items
    assert (first.customer_id, first.reason, first.set_by) == (desk.customer_id, "要求先赔钱", MANAGER.name)
    assert first.set_at == changed_at, "what else is changed of the customer does not count"
    assert [(one.by, one.before, one.reason) for one in first.history] == [
        (MANAGER.name, "多次辱骂客服", "要求先赔钱"),
        (SPECIALIST.name, None, "多次辱骂客服"),
    ]
    assert (first.open_cases, first.complaints, first.last_case_at) == (1, 1, clock.now())
    assert (second.reason, second.history) == ("导入时已标", ())
    assert (second.open_cases, second.complaints, second.last_case_at) == (0, 0, None)
    page = await ProblemCustomers(database).page(MANAGER, limit=1)
    rest = await ProblemCustomers(database).page(MANAGER, limit=1, cursor=page.next_cursor)
    assert [one.customer_id for one in page.items + rest.items] == [first.customer_id, second.customer_id]
    assert rest.next_cursor is None
    with_cases = await ProblemCustomers(database).page(MANAGER, with_open_cases=True)
    assert [one.customer_id for one in with_cases.items] == [first.customer_id]


# The month's causes


async def read(desk: Desk, actor: Actor = MANAGER, **asked: str) -> dict[str, object]:
    found = await MonthCausesReader(desk.database, desk.clock, zone=SHANGHAI).read(actor, None, **asked)
    return {
        one.department: (one.complaints, one.lines, one.responsible, one.share.text)
        for one in found.departments
    }


async def test_causes_per_department_and_share_of_responsibility(
    database: Database, clock: SettableClock
) -> None:
    desk = await opened(database, clock)
    clock.set(at("2026-02-28T23:59"))
    await desk.new()
    clock.set(at("2026-03-01T00:00"))
    both = await desk.handed_off(WORKMANSHIP, DESIGN)
    await desk.new()
    line = both.lines[1]
    await desk.services.work.reject(DESIGNER, line.line_id, line.version, "图纸没有问题")
    unfiled = await desk.new(DESIGN)
    await desk.services.end.not_file(MANAGER, unfiled.case_id, unfiled.version, "同一件事")
    assert await read(desk) == {"ENG": (2, 2, 2, "100.0 % (2/2)"), "DES": (1, 1, 0, "0.0 % (0/2)")}
    report = await MonthCausesReader(database, clock, zone=SHANGHAI).read(BOSS, "2026-03", department="ENG")
    (part,) = report.departments
    assert [(one.class_, one.subclass, one.lines) for one in part.causes] == [
        (ComplaintClass.WORKMANSHIP, "tile", 2)
    ]
    assert (part.refused, part.unsolved, part.judged, part.paid_cases) == (0, 0, 0, 0)
    assert not part.liability
    february = await MonthCausesReader(database, clock, zone=SHANGHAI).read(MANAGER, "2026-02")
    assert [(one.department, one.lines) for one in february.departments] == [("ENG", 1)]


async def judged(desk: Desk, view: ComplaintView, crew: str, paid: str | None) -> None:
    """Write down a major complaint that was judged now, and perhaps paid for."""
    async with desk.database.transaction() as session:
        row = EscalationRow(
            id=new_ulid(),
            case_id=view.case_id,
            state="closed",
            cause="防水没有做到位",
            process_so_far="返工两次",
            demand="赔偿",
            submitted_at=desk.now,
            submitted_by="周晓梅",
            submitted_by_id=SPECIALIST.user_id,
            shares={"crew": crew, "company": str(Decimal(100) - Decimal(crew))},
            liability_at=desk.now,
        )
        session.add(row)
        await session.flush()
        if paid is not None:
            session.add(
                CompensationRow(
                    id=new_ulid(),
                    escalation_id=row.id,
                    state="paid",
                    kind="cash",
                    amount=Decimal(paid),
                    bearers={"company": paid},
                    reason="楼下顶面重做",
                    requested_at=desk.now,
                    requested_by="沈静",
                    requested_by_id=MANAGER.user_id,
                    entered_by=[MANAGER.user_id],
                    paid_at=desk.now,
                )
            )


async def test_compensation_of_a_department_counts_for_each_and_in_the_sum_once(
    database: Database, clock: SettableClock
) -> None:
    desk = await opened(database, clock)
    await judged(desk, await desk.new(WORKMANSHIP, DESIGN), "70.00", "3500.00")
    await judged(desk, await desk.new(), "40.00", None)
    report = await MonthCausesReader(database, clock, zone=SHANGHAI).read(MANAGER, None)
    parts = {one.department: one for one in report.departments}
    assert report.paid == Decimal("3500.00")
    assert {code: (one.paid, one.paid_cases, one.judged) for code, one in parts.items()} == {
        "ENG": (Decimal("3500.00"), 1, 2),
        "DES": (Decimal("3500.00"), 1, 1),
    }
    assert parts["ENG"].liability[LiableParty.CREW] == Decimal("55.00")
    assert sum(parts["ENG"].liability.values()) == Decimal("100.00")
    assert [one.departments for one in report.major] == [("DES", "ENG"), ("ENG",)]
    clock.advance(31 * DAY)
    later = await MonthCausesReader(database, clock, zone=SHANGHAI).read(MANAGER, None)
    assert not later.departments
    assert not later.major
    assert later.paid == Decimal(0)


async def test_heads_see_their_own_department_and_nothing_of_integrity(
    sqlite: Database, clock: SettableClock
) -> None:
    desk = await opened(sqlite, clock)
    await judged(desk, await desk.new(WORKMANSHIP, INTEGRITY), "100.00", "9000.00")
    await judged(desk, await desk.new(WORKMANSHIP, DESIGN), "60.00", "1000.00")
    async with sqlite.transaction() as session:
        # Were such a line ever one of a department, its head would still not see it.
        await session.execute(
            update(ComplaintLine).where(ComplaintLine.confidential).values(department_code="ENG")
        )
    reader = MonthCausesReader(sqlite, clock, zone=SHANGHAI)
    mine = await reader.own(ENGINEER, None)
    assert [one.department for one in mine.departments] == ["ENG"]
    assert mine.departments[0].lines == 2
    assert mine.paid == Decimal("1000.00")
    assert {cause.class_ for one in mine.departments for cause in one.causes} == {ComplaintClass.WORKMANSHIP}
    assert (await reader.read(MANAGER, None)).paid == Decimal("10000.00")
    for actor in (SPECIALIST, ENG_WORKER, FINANCE, HR):
        with pytest.raises(Forbidden):
            await reader.own(actor, None)
        with pytest.raises(Forbidden):
            await reader.read(actor, None)
    with pytest.raises(Forbidden):
        await reader.read(ENGINEER, None)
    for month in ("2026-13", "2026", "二〇二六", "2026-03 "):
        with pytest.raises(Invalid, match="month"):
            await reader.read(MANAGER, month)
