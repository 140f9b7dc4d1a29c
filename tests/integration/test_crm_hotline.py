"""What the hotline asks of the CRM, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.demo.seed import is_empty, seed_company
from crm.domain.project import Stage
from crm.service import CallbackRequests, ContactLog, CustomerDirectory
from crm.tables import Contact, Customer, CustomerPhone, Project
from crm.timeline import Timeline, TimelineEntry
from crm.views import CallContact
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from kernel.ids import new_ulid
from kernel.phone import Phone

pytestmark = pytest.mark.integration

SHARED = Phone.parse("13800138005")
KNOWN = Phone.parse("13800138001")
AGENT = Actor(user_id="u1", name="李娜", role=Role.AGENT)


async def entries(database: Database, customer_id: str) -> tuple[TimelineEntry, ...]:
    """Return the newest entries of a time line."""
    return (await Timeline(database).page(AGENT, customer_id)).items


STRANGER = Phone.parse("13999990000")


@pytest.fixture
async def company(database: Database, clock: FakeClock) -> Database:
    assert await is_empty(database)
    await seed_company(database, now=clock.now())
    return database


def call(clock: FakeClock, phone: Phone | None, *, call_id: str | None = None) -> CallContact:
    return CallContact(
        call_id=call_id or new_ulid(),
        at=clock.now(),
        direction="in",
        phone=phone.e164 if phone else None,
        result="ANSWERED",
        agent="周晓梅",
        queue="complaint",
        talk_seconds=61.25,
        menu_path=("投诉",),
    )


async def test_the_card_of_a_known_caller(company: Database) -> None:
    (card,) = await CustomerDirectory(company).find_by_phone(KNOWN)
    assert (card.greeting, card.level, card.level_reason) == ("王先生", "A", "合同金额达到A级标准")
    assert card.projects[0].stage_label == "隐蔽工程完成"
    assert (card.projects[0].crew, card.projects[0].project_manager) == ("赵师傅施工队", "刘铁柱")
    assert [case.kind_label for case in card.open_cases] == ["投诉"]
    assert len(card.recent_contacts) == 3
    assert card.recent_contacts[0].notes == "客户很着急，已登记投诉并转工程部"
    assert card.phones_masked == ("138****8001",)


async def test_a_shared_number_gives_the_whole_family(company: Database) -> None:
    cards = await CustomerDirectory(company).find_by_phone(SHARED)
    assert {card.greeting for card in cards} == {"刘先生", "刘女士"}


async def test_strangers_and_closed_cases(company: Database) -> None:
    directory = CustomerDirectory(company)
    assert await directory.find_by_phone(STRANGER) == ()
    (card,) = await directory.find_by_phone(Phone.parse("13900139011"))
    assert card.open_cases == ()
    with pytest.raises(NotFound):
        await directory.card(new_ulid())


async def test_a_card_has_all_numbers_and_projects_in_their_order(
    company: Database, clock: FakeClock
) -> None:
    customer_id, bare_id = new_ulid(), new_ulid()
    async with company.transaction() as session:
        for key, name in ((customer_id, "欧阳震华"), (bare_id, "无号码")):
            session.add(Customer(id=key, name=name, level="B", created_at=clock.now()))
        await session.flush()
        for position, number in enumerate(("+8613900000009", "+8613900000001")):
            session.add(CustomerPhone(customer_id=customer_id, e164=number, position=position))
        for place, stage in enumerate((Stage.DELIVERED, Stage.SIGNED, Stage.MIDTERM)):
            session.add(
                Project(
                    id=new_ulid(),
                    contract_no=f"ZX-2026-99{place}",
                    customer_id=customer_id,
                    address="幸福里",
                    stage=stage,
                )
            )
    (card,) = await CustomerDirectory(company).find_by_phone(Phone.parse("13900000001"))
    assert card.phones_masked == ("139****0009", "139****0001")
    assert [project.contract_no for project in card.projects] == ["ZX-2026-992", "ZX-2026-991", "ZX-2026-990"]
    assert (card.store, card.open_cases, card.recent_contacts, card.projects[0].crew) == (None, (), (), None)
    assert (await CustomerDirectory(company).card(bare_id)).phones_masked == ()


async def test_search_takes_wildcards_literally(company: Database) -> None:
    directory = CustomerDirectory(company)
    assert [card.name for card in await directory.search("欧阳")] == ["欧阳雪"]
    assert [card.name for card in await directory.search("ZX-2026-0101")] == ["王建军"]
    assert await directory.search("%") == ()
    assert await directory.search("_建军") == ()


async def test_a_call_is_on_the_time_line_once_however_often_it_is_told(
    company: Database, clock: FakeClock
) -> None:
    log = ContactLog()
    found = call(clock, KNOWN)
    for _ in range(2):
        async with company.transaction() as session:
            owners = await log.record_call(session, found)
    line = await entries(company, owners[0])
    assert [entry.ref for entry in line].count(found.call_id) == 1
    assert line[0].ref == found.call_id


@pytest.mark.parametrize("note_first", [True, False])
async def test_the_agent_says_whose_call_it_was(
    company: Database, clock: FakeClock, note_first: bool
) -> None:
    log, directory = ContactLog(), CustomerDirectory(company)
    father, mother = await directory.find_by_phone(SHARED)
    found = call(clock, SHARED)

    async def note() -> None:
        async with company.transaction() as session:
            await log.record_disposition(
                session,
                call_id=found.call_id,
                disposition="repair_logged",
                notes="厨房漏水",
                at=clock.now(),
                customer_id=mother.customer_id,
            )

    async def end() -> None:
        async with company.transaction() as session:
            await log.record_call(session, found)

    for step in (note, end) if note_first else (end, note):
        await step()
    assert [entry.notes for entry in await entries(company, mother.customer_id)] == ["厨房漏水"]
    assert found.call_id not in [entry.ref for entry in await entries(company, father.customer_id)]


async def test_an_unknown_caller_can_be_named_by_the_agent(company: Database, clock: FakeClock) -> None:
    log, directory = ContactLog(), CustomerDirectory(company)
    (card,) = await directory.find_by_phone(KNOWN)
    found = call(clock, STRANGER)
    async with company.transaction() as session:
        assert await log.record_call(session, found) == ()
        await log.record_disposition(
            session,
            call_id=found.call_id,
            disposition="call_back",
            notes="换了手机号",
            at=clock.now(),
            customer_id=card.customer_id,
        )
    assert (await entries(company, card.customer_id))[0].disposition == "call_back"


async def test_internal_calls_are_on_nobodys_time_line(company: Database, clock: FakeClock) -> None:
    found = call(clock, None)
    async with company.transaction() as session:
        before = (await session.execute(select(func.count()).select_from(Contact))).scalar_one()
        await ContactLog().record_call(session, as_internal(found))
        after = (await session.execute(select(func.count()).select_from(Contact))).scalar_one()
    assert before == after


def as_internal(found: CallContact) -> CallContact:
    return CallContact(
        call_id=found.call_id,
        at=found.at,
        direction="internal",
        phone=None,
        result="ANSWERED",
        agent=None,
        queue=None,
        talk_seconds=1,
        menu_path=(),
    )


async def test_time_line_pages(company: Database, clock: FakeClock) -> None:
    directory = CustomerDirectory(company)
    (card,) = await directory.find_by_phone(KNOWN)
    for _ in range(5):
        clock.advance(timedelta(minutes=1))
        async with company.transaction() as session:
            await ContactLog().record_call(session, call(clock, KNOWN))
    first = await Timeline(company).page(AGENT, card.customer_id, limit=4)
    rest = await Timeline(company).page(AGENT, card.customer_id, limit=10, before=first.next_cursor)
    assert len(first.items) + len(rest.items) == 8
    assert not {entry.entry_id for entry in first.items} & {entry.entry_id for entry in rest.items}


async def test_one_open_callback_wish_per_number(company: Database, clock: FakeClock) -> None:
    wishes = CallbackRequests(company, clock)
    first = await wishes.create(call_id=new_ulid(), phone=KNOWN)
    assert await wishes.create(call_id=new_ulid(), phone=KNOWN) == first
    assert [wish.phone for wish in await wishes.list_open(AGENT)] == [KNOWN.e164]
    with pytest.raises(Forbidden):
        await wishes.finish(replace(AGENT, role=Role.FINANCE), first)
    await wishes.finish(AGENT, first)
    with pytest.raises(Conflict):
        await wishes.finish(AGENT, first)
    assert await wishes.create(call_id=new_ulid(), phone=KNOWN) != first
    with pytest.raises(Invalid):
        await wishes.create(call_id=new_ulid(), phone=Phone.parse("110"))
