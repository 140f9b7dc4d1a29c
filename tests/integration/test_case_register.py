"""The register of cases on both databases: numbers, versions, who sees what, pages."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.demo.seed import seed_company
from crm.cases import MAX_CONTENT, CaseFilter, CaseRegister, NewCase
from crm.domain.case import CaseKind, CaseStatus, Source
from crm.tables import Customer, Project, ServiceCase
from kernel.access import GRANTS, Actor, Role
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.cursor import read_cursor
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid

pytestmark = pytest.mark.integration

SPECIALIST = Actor(user_id=new_ulid(), name="周晓梅", role=Role.AGENT)
HEAD = Actor(user_id=new_ulid(), name="陈建国", role=Role.DEPARTMENT_HEAD, department="ENG")


@pytest.fixture
async def company(database: Database, clock: FakeClock) -> Database:
    await seed_company(database, now=clock.now())
    return database


@pytest.fixture
def register(company: Database, clock: FakeClock) -> CaseRegister:
    return CaseRegister(company, clock, zone=SHANGHAI)


async def owner(database: Database) -> tuple[str, str]:
    """Return a customer and a project of theirs."""
    async with database.session() as session:
        found = (await session.execute(select(Project).order_by(Project.id).limit(1))).scalar_one()
        return found.customer_id, found.id


async def new_case(
    database: Database,
    register: CaseRegister,
    clock: FakeClock,
    content: str = "厨房墙砖空鼓",
    kind: CaseKind = CaseKind.COMPLAINT,
) -> ServiceCase:
    customer_id, project_id = await owner(database)
    new = NewCase(kind=kind, customer_id=customer_id, project_id=project_id, content=content)
    async with database.transaction() as session:
        return await register.open(session, SPECIALIST, new, at=clock.now())


async def test_a_number_is_kind_day_and_sequence(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    first = await new_case(company, register, clock)
    second = await new_case(company, register, clock)
    repair = await new_case(company, register, clock, kind=CaseKind.REPAIR)
    assert (first.no, second.no) == ("TS202603020001", "TS202603020002")
    assert repair.no == "BX202603020002", "one of the demo company's has the first"
    clock.advance(timedelta(hours=14, minutes=1))
    assert (await new_case(company, register, clock)).no == "TS202603030001"


async def test_cases_opened_at_once_have_numbers_of_their_own(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    made = await asyncio.gather(*(new_case(company, register, clock) for _ in range(12)))
    assert sorted(row.no for row in made) == [f"TS20260302{n:04d}" for n in range(1, 13)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must not be empty"),
        (" \n\u200b ", "must not be empty"),
        ("漏" * (MAX_CONTENT + 1), "at most 2000"),
    ],
)
async def test_a_content_that_says_nothing_or_too_much_is_refused(
    company: Database, register: CaseRegister, clock: FakeClock, content: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        await new_case(company, register, clock, content)
    assert caught.value.field == "content"


async def test_a_megabyte_of_text_is_refused_before_it_is_read(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    with pytest.raises(Invalid, match="at most 2000"):
        await new_case(company, register, clock, "水" * 1_000_000)


async def test_somebody_elses_project_is_refused(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    customer_id, project_id = await owner(company)
    async with company.session() as session:
        other = (
            await session.execute(select(Customer.id).where(Customer.id != customer_id).limit(1))
        ).scalar_one()
    new = NewCase(kind=CaseKind.COMPLAINT, customer_id=other, project_id=project_id, content="漏水")
    with pytest.raises(Invalid) as caught:
        async with company.transaction() as session:
            await register.open(session, SPECIALIST, new, at=clock.now())
    assert caught.value.field == "project_id"


async def test_a_stale_version_is_refused(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    row = await new_case(company, register, clock)
    async with company.transaction() as session:
        held = await register.load(session, SPECIALIST, row.id, kind=CaseKind.COMPLAINT, expected=1)
        register.move(held, CaseStatus.HANDED_OFF, at=clock.now())
    with pytest.raises(StaleVersion):
        async with company.transaction() as session:
            await register.load(session, SPECIALIST, row.id, kind=CaseKind.COMPLAINT, expected=1)
    assert (await register.get(SPECIALIST, row.id)).version == 2


async def test_a_case_of_another_kind_is_not_found(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    row = await new_case(company, register, clock)
    with pytest.raises(NotFound):
        async with company.transaction() as session:
            await register.load(session, SPECIALIST, row.id, kind=CaseKind.REPAIR, expected=None)


async def test_a_department_sees_only_the_cases_it_has_a_part_in(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    mine, other = await new_case(company, register, clock), await new_case(company, register, clock)
    async with company.transaction() as session:
        await register.let_see(session, mine.id, ["ENG", "MAT"])
        await register.let_see(session, mine.id, ["ENG"])
        await register.let_see(session, other.id, ["MAT"])
    seen = await register.page(HEAD, CaseFilter(opened_since=clock.now()))
    assert [case.case_id for case in seen.items] == [mine.id]
    with pytest.raises(NotFound):
        await register.get(HEAD, other.id)


async def test_a_role_without_cases_sees_none(
    register: CaseRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Actor(user_id=new_ulid(), name="x", role=Role.AGENT)
    monkeypatch.setitem(GRANTS, Role.AGENT, frozenset())
    with pytest.raises(Forbidden):
        await register.page(nobody, CaseFilter())


async def test_pages_follow_one_another_without_gap(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    made = []
    for number in range(7):
        made.append(await new_case(company, register, clock, f"第{number}件"))
        clock.advance(timedelta(seconds=number % 2))
    wanted = CaseFilter(kind=CaseKind.COMPLAINT, opened_since=made[0].opened_at)
    seen: list[str] = []
    cursor = None
    while True:
        page = await register.page(SPECIALIST, wanted, cursor=cursor, limit=3)
        seen += [case.case_id for case in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(row.id for row in made)
    assert len(seen) == len(set(seen))


async def test_filters(company: Database, register: CaseRegister, clock: FakeClock) -> None:
    row = await new_case(company, register, clock)
    async with company.transaction() as session:
        held = await register.load(session, SPECIALIST, row.id, kind=CaseKind.COMPLAINT, expected=1)
        register.move(held, CaseStatus.CLOSED, at=clock.now())
    mine = CaseFilter(specialist_id=SPECIALIST.user_id)
    assert len((await register.page(SPECIALIST, mine)).items) == 1
    for nothing in (
        CaseFilter(specialist_id=SPECIALIST.user_id, is_open=True),
        CaseFilter(specialist_id=SPECIALIST.user_id, statuses=(CaseStatus.DONE,)),
        CaseFilter(specialist_id=SPECIALIST.user_id, source=Source.MEDIA),
        CaseFilter(specialist_id=SPECIALIST.user_id, severity=3),
        CaseFilter(specialist_id=SPECIALIST.user_id, department="ENG"),
        CaseFilter(specialist_id=SPECIALIST.user_id, opened_until=clock.now()),
    ):
        assert (await register.page(SPECIALIST, nothing)).items == ()


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", "MjAyNg", "w6TDtsO8", "MjAyNi0wMy0wMlQwMjowMDowMCswMDowMCBub3Bl"]
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_cursor(cursor)
    assert caught.value.field == "cursor"
