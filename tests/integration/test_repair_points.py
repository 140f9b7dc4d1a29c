"""The repair-point network on both databases: agreements, spare parts, monthly accounts, quality feedback."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crm.domain.line_steps import SamePerson
from crm.domain.repair_point import PartKind, amount, check_approval, month_of, over_budget
from crm.events_tickets import RepairBudgetExceeded
from crm.repair_point_views import AccountView, PointText, PointView
from crm.repair_points import RepairPoints
from kernel.access import Actor
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import ADMIN, CAPTAIN, ENGINEER, HR, MANAGER, SPECIALIST, Desk, open_desk
from tests.support.limits import facts

pytestmark = pytest.mark.integration

TODAY = date(2026, 3, 2)


@pytest.fixture
async def desk(database: Database, clock: FakeClock) -> Desk:
    return await open_desk(database, clock)


@pytest.fixture
def network(desk: Desk) -> RepairPoints:
    return RepairPoints(desk.database, desk.clock, desk.journal, zone=SHANGHAI)


def text(**changes: Any) -> PointText:
    what: dict[str, Any] = {
        "name": "通州张记水电维修",
        "agreement_no": "WX-2026-008",
        "district": "通州区",
        "contact": "张师傅",
        "phone": "13811112222",
        "valid_from": date(2026, 1, 1),
        "valid_to": date(2026, 12, 31),
    }
    return PointText(**(what | changes))


async def made(network: RepairPoints, **changes: Any) -> PointView:
    return await network.put_point(MANAGER, None, text(**changes), expected=None)


async def issue(
    network: RepairPoints, point: PointView, quantity: str, kind: PartKind = PartKind.ISSUE, **changes: Any
) -> Any:
    what: dict[str, Any] = {"part": "角阀", "quantity": quantity, "price": "25.50", "on_day": TODAY}
    return await network.move_part(CAPTAIN, point.point_id, kind, **(what | changes))


async def account(network: RepairPoints, point: PointView, **changes: Any) -> AccountView:
    what: dict[str, Any] = {"budget": "3000", "actual": "2800.50", "expected": None}
    return await network.put_account(CAPTAIN, point.point_id, "2026-02", **(what | changes))


async def test_a_point_is_valid_while_its_agreement_holds(network: RepairPoints) -> None:
    point = await made(network)
    assert point.valid and point.phone == "+8613811112222"
    await made(
        network, name="朝阳李记", agreement_no="WX-2025-001", district="朝阳区", valid_to=date(2026, 3, 1)
    )
    assert [view.name for view in await network.points(SPECIALIST)] == ["朝阳李记", "通州张记水电维修"]
    assert [view.name for view in await network.points(SPECIALIST, valid_only=True)] == ["通州张记水电维修"]
    assert [view.name for view in await network.points(SPECIALIST, district="朝阳区")] == ["朝阳李记"]
    off = await network.put_point(MANAGER, point.point_id, text(active=False), expected=1)
    assert (off.valid, off.version) == (False, 2)
    with pytest.raises(StaleVersion):
        await network.put_point(MANAGER, point.point_id, text(), expected=1)
    with pytest.raises(Conflict):
        await made(network, name="别的点")


async def test_a_point_gives_back_no_more_parts_than_it_has(network: RepairPoints) -> None:
    point = await made(network)
    issued = await issue(network, point, "10")
    assert (issued.total, issued.month) == (Decimal("255.00"), "2026-03")
    await issue(network, point, "4", PartKind.RETURN, defective=True)
    with pytest.raises(Invalid, match=r"has 6\.00 of it") as caught:
        await issue(network, point, "6.01", PartKind.RETURN)
    assert caught.value.field == "quantity"
    with pytest.raises(Invalid):
        await issue(network, point, "1", PartKind.RETURN, part="软管")
    assert [row.kind for row in await network.parts(SPECIALIST, point.point_id)] == [
        PartKind.RETURN,
        PartKind.ISSUE,
    ]
    assert await network.parts(SPECIALIST, point.point_id, month="2026-02") == ()


async def test_two_returns_at_once_do_not_take_back_too_much(network: RepairPoints) -> None:
    point = await made(network)
    await issue(network, point, "5")
    outcome = await asyncio.gather(
        *(issue(network, point, "3", PartKind.RETURN) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(found, Invalid) for found in outcome) == 2


async def test_a_month_over_its_budget_is_told_once_and_needs_a_reason(
    desk: Desk, network: RepairPoints
) -> None:
    point = await made(network)
    first = await account(network, point, actual=None)
    over = await account(network, point, actual="3200.00", expected=first.version)
    assert (over.over, over.actual) == (Decimal("200.00"), Decimal("3200.00"))
    again = await account(network, point, actual="3200.00", expected=over.version)
    (fact,) = await facts(desk.database, RepairBudgetExceeded)
    assert (fact.point, fact.month, fact.budget, fact.actual) == (
        "通州张记水电维修",
        "2026-02",
        "3000.00",
        "3200.00",
    )
    with pytest.raises(Invalid) as caught:
        await network.approve_account(MANAGER, over.account_id, again.version)
    assert caught.value.field == "why"
    approved = await network.approve_account(MANAGER, over.account_id, again.version, why="春节后报修集中")
    assert (approved.approved_by, approved.approved_why) == ("沈静", "春节后报修集中")
    with pytest.raises(Conflict):
        await network.approve_account(MANAGER, over.account_id, approved.version)
    changed = await account(network, point, expected=approved.version)
    assert changed.approved_at is None, "what was approved was another figure"


async def test_an_account_shows_what_its_parts_cost(network: RepairPoints) -> None:
    point = await made(network)
    await issue(network, point, "10", on_day=date(2026, 2, 3))
    await issue(network, point, "2", PartKind.RETURN, on_day=date(2026, 2, 20))
    assert (await account(network, point)).parts == Decimal("204.00")
    assert [view.month for view in await network.accounts(SPECIALIST, point_id=point.point_id)] == ["2026-02"]
    assert await network.accounts(SPECIALIST, month="2026-01") == ()


async def test_who_entered_an_account_does_not_approve_it(network: RepairPoints) -> None:
    point = await made(network)
    mine = await account(network, point)
    both = Actor(user_id=CAPTAIN.user_id, name="马师傅", role=MANAGER.role)
    with pytest.raises(SamePerson):
        await network.approve_account(both, mine.account_id, mine.version)
    with pytest.raises(Forbidden):
        await network.approve_account(ADMIN, mine.account_id, mine.version)
    empty = await network.put_account(
        CAPTAIN, point.point_id, "2026-01", budget="1", actual=None, expected=None
    )
    with pytest.raises(Conflict) as caught:
        await network.approve_account(MANAGER, empty.account_id, empty.version)
    assert caught.value.field == "actual"


async def test_two_people_do_not_overwrite_a_month(network: RepairPoints) -> None:
    point = await made(network)
    mine = await account(network, point)
    for expected in (None, mine.version + 1):
        with pytest.raises(StaleVersion):
            await account(network, point, expected=expected)


async def test_quality_feedback_goes_to_departments(network: RepairPoints) -> None:
    point = await made(network)
    await network.feed_back(
        CAPTAIN, "2026-02", product="某牌角阀", problem="阀芯漏水", count=3, departments=["MAT"]
    )
    await network.feed_back(
        CAPTAIN,
        "2026-02",
        product="软管",
        problem="接口松",
        count=7,
        departments=["MAT", "ENG"],
        point_id=point.point_id,
    )
    assert [row.count for row in await network.feedback(SPECIALIST, "2026-02")] == [7, 3]
    for changes, field in (
        ({"departments": []}, "departments"),
        ({"departments": ["NOPE"]}, "departments.0"),
        ({"count": 0}, "count"),
        ({"problem": "漏" * 401}, "problem"),
        ({"product": " "}, "product"),
        ({"point_id": new_ulid()}, "point_id"),
    ):
        what: dict[str, Any] = {"product": "角阀", "problem": "漏", "count": 1, "departments": ["MAT"]}
        with pytest.raises(HuifangError) as caught:
            await network.feed_back(CAPTAIN, "2026-02", **(what | changes))
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"agreement_no": "x" * 41}, "agreement_no"),
        ({"valid_to": date(2025, 1, 1)}, "valid_to"),
        ({"note": "注" * 1_000_000}, "note"),
    ],
)
async def test_points_that_cannot_be_are_refused(
    network: RepairPoints, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await made(network, **changes)
    assert caught.value.field == field
    assert await network.points(MANAGER) == ()


async def test_who_may_do_what(network: RepairPoints) -> None:
    point = await made(network)
    with pytest.raises(Forbidden):
        await network.put_point(CAPTAIN, None, text(), expected=None)
    with pytest.raises(Forbidden):
        await network.move_part(
            MANAGER, point.point_id, PartKind.ISSUE, part="x", quantity=1, price=1, on_day=TODAY
        )
    with pytest.raises(Forbidden):
        await network.put_account(SPECIALIST, point.point_id, "2026-02", budget=1, actual=None, expected=None)
    with pytest.raises(Forbidden):
        await network.points(HR)
    assert len(await network.points(ENGINEER)) == 1
    with pytest.raises(NotFound):
        await network.put_point(MANAGER, new_ulid(), text(), expected=1)
    await network.put_point(MANAGER, point.point_id, text(active=False), expected=1)
    with pytest.raises(Conflict):
        await issue(network, point, "1")


@pytest.mark.parametrize("raw", ["1.001", "-1", "NaN", "Infinity", "1e9", "abc", "", "9" * 100])
def test_amounts_that_cannot_be_are_refused(raw: str) -> None:
    with pytest.raises(Invalid) as caught:
        amount(raw, field="budget")
    assert caught.value.field == "budget"


@pytest.mark.parametrize("raw", ["2026-13", "2026-3", "26-03", "2027-04", "２０２６-03"])
def test_months_that_cannot_be_are_refused(raw: str) -> None:
    with pytest.raises(Invalid):
        month_of(raw, TODAY)
    assert month_of("2027-03", TODAY) == "2027-03"


def test_over_budget_is_a_warning_and_not_a_refusal() -> None:
    assert over_budget(Decimal(10), Decimal("12.50")) == Decimal("2.50")
    assert over_budget(Decimal(10), None) == over_budget(Decimal(10), Decimal(10)) == 0
    check_approval(budget=Decimal(10), actual=Decimal(12), entered_by="a", approver="b", why="急修")
