"""The demo company's month: believable, whole, and written by the real services."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.demo.month import COMPLAINTS, DAYS, HOMES_WANTED, REPAIRS, Ground, fill_month, more_customers
from app.demo.people import OFFICE
from app.demo.seed import demo_users, seed_company
from crm.cases import CaseFilter
from crm.domain.case import CaseKind, CaseStatus
from crm.tables import Customer, Department, ServiceCase
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.web import PASSWORD, cheap_passwords
from web.auth import build_accounts
from web.crm_part import build_crm
from web.deps import WebSettings
from web.permissions import Role

pytestmark = pytest.mark.integration

NOW = datetime(2026, 4, 22, 7, 0, tzinfo=UTC)


@pytest.fixture
async def company(sqlite: Database) -> Database:
    clock = FakeClock(NOW)
    await seed_company(sqlite, now=NOW)
    users = build_accounts(sqlite, clock, passwords=cheap_passwords()).users
    for person in await demo_users(sqlite):
        await users.create(
            login=person.login,
            password=PASSWORD,
            role=Role(person.role),
            display_name=person.name,
            agent_id=person.agent_id,
            department=person.department,
        )
    return sqlite


def test_the_further_customers_are_the_same_each_time_and_all_different() -> None:
    made = more_customers()
    assert made == more_customers()
    assert (
        len({customer.name for customer in made})
        == len({customer.phones for customer in made})
        == HOMES_WANTED
    )


def test_every_department_that_gets_complaints_has_somebody_who_may_sign() -> None:
    signers = {user.department for user in OFFICE if user.role in (Role.DEPARTMENT_HEAD, Role.CAPTAIN)}
    assert signers == {"ENG", "DES", "MAT", "STO", "CS"}


async def test_the_month_is_believable(company: Database) -> None:
    steps: list[tuple[int, int]] = []
    count = await fill_month(
        company, WebSettings(), until=NOW, progress=lambda done, total: steps.append((done, total))
    )
    assert count == COMPLAINTS + REPAIRS
    assert steps == sorted(steps) and steps[-1] == (DAYS, DAYS)
    async with company.session() as session:
        cases = (
            (await session.execute(select(ServiceCase).where(ServiceCase.opened_by.is_not(None))))
            .scalars()
            .all()
        )
        heads = {row.code: row.head_user_id for row in await session.scalars(select(Department))}
        customers = (await session.execute(select(Customer.id))).scalars().all()
    found = Counter((case.kind, case.status) for case in cases)
    closed = sum(n for (_, status), n in found.items() if not CaseStatus(status).is_open)
    assert {kind for kind, _ in found} == {"complaint", "repair"}
    assert closed > len(cases) / 2, "most of a month's cases are closed"
    assert len({status for _, status in found}) >= 7, "the others are all along the way"
    assert all(case.opened_at <= NOW and (case.updated_at or NOW) <= NOW for case in cases)
    assert any(case.round > 1 for case in cases)
    assert heads["ENG"] and heads["CS"]
    assert len(customers) > HOMES_WANTED
    verdict = await AuditLog(company, FakeClock(NOW)).verify()
    assert verdict.sound and verdict.checked > 10 * len(cases) / 2


async def test_every_case_of_the_demo_can_be_opened(company: Database) -> None:
    clock = FakeClock(NOW)
    crm = build_crm(Ground(settings=WebSettings(), database=company, clock=clock, bus=Bus()))
    manager = Actor(user_id=new_ulid(), name="孟岚", role=Role.MANAGER)
    cases = (await crm.cases.page(manager, CaseFilter())).items
    assert len(cases) >= 5
    for case in cases:
        if case.kind is CaseKind.COMPLAINT:
            assert (await crm.complaints.complaints.get(manager, case.case_id)).lines
        else:
            assert (await crm.repairs.reader.get(manager, case.case_id)).case_id == case.case_id
