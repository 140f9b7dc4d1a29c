"""Appraisal entries that a missed limit proposes: domain.md §0 (+24 h NAT), four eyes, the API."""

from datetime import timedelta

import pytest

from crm.appraisals import AppraisalDecided, AppraisalPage, Appraisals, AppraisalState, OwnAppraisal
from crm.journal import Journal
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner
from crm.tables import Department
from kernel.access import GRANTS, Actor, Permission, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.integration.test_complaint_api import Line, line
from tests.support.limits import SettableClock, at, complaint

pytestmark = pytest.mark.integration

__all__ = ["line"]  # the fixture


def person(role: Role) -> Actor:
    return Actor(user_id=new_ulid(), name="沈静", role=role, ip="10.1.2.3")


MANAGER = person(Role.MANAGER)
OTHER_MANAGER = person(Role.MANAGER)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
def appraisals(database: Database, clock: SettableClock) -> Appraisals:
    return Appraisals(database, clock, Journal(AuditLog(database, clock)), zone=SHANGHAI)


async def propose(database: Database, clock: FakeClock, *owners: Owner) -> None:
    """Let limits be missed by more than 24 hours."""
    book = LimitBook(clock)
    async with database.transaction() as session:
        for number, owner in enumerate(owners):
            when = clock.now() + number * timedelta(minutes=1)
            await book.start(session, "TS.T1", complaint(f"case-{number}"), at=when, owner=owner)
    clock.advance(timedelta(days=3))
    await LimitWorker(database, clock, book, worker="w1").run_once()


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Database:
    async with database.transaction() as session:
        session.add(Department(code="ENG", name="工程部"))
    await propose(
        database,
        clock,
        Owner(department="ENG", user_id="u-zhao"),
        Owner(department="ENG"),
        Owner(user_id=MANAGER.user_id),
    )
    return database


async def waiting(appraisals: Appraisals) -> AppraisalPage:
    return await appraisals.page(MANAGER)


async def test_what_is_24_hours_late_waits_for_the_manager(office: Database, appraisals: Appraisals) -> None:
    page = await waiting(appraisals)
    assert [(item.department_name, item.user_id, item.points, item.state) for item in page.items] == [
        ("工程部", "u-zhao", -2, "proposed"),
        ("工程部", None, -2, "proposed"),
        (None, MANAGER.user_id, -2, "proposed"),
    ]
    first = await appraisals.page(MANAGER, limit=2)
    rest = await appraisals.page(MANAGER, limit=2, cursor=first.next_cursor)
    assert [*first.items, *rest.items] == list(page.items)
    assert rest.next_cursor is None
    assert len((await appraisals.page(MANAGER, department="ENG")).items) == 2
    assert len((await appraisals.page(MANAGER, user_id="u-zhao")).items) == 1
    with pytest.raises(Invalid, match="cursor"):
        await appraisals.page(MANAGER, cursor="x")


async def test_an_entry_is_confirmed_or_dismissed_once_and_audited(
    office: Database, appraisals: Appraisals, clock: SettableClock
) -> None:
    first, second, _ = (await waiting(appraisals)).items
    confirmed = await appraisals.confirm(MANAGER, first.appraisal_id, expected=first.version)
    assert (confirmed.state, confirmed.decided_by, confirmed.version) == (
        "confirmed",
        MANAGER.name,
        first.version + 1,
    )
    with pytest.raises(Invalid, match="empty"):
        await appraisals.dismiss(MANAGER, second.appraisal_id, expected=second.version, reason="  ")
    with pytest.raises(StaleVersion):
        await appraisals.dismiss(MANAGER, second.appraisal_id, expected=7, reason="当天停电")
    dropped = await appraisals.dismiss(
        MANAGER, second.appraisal_id, expected=second.version, reason="当天停电"
    )
    assert (dropped.state, dropped.note) == ("dropped", "当天停电")
    for decided in (confirmed, dropped):
        with pytest.raises(AppraisalDecided):
            await appraisals.confirm(OTHER_MANAGER, decided.appraisal_id, expected=decided.version)
    records = await AuditLog(office, clock).recent()
    assert {record.action for record in records} >= {"appraisal.confirm", "appraisal.dismiss"}
    assert len((await waiting(appraisals)).items) == 1
    assert len((await appraisals.page(MANAGER, state=None)).items) == 3


async def test_nobody_decides_about_themselves(office: Database, appraisals: Appraisals) -> None:
    mine = (await waiting(appraisals)).items[2]
    for wrong in (
        appraisals.confirm(MANAGER, mine.appraisal_id, expected=mine.version),
        appraisals.dismiss(MANAGER, mine.appraisal_id, expected=mine.version, reason="系统问题"),
    ):
        with pytest.raises(OwnAppraisal):
            await wrong
    found = await appraisals.confirm(OTHER_MANAGER, mine.appraisal_id, expected=mine.version)
    assert found.state is AppraisalState.CONFIRMED


