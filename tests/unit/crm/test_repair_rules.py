"""Repairs' rules without a database: domain.md §1.5 (routing, warranty, visits, costs, deposit)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.domain import repair as rules
from crm.domain import repair_cost as cost
from crm.domain.case import STATUSES, CaseKind, CaseStatus
from crm.domain.complaint_line import ProblemStatus
from crm.domain.deposit import deduct, read_month
from crm.domain.machine import IllegalStep
from crm.domain.project import Stage
from crm.domain.repair import (
    STEPS,
    Appointment,
    Happened,
    Repair,
    Route,
    RouteReason,
    Routing,
    Said,
    VisitOutcome,
    callback_due,
    suggested_route,
)
from crm.domain.repair_cost import CostBearer, CostKind, Figures, Material, MaterialKind
from crm.domain.warranty import (
    Card,
    RepairClass,
    RepairWarning,
    WarrantyFlag,
    suggested_class,
    take_snapshot,
    warnings_of,
)
from kernel.errors import Conflict, Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TODAY = date(2026, 3, 2)


def begun(*, left: bool = False) -> Repair:
    return rules.begin(at=NOW, original_crew="crew", original_left=left).repair


def routed(**changes: Any) -> Repair:
    asked = Routing(route=Route.ORIGINAL, crew_active=True)
    return rules.route(begun(), asked if not changes else Routing(**changes), now=NOW).repair


def notified() -> Repair:
    return rules.notify(routed(), at=NOW, now=NOW).repair


def appointed() -> Repair:
    window = Appointment(from_=NOW + HOUR, until=NOW + 3 * HOUR)
    return rules.contact(notified(), at=NOW, now=NOW, appointment=window).repair


def visited(outcome: VisitOutcome = VisitOutcome.FIXED) -> Repair:
    there = rules.arrive(appointed(), at=NOW + HOUR, now=NOW + HOUR).repair
    return rules.finish(there, outcome, at=NOW + 2 * HOUR, now=NOW + 2 * HOUR).repair


# Routing


@pytest.mark.parametrize(
    ("active", "demands", "route"),
    [
        (True, False, Route.ORIGINAL),
        (True, True, Route.CAPTAIN),
        (False, False, Route.CAPTAIN),
        (False, True, Route.CAPTAIN),
    ],
)
def test_routing_by_crew_and_customer(active: bool, demands: bool, route: Route) -> None:
    assert suggested_route(original_active=active, customer_demands_change=demands) is route


def test_every_state_of_a_repair_has_its_steps() -> None:
    assert set(STEPS) == set(STATUSES[CaseKind.REPAIR])


def test_a_reroute_is_never_back_to_the_original_crew() -> None:
    with pytest.raises(Invalid) as caught:
        rules.reroute(notified(), Routing(route=Route.ORIGINAL, crew_active=True), now=NOW)
    assert caught.value.field == "route"


def test_a_reroute_to_whoever_has_it_is_none() -> None:
    mine = routed(route=Route.CAPTAIN, reason=RouteReason.CUSTOMER_DEMAND, crew_active=True)
    asked = Routing(route=Route.CAPTAIN, reason=RouteReason.CUSTOMER_DEMAND, crew_active=True)
    with pytest.raises(Invalid, match="already"):
        rules.reroute(mine, asked, now=NOW)


def test_a_reroute_begins_a_fresh_chain_and_voids_the_old_one() -> None:
    later = NOW + 25 * HOUR
    asked = Routing(
        route=Route.CAPTAIN,
        reason=RouteReason.ORIGINAL_NO_CONTACT,
        crew_active=True,
        contact_overdue=True,
    )
    moved = rules.reroute(notified(), asked, now=later)
    assert [(bool(effect.void), effect.event, effect.at) for effect in moved.effects] == [
        (True, None, later),
        (False, Happened.REGISTERED, later),
    ]
    assert (moved.repair.chain_at, moved.repair.notified_at) == (later, None)


def test_nobody_is_rerouted_while_somebody_is_at_the_customers() -> None:
    there = rules.arrive(appointed(), at=NOW + HOUR, now=NOW + HOUR).repair
    asked = Routing(route=Route.CAPTAIN, reason=RouteReason.PLAN_REJECTED, crew_active=True)
    with pytest.raises(Conflict):
        rules.reroute(there, asked, now=NOW + HOUR)


def test_a_contacted_customer_was_not_left_without_contact() -> None:
    contacted = rules.contact(notified(), at=NOW, now=NOW).repair
    asked = Routing(
        route=Route.CAPTAIN,
        reason=RouteReason.ORIGINAL_NO_CONTACT,
        crew_active=True,
        contact_overdue=True,
    )
    with pytest.raises(Invalid, match="was contacted"):
        rules.reroute(contacted, asked, now=NOW)


# Times


@pytest.mark.parametrize("minutes", [-1, 1])
def test_times_out_of_order_are_refused(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    steps: tuple[Callable[[], object], ...] = (
        lambda: rules.notify(routed(), at=at, now=NOW),
        lambda: rules.contact(notified(), at=at, now=NOW),
        lambda: rules.depart(appointed(), at=at, now=NOW),
        lambda: rules.arrive(appointed(), at=at, now=NOW),
        lambda: rules.call_back(notified(), Said(problem=ProblemStatus.IN_HAND), at=at, now=NOW),
    )
    for step in steps:
        with pytest.raises(Invalid) as caught:
            step()
        assert caught.value.field == "at", "as the API calls it"


@pytest.mark.parametrize(
    ("begin", "length", "field"),
    [
        (timedelta(minutes=-1), HOUR, "visit_from"),
        (timedelta(days=91), HOUR, "visit_from"),
        (HOUR, timedelta(0), "visit_until"),
        (HOUR, -HOUR, "visit_until"),
        (HOUR, timedelta(hours=12, seconds=1), "visit_until"),
    ],
)
def test_appointments_that_cannot_be(begin: timedelta, length: timedelta, field: str) -> None:
    contacted = rules.contact(notified(), at=NOW, now=NOW).repair
    with pytest.raises(Invalid) as caught:
        rules.appoint(contacted, Appointment(from_=NOW + begin, until=NOW + begin + length), now=NOW)
    assert caught.value.field == field


def test_R6_is_longer_by_the_slot_of_the_visit() -> None:
    window = Appointment(from_=NOW + HOUR, until=NOW + 3 * HOUR)
    moved = rules.contact(notified(), at=NOW, now=NOW, appointment=window)
    assert [(effect.event, effect.slot) for effect in moved.effects] == [
        (Happened.CONTACTED, None),
        (None, 2 * HOUR),
    ]


def test_the_callback_is_due_at_the_appointment_at_the_latest_when_R6_is() -> None:
    repair = appointed()
    assert callback_due(repair, NOW + 50 * HOUR) == NOW + 3 * HOUR
    assert callback_due(repair, NOW + 2 * HOUR) == NOW + 2 * HOUR
    assert callback_due(notified(), NOW + 48 * HOUR) == NOW + 48 * HOUR
    assert callback_due(routed(), NOW + 48 * HOUR) is None


# Visits


@pytest.mark.parametrize(
    ("outcome", "status", "worked"),
    [
        (VisitOutcome.FIXED, CaseStatus.VISITED, 1),
        (VisitOutcome.UNFINISHED, CaseStatus.VISITED, 1),
        (VisitOutcome.NOT_HOME, CaseStatus.CONTACTED, 0),
        (VisitOutcome.REFUSED, CaseStatus.CONTACTED, 0),
    ],
)
def test_what_a_visit_leads_to(outcome: VisitOutcome, status: CaseStatus, worked: int) -> None:
    repair = visited(outcome)
    assert (repair.status, repair.worked_visits, repair.visit) == (status, worked, None)


def test_a_visit_at_which_nobody_was_home_does_not_spoil_the_first_time_fix() -> None:
    repair = visited(VisitOutcome.NOT_HOME)
    now = NOW + 5 * HOUR
    repair = rules.appoint(repair, Appointment(from_=now, until=now + HOUR), now=now).repair
    repair = rules.arrive(repair, at=now, now=now).repair
    repair = rules.finish(repair, VisitOutcome.FIXED, at=now, now=now).repair
    repair = rules.call_back(repair, Said(problem=ProblemStatus.SOLVED), at=now, now=now).repair
    assert repair.first_time_fix is True


def test_a_customer_who_rings_again_before_closing_begins_another_round() -> None:
    now = NOW + 3 * HOUR
    repair = rules.call_back(visited(), Said(problem=ProblemStatus.SOLVED), at=now, now=now).repair
    assert repair.status is CaseStatus.CALLBACK
    repair = rules.call_back(repair, Said(problem=ProblemStatus.NOT_HANDLED), at=now, now=now).repair
    assert (repair.status, repair.round, repair.solved) == (CaseStatus.ROUTED, 2, False)


def test_a_closed_repair_stays_closed() -> None:
    closed = rules.close(notified(), at=NOW, waiver="客户撤回").repair
    with pytest.raises(IllegalStep):
        rules.close(closed, at=NOW, waiver="再次")
    with pytest.raises(IllegalStep):
        rules.call_back(closed, Said(problem=ProblemStatus.SOLVED), at=NOW, now=NOW)


# Warranty

ISSUED: dict[str, Any] = {"stage": Stage.IN_WARRANTY, "no": "BX-1", "until": date(2027, 3, 1)}


@pytest.mark.parametrize(
    ("card", "flag", "warnings"),
    [
        (Card(**ISSUED), WarrantyFlag.FULL, ()),
        (Card(stage=Stage.DELIVERED), WarrantyFlag.NONE, (RepairWarning.WARRANTY_NOT_ISSUED,)),
        (Card(**ISSUED, flag=WarrantyFlag.PRE), WarrantyFlag.PRE, (RepairWarning.WARRANTY_NOT_ISSUED,)),
        (Card(**ISSUED, flag=WarrantyFlag.PARTIAL), WarrantyFlag.PARTIAL, (RepairWarning.PARTLY_WARRANTED,)),
        (Card(**ISSUED, flag=WarrantyFlag.EXCLUDED), WarrantyFlag.EXCLUDED, (RepairWarning.NOT_WARRANTED,)),
        (Card(**(ISSUED | {"until": TODAY})), WarrantyFlag.FULL, ()),
        (
            Card(**(ISSUED | {"until": TODAY - timedelta(days=1)})),
            WarrantyFlag.EXPIRED,
            (RepairWarning.WARRANTY_EXPIRED,),
        ),
        (Card(stage=Stage.OUT_OF_WARRANTY), WarrantyFlag.EXPIRED, (RepairWarning.WARRANTY_EXPIRED,)),
        (
            Card(stage=Stage.MIDTERM),
            WarrantyFlag.NONE,
            (RepairWarning.IN_CONSTRUCTION, RepairWarning.WARRANTY_NOT_ISSUED),
        ),
        (
            Card(stage=Stage.SUSPENDED),
            WarrantyFlag.NONE,
            (RepairWarning.IN_CONSTRUCTION, RepairWarning.WARRANTY_NOT_ISSUED),
        ),
        (None, WarrantyFlag.NONE, (RepairWarning.NO_PROJECT,)),
    ],
)
def test_the_snapshot_and_its_loud_warnings(
    card: Card | None, flag: WarrantyFlag, warnings: tuple[RepairWarning, ...]
) -> None:
    snapshot = take_snapshot(card, TODAY)
    assert snapshot.flag is flag and warnings_of(snapshot) == warnings


def test_a_class_against_the_warranty_is_warned_of_and_a_partial_one_fits_both() -> None:
    expired = take_snapshot(Card(stage=Stage.OUT_OF_WARRANTY), TODAY)
    assert suggested_class(expired) is RepairClass.OUT
    assert RepairWarning.CLASS_AGAINST_WARRANTY in warnings_of(expired, RepairClass.IN_WARRANTY)
    partial = take_snapshot(Card(**ISSUED, flag=WarrantyFlag.PARTIAL), TODAY)
    for chosen in RepairClass:
        assert RepairWarning.CLASS_AGAINST_WARRANTY not in warnings_of(partial, chosen)


# Cost


def material(quantity: str, price: str, item: str = "瓷砖") -> Material:
    return Material(item=item, kind=MaterialKind.MAIN, quantity=Decimal(quantity), price=Decimal(price))


def test_ABNORMAL_if_and_only_if_there_is_a_material_line() -> None:
    free = Figures(labour=Decimal(10), total=Decimal(10), bearers={CostBearer.CREW: Decimal(10)}, material=())
    assert cost.read_sheet(free, has_crew=True).kind is CostKind.NORMAL
    with_line = Figures(
        labour=Decimal(10),
        total=Decimal(10),
        bearers={CostBearer.CREW: Decimal(10)},
        material=(material("1", "0"),),
    )
    assert cost.read_sheet(with_line, has_crew=True).kind is CostKind.ABNORMAL


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("3", "45.50", "136.50"),
        ("0.333", "10.00", "3.33"),
        ("1.005", "1.00", "1.01"),
        ("0.001", "0.01", "0.00"),
    ],
)
def test_a_line_is_reckoned_to_the_cent(quantity: str, price: str, amount: str) -> None:
    assert material(quantity, price).amount == Decimal(amount)


@pytest.mark.parametrize("quantity", ["0", "-1", "1.0005", "NaN", "Infinity", "100000"])
def test_quantities_that_cannot_be_name_their_line(quantity: str) -> None:
    figures = Figures(
        labour=Decimal(0),
        total=Decimal(0),
        bearers={},
        material=(material("1", "0"), material(quantity, "0")),
    )
    with pytest.raises(Invalid) as caught:
        cost.read_sheet(figures, has_crew=True)
    assert caught.value.field == "material.1.quantity"


def test_the_crew_bears_nothing_when_nobody_knows_which_it_was() -> None:
    figures = Figures(labour=Decimal(10), total=Decimal(10), bearers={CostBearer.CREW: Decimal(10)})
    with pytest.raises(Invalid) as caught:
        cost.read_sheet(figures, has_crew=False)
    assert caught.value.field == "bearers.crew"


@pytest.mark.parametrize(
    ("held", "due", "posted", "owed"),
    [
        ("500", "300", "300", "0"),
        ("300", "300", "300", "0"),
        ("120.5", "300", "120.5", "179.5"),
        ("0", "1", "0", "1"),
    ],
)
def test_a_deduction_takes_what_is_there(held: str, due: str, posted: str, owed: str) -> None:
    taken = deduct(Decimal(held), Decimal(due))
    assert (taken.posted, taken.owed) == (Decimal(posted), Decimal(owed))


@pytest.mark.parametrize(
    "month", ["2026-00", "2026-13", "1999-01", "2026-1", "２０２６-01", "2026-01-01", ""]
)
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(Invalid):
        read_month(month)
