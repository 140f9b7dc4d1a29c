"""Lists in an order of their own, page by page: nothing left out, nothing twice, as the whole list is."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

import pytest

from crm.organisation import Organisation
from crm.people_tables import StaffRow
from crm.point_lists import PointLists
from crm.point_visits import PointVisits, VisitKind
from crm.repair_point_tables import MonthlyAccount, PartIssue, PointVisit, QualityFeedback, RepairPoint
from crm.repair_points import RepairPoints
from crm.tables import Crew
from kernel.access import Actor
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import new_ulid
from kernel.paging import Page
from tests.support.people import MANAGER, make_desk

pytestmark = pytest.mark.integration

NAMES = ("王", "Bravo", "alpha", "王", "一队", "Bravo", "阿强", "100 号")
T = TypeVar("T")


async def walked(ask: Callable[..., Awaitable[Page[T]]], **asked: object) -> tuple[T, ...]:
    """Return all items of a list, page by page."""
    found, cursor = list[T](), None
    for _ in range(20):
        page = await ask(MANAGER, cursor=cursor, **asked)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    return tuple(found)


async def test_crews_and_staff_page_by_page(database: Database, clock: FakeClock) -> None:
    organisation = Organisation(make_desk(database, clock).office)
    async with database.transaction() as session:
        for name in NAMES:
            skills = ["水" if name > "C" else "电"]
            session.add(Crew(id=new_ulid(), name=name, head="x"))
            session.add(StaffRow(id=new_ulid(), name=name, role="PM", skills=skills))
    for limit in (1, 3, len(NAMES)):
        assert await walked(organisation.crew_page, limit=limit) == await organisation.crews(MANAGER)
        for skill in (None, "水"):
            staff = await walked(organisation.staff_page, skill=skill, limit=limit)
            assert staff == await organisation.staff(MANAGER, skill=skill)


async def test_the_repair_network_page_by_page(sqlite: Database, clock: FakeClock) -> None:
    office = make_desk(sqlite, clock).office
    network = RepairPoints(sqlite, clock, office.journal, zone=office.zone)
    lists = PointLists(sqlite, clock, zone=office.zone)
    visits = PointVisits(sqlite, clock, office.journal, zone=office.zone)
    now, today = clock.now(), office.today()
    by = {"entered_at": now, "entered_by": "x", "entered_by_id": new_ulid()}
    async with sqlite.transaction() as session:
        for number in range(5):
            point = RepairPoint(
                id=new_ulid(),
                name=f"点{number}",
                agreement_no=f"XY-{number}",
                district="朝阳区" if number % 2 else "通州区",
                contact="x",
                phone="01012345678",
                valid_from=today,
                valid_to=today - timedelta(days=1) if number == 3 else None,
                created_at=now,
                created_by="x",
                updated_at=now,
                updated_by="x",
            )
            session.add(point)
            await session.flush()
            for month in ("2026-01", "2026-02"):
                account = {"point_id": point.id, "month": month, "budget": Decimal(100)}
                session.add(MonthlyAccount(id=new_ulid(), **account, **by))
        for number in range(5):
            one = {"id": new_ulid(), "point_id": point.id, "month": "2026-02", "at": now, "by": "x"}
            part = {"kind": "issue", "part": "龙头", "quantity": 1, "price": 1, "defective": False}
            session.add(PartIssue(**one, **part, on_day=today))
            session.add(
                QualityFeedback(**one, product="龙头", problem="漏", count=number // 2, departments=[])
            )
            planned = {
                "planned_on": today + timedelta(days=number // 2),
                "planned_at": now,
                "planned_by": "x",
            }
            session.add(
                PointVisit(id=new_ulid(), point_id=point.id, kind=next(iter(VisitKind)), topic="x", **planned)
            )
    assert await lists.point(MANAGER, point.id) in await network.points(MANAGER)
    with pytest.raises(NotFound):
        await lists.point(MANAGER, new_ulid())
    assert await lists.names(MANAGER, {point.id}) == {point.id: "点4"}
    assert [one.month for one in (await lists.month_of(MANAGER, "2026-02", [point.id])).values()] == [
        "2026-02"
    ]
    assert await lists.month_sums(MANAGER, "2026-02") == (Decimal(500), Decimal(0))
    for limit in (1, 2, 5, 20):
        assert await walked(lists.points, limit=limit) == await network.points(MANAGER)
        valid = await walked(lists.points, valid_only=True, limit=limit)
        assert valid == await network.points(MANAGER, valid_only=True) and len(valid) == 4
        parts = await walked(partial(page_of_point, lists.parts, point.id), limit=limit)
        assert parts == await network.parts(MANAGER, point.id) and len(parts) == 5
        seen = await walked(partial(page_of_point, visits.page, point.id), limit=limit)
        assert seen == await visits.of_point(MANAGER, point.id) and len(seen) == 5
        feedback = await walked(partial(page_of_point, lists.feedback, "2026-02"), limit=limit)
        assert feedback == await network.feedback(MANAGER, "2026-02") and len(feedback) == 5
        accounts = await walked(lists.accounts, limit=limit)
        assert [view.month for view in accounts] == ["2026-02"] * 5 + ["2026-01"] * 5
        assert set(accounts) == set(await network.accounts(MANAGER))


async def page_of_point(
    ask: Callable[..., Awaitable[Page[T]]], of: str, actor: Actor, **asked: object
) -> Page[T]:
    return await ask(actor, of, **asked)


async def test_a_cursor_of_another_list_is_refused(sqlite: Database, clock: FakeClock) -> None:
    organisation = Organisation(make_desk(sqlite, clock).office)
    for cursor in ("x", new_ulid()):
        with pytest.raises(Invalid) as refused:
            await organisation.crew_page(MANAGER, cursor=cursor, limit=5)
        assert refused.value.field == "cursor"
