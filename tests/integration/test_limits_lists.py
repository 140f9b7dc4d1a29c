"""The overdue lists and the manager's red list: domain.md §0."""

from datetime import timedelta

import pytest

from crm.domain.limit_file import parse_policy
from crm.limit_lists import LIST_CODES, LimitLists, OverdueList, TimerPage
from crm.limit_rules import shipped_text
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner, RecordRef
from kernel.access import Actor, Role
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from tests.support.limits import SettableClock, at, complaint

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="u-wang", name="王经理", role=Role.MANAGER)
HEAD = Actor(user_id="u-zhao", name="赵主管", role=Role.DEPARTMENT_HEAD, department="ENG")
STRAY = Actor(user_id="u-x", name="无部门", role=Role.DEPARTMENT_HEAD)
FINANCE = Actor(user_id="u-f", name="财务", role=Role.FINANCE)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
def lists(clock: SettableClock) -> LimitLists:
    return LimitLists(clock, LimitBook(clock))


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Database:
    """Five complaints not accepted, every second one with the design department, and others beside them."""
    book = LimitBook(clock)
    async with database.transaction() as session:
        for number in range(5):
            owner = Owner(department="DES" if number % 2 else "ENG", specialist="u-li")
            moment = clock.now() + number * timedelta(minutes=10)
            await book.start(session, "TS.T1", complaint(f"c{number}"), at=moment, owner=owner)
        eng = Owner(department="ENG")
        await book.start(session, "TS.T2", complaint("verify"), at=clock.now(), owner=eng)
        await book.start(session, "TS.T4", complaint("call"), at=clock.now(), owner=Owner(specialist="u-li"))
        await book.start(session, "TS.T1", complaint("done"), at=clock.now(), owner=eng)
        await book.stop(session, "TS.T1", complaint("done"), at=clock.now())
        await book.start(session, "BX.R2", RecordRef("repair", "r0"), at=clock.now(), owner=Owner())
    return database


def ids(page: TimerPage) -> list[str]:
    return [view.record.record_id for view in page.timers]


async def test_overdue_is_what_is_past_now_longest_first(
    office: Database, lists: LimitLists, clock: SettableClock
) -> None:
    async with office.session() as session:
        assert ids(await lists.overdue(session, MANAGER)) == []
        clock.set(at("2026-03-20T12:25"))
        page = await lists.overdue(session, MANAGER, which=OverdueList.NOT_ACCEPTED)
        assert set(ids(page)) == {"c0", "r0", "c1", "c2"}
        assert ids(page)[2:] == ["c1", "c2"]
        assert all(view.overdue for view in page.timers)
        clock.set(at("2026-03-23T12:00"))
        assert ids(await lists.overdue(session, MANAGER, which=OverdueList.PLAN_LATE)) == ["verify"]
        assert ids(await lists.overdue(session, MANAGER, which=OverdueList.NOT_CLOSED)) == ["call"]
        assert ids(await lists.overdue(session, MANAGER, codes=["TS.T2", "TS.T4"])) == ["verify", "call"]
        assert ids(await lists.overdue(session, MANAGER, which=OverdueList.NOT_SOLVED_AS_PLANNED)) == []
        assert len(ids(await lists.overdue(session, MANAGER))) == 8
        assert len(ids(await lists.overdue(session, MANAGER, specialist="u-li"))) == 6


async def test_a_department_sees_its_own_limits_only(
    office: Database, lists: LimitLists, clock: SettableClock
) -> None:
    clock.set(at("2026-03-23T12:00"))
    async with office.session() as session:
        assert set(ids(await lists.overdue(session, HEAD))) == {"c0", "c2", "c4", "verify"}
        assert ids(await lists.overdue(session, HEAD, department="DES")) == []
        assert ids(await lists.overdue(session, STRAY)) == []
        assert ids(await lists.overdue(session, MANAGER, department="DES")) == ["c1", "c3"]


async def test_pages_follow_one_another_without_gap(
    office: Database, lists: LimitLists, clock: SettableClock
) -> None:
    clock.set(at("2026-03-23T12:00"))
    async with office.session() as session:
        whole = ids(await lists.overdue(session, MANAGER))
        found, cursor = [], None
        while True:
            page = await lists.overdue(session, MANAGER, cursor=cursor, limit=3)
            found += ids(page)
            if (cursor := page.cursor) is None:
                break
        assert found == whole
        for wrong in ("x", "2026-03-20~", "2026-03-20T10:00:00~01J00000000000000000000000"):
            with pytest.raises(Invalid, match="cursor"):
                await lists.overdue(session, MANAGER, cursor=wrong)
        for limit in (0, 201):
            with pytest.raises(Invalid, match="limit"):
                await lists.overdue(session, MANAGER, limit=limit)


async def test_the_red_list_holds_what_is_3_service_hours_late_until_it_is_done(
    office: Database, lists: LimitLists, clock: SettableClock
) -> None:
    clock.set(at("2026-03-20T15:05"))
    book = LimitBook(clock)
    await LimitWorker(office, clock, book, worker="w1").run_once()
    async with office.session() as session:
        assert set(ids(await lists.red_list(session, MANAGER))) == {"c0", "r0"}
        with pytest.raises(Forbidden):
            await lists.red_list(session, HEAD)
        with pytest.raises(Forbidden):
            await lists.red_list(session, FINANCE)
    async with office.transaction() as session:
        await book.stop(session, "TS.T1", complaint("c0"), at=clock.now())
    async with office.session() as session:
        assert ids(await lists.red_list(session, MANAGER)) == ["r0"]


def test_every_code_that_can_be_late_stands_in_one_list() -> None:
    codes = [code for found in LIST_CODES.values() for code in found]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(parse_policy(shipped_text("A")).rules)
