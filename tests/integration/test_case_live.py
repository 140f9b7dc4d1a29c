"""Whoever changes a case, the pages that show it are told; nobody is told what was rolled back."""

import asyncio
from contextlib import suppress

import pytest

from app.demo.seed import seed_company
from crm.case_watch import CaseChanged, watch_cases
from crm.cases import CaseRegister, NewCase
from crm.domain.case import CaseKind, CaseStatus
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import Event
from kernel.ids import new_ulid
from tests.integration.test_case_register import SPECIALIST, owner
from web.case_feed import CaseFeed, topic_of
from web.live_hub import Connection, LiveHub

pytestmark = pytest.mark.integration

ENGINEER = Actor(user_id=new_ulid(), name="陈建国", role=Role.DEPARTMENT_HEAD, department="ENG")
BUYER = Actor(user_id=new_ulid(), name="吴志强", role=Role.DEPARTMENT_HEAD, department="MAT")


async def open_case(database: Database, register: CaseRegister, clock: FakeClock, *departments: str) -> str:
    customer_id, project_id = await owner(database)
    new = NewCase(kind=CaseKind.COMPLAINT, customer_id=customer_id, project_id=project_id, content="漏水")
    async with database.transaction() as session:
        row = await register.open(session, SPECIALIST, new, at=clock.now())
        await register.let_see(session, row.id, departments)
    return row.id


@pytest.fixture
async def company(database: Database, clock: FakeClock) -> Database:
    await seed_company(database, now=clock.now())
    return database


@pytest.fixture
def register(company: Database, clock: FakeClock) -> CaseRegister:
    return CaseRegister(company, clock, zone=SHANGHAI)


async def test_a_committed_change_is_told_once(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    told: list[Event] = []
    watch_cases(company, clock, told.append)
    case_id = await open_case(company, register, clock, "ENG")
    assert [event.case_id for event in told if isinstance(event, CaseChanged)] == [case_id]
    async with company.transaction() as session:
        row = await register.load(session, SPECIALIST, case_id, kind=CaseKind.COMPLAINT, expected=1)
        register.move(row, CaseStatus.HANDED_OFF, at=clock.now())
        await session.flush()
        assert len(told) == 1, "told before the commit"
    assert len(told) == 2


async def test_what_is_rolled_back_is_not_told(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    case_id = await open_case(company, register, clock)
    told: list[Event] = []
    watch_cases(company, clock, told.append)
    with suppress(ZeroDivisionError):
        async with company.transaction() as session:
            row = await register.load(session, SPECIALIST, case_id, kind=CaseKind.COMPLAINT, expected=1)
            register.move(row, CaseStatus.HANDED_OFF, at=clock.now())
            await session.flush()
            raise ZeroDivisionError
    async with company.session() as session:
        assert await session.get(type(row), case_id)
    assert told == []


async def told_cases(connection: Connection) -> str:
    chunk = await connection.next_chunk(2)
    return (chunk or b"").decode()


async def test_each_page_hears_of_the_cases_it_may_see(
    company: Database, register: CaseRegister, clock: FakeClock
) -> None:
    bus, hub = Bus(), LiveHub(clock)
    watch_cases(company, clock, bus.publish)
    feed = CaseFeed(bus=bus, hub=hub, database=company)
    task = asyncio.create_task(feed.run())
    try:
        await asyncio.sleep(0)  # the feed's first step: it subscribes
        readers = {
            actor: hub.open([topic_of(actor)], user_id=actor.user_id)
            for actor in (SPECIALIST, ENGINEER, BUYER)
        }
        for reader in readers.values():
            assert '"all":true' in await told_cases(reader)
        case_id = await open_case(company, register, clock, "ENG")
        assert case_id in await told_cases(readers[SPECIALIST])
        assert case_id in await told_cases(readers[ENGINEER])
        assert await readers[BUYER].next_chunk(0.05) == b""
    finally:
        task.cancel()