@pytest.mark.parametrize("role", list(Role))
async def test_every_role(office: Database, appraisals: Appraisals, role: Role) -> None:
    actor = person(role)
    entry = (await waiting(appraisals)).items[0]
    if role in {Role.MANAGER, Role.GENERAL_MANAGER, Role.ADMINISTRATOR}:
        assert (await appraisals.page(actor)).items
    else:
        with pytest.raises(Forbidden):
            await appraisals.page(actor)
    if role is Role.MANAGER:
        assert Permission.CASES_DECIDE in GRANTS[role]
        await appraisals.confirm(actor, entry.appraisal_id, expected=entry.version)
    else:
        with pytest.raises(Forbidden):
            await appraisals.confirm(actor, entry.appraisal_id, expected=entry.version)
        with pytest.raises(Forbidden):
            await appraisals.dismiss(actor, entry.appraisal_id, expected=entry.version, reason="x")


async def test_a_breach_that_is_withdrawn_takes_its_entry_back_confirmed_or_not(
    office: Database, appraisals: Appraisals, clock: SettableClock
) -> None:
    entry = (await waiting(appraisals)).items[0]
    await appraisals.confirm(MANAGER, entry.appraisal_id, expected=entry.version)
    async with office.transaction() as session:
        # Signed on paper in time, written down days later.
        await LimitBook(clock).stop(session, "TS.T1", complaint("case-0"), at=at("2026-03-20T10:00"))
    found = (await appraisals.page(MANAGER, state=AppraisalState.DROPPED)).items
    assert [(item.appraisal_id, item.decided_by) for item in found] == [(entry.appraisal_id, "system")]


async def test_no_such_entry(office: Database, appraisals: Appraisals) -> None:
    for wrong in (new_ulid(), "x"):
        with pytest.raises(NotFound):
            await appraisals.confirm(MANAGER, wrong, expected=1)


async def test_the_api_lists_confirms_and_dismisses(line: Line) -> None:
    await propose(line.desk.database, line.desk.clock, Owner(department="ENG"), Owner(department="DES"))
    assert (await line.ask("eng", "GET", "/appraisals")).status == 403
    listed = (await line.ask("manager", "GET", "/appraisals")).body["items"]
    assert [item["department"] for item in listed] == ["ENG", "DES"]
    first, second = (f"/appraisals/{item['appraisal_id']}" for item in listed)
    assert (await line.ask("eng", "POST", f"{first}/confirm", {}, version=1)).status == 403
    assert (await line.ask("manager", "POST", f"{first}/confirm", {})).status == 428
    assert (await line.ask("manager", "POST", f"{first}/confirm", {}, version=9)).status == 412
    assert (await line.do("manager", f"{first}/confirm", {}, version=1))["state"] == "confirmed"
    assert (await line.ask("manager", "POST", f"{second}/dismiss", {}, version=1)).field == "reason"
    dropped = await line.do("manager", f"{second}/dismiss", {"reason": "客户改约"}, version=1)
    assert (dropped["state"], dropped["note"]) == ("dropped", "客户改约")
    assert (await line.ask("manager", "POST", f"{second}/confirm", {}, version=2)).status == 409


async def test_payroll_reads_what_counts_of_a_month(
    office: Database, appraisals: Appraisals, clock: SettableClock
) -> None:
    hr = person(Role.HR)
    for item in (await appraisals.page(MANAGER)).items:
        await appraisals.confirm(OTHER_MANAGER, item.appraisal_id, expected=item.version)
    month = f"{clock.now():%Y-%m}"
    whole = (await appraisals.confirmed(MANAGER, month)).items
    assert len(whole) >= 2
    first = await appraisals.confirmed(hr, month, limit=1)
    rest = await appraisals.confirmed(hr, month, cursor=first.next_cursor)
    assert first.items + rest.items == whole
    assert (await appraisals.confirmed(hr, "2020-01")).items == ()
    with pytest.raises(Invalid, match="month"):
        await appraisals.confirmed(hr, "2026")
    for role in (Role.AGENT, Role.DEPARTMENT_HEAD, Role.FINANCE):
        with pytest.raises(Forbidden):
            await appraisals.confirmed(person(role), month)


async def test_an_entry_goes_to_payroll_once_and_is_listed_again(
    office: Database, appraisals: Appraisals, clock: SettableClock
) -> None:
    hr = person(Role.HR)
    items = (await appraisals.page(MANAGER)).items
    for item in items:
        await appraisals.confirm(OTHER_MANAGER, item.appraisal_id, expected=item.version)
    month = f"{clock.now():%Y-%m}"
    with pytest.raises(Forbidden):
        await appraisals.export(MANAGER, month)
    with pytest.raises(Invalid):
        await appraisals.export(hr, "2026")
    assert await appraisals.export(hr, month, department="ENG") == 2
    left = await appraisals.confirmed(hr, month, exported=False)
    assert [item.department for item in left.items] == [None]
    assert (await appraisals.export(hr, month), await appraisals.export(hr, month)) == (1, 0)
    sent = (await appraisals.confirmed(hr, month, exported=True)).items
    assert len(sent) == len(items) and {item.period for item in sent} == {month}
    assert {(item.confirmed_by, item.exported_by) for item in sent} == {(OTHER_MANAGER.name, hr.name)}
    assert (await appraisals.confirmed(hr, month, exported=False)).items == ()
