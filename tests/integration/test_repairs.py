"""Repairs on both databases, from registration to closing: domain.md §1.5, each rule by its name."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from crm.cases import CaseRegister, NewCase
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.project import Stage
from crm.domain.repair import Route, RouteReason, Step
from crm.domain.warranty import RepairClass, RepairWarning, WarrantyFlag
from crm.events_limits import LimitBreached
from crm.events_repairs import RepairRouted, RerouteProposed
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, TimerState
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment
from crm.repair_read import RepairFilter
from crm.repair_tables import REPAIR_BACKFILL, RepairVisitRow, WarrantyRow
from crm.repair_views import RepairList, RepairView
from crm.reroute_check import propose_reroute
from crm.search import Kind
from crm.search_query import Search
from crm.tables import Contact
from kernel.access import Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from tests.support.limits import facts
from tests.support.repairs import (
    CAPTAIN,
    CREW_LEFT,
    DEMANDED,
    ENGINEER,
    FINANCE,
    HOUR,
    SPECIALIST,
    Company,
    open_company,
    person,
)

pytestmark = pytest.mark.integration

ORIGINAL = AskedRoute(route=Route.ORIGINAL)
NO_CONTACT = AskedRoute(route=Route.CAPTAIN, reason=RouteReason.ORIGINAL_NO_CONTACT)


@pytest.fixture
async def company(database: Database, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(database, clock, tmp_path / "files")


def running(repair: RepairView) -> dict[str, str]:
    """Code → due time of the limits that run, in hours from Monday 10:00."""
    return {timer.code: f"{timer.due_at:%m-%d %H:%M}" for timer in repair.timers if timer.is_open}


async def test_R0_registers_with_a_number_a_snapshot_and_the_limits_R2_and_R6(company: Company) -> None:
    repair = await company.register()
    assert repair.no == "BX202603020001" and repair.status is CaseStatus.REGISTERED
    assert (repair.warranty.flag, repair.warranty.no) == (WarrantyFlag.FULL, "BX-0001")
    assert repair.repair_class is RepairClass.IN_WARRANTY and repair.warnings == ()
    assert (repair.original_crew, repair.original_crew_left) == ("刘施工队", False)
    # 3 h of service, and 48 h: Monday 10:00 → Monday 13:00 and Wednesday 10:00 in Shanghai.
    assert running(repair) == {"BX.R2": "03-02 05:00", "BX.R6": "03-04 02:00"}
    assert (repair.steps, repair.case.limit_set) == ((Step.ROUTE,), "A/1")


async def test_a_home_that_is_not_finished_warns_and_lets_the_agent_go_on(company: Company) -> None:
    await company.change_project(stage=int(Stage.MIDTERM), warranty_no=None, warranty_until=None)
    preview = await company.services.reader.preview(SPECIALIST, company.project_id)
    repair = await company.register(repair_class=RepairClass.OUT)
    expected = (RepairWarning.IN_CONSTRUCTION, RepairWarning.WARRANTY_NOT_ISSUED)
    assert preview.warnings == expected == repair.warnings
    assert repair.status is CaseStatus.REGISTERED


async def test_the_snapshot_stays_when_the_warranty_changes(company: Company) -> None:
    await company.change_project(warranty_until=date(2026, 3, 1))
    repair = await company.register(repair_class=RepairClass.IN_WARRANTY)
    assert repair.warranty.flag is WarrantyFlag.EXPIRED and repair.warranty.until == date(2026, 3, 1)
    assert repair.warnings == (RepairWarning.WARRANTY_EXPIRED, RepairWarning.CLASS_AGAINST_WARRANTY)
    await company.change_project(warranty_until=date(2027, 3, 1))
    again = await company.services.reader.get(SPECIALIST, repair.case_id)
    assert again.warranty == repair.warranty and again.warnings == repair.warnings


async def test_a_partial_warranty_names_what_it_leaves_out(company: Company) -> None:
    async with company.database.transaction() as session:
        session.add(
            WarrantyRow(
                project_id=company.project_id,
                flag="partial",
                no="BX-0002",
                until=date(2028, 3, 1),
                excluded=["橱柜:客户自购"],
                written_at=company.clock.now(),
                written_by="周晓梅",
            )
        )
    repair = await company.register()
    assert repair.warranty.excluded == ("橱柜:客户自购",)
    assert repair.warnings == (RepairWarning.PARTLY_WARRANTED,)


async def test_R1_goes_to_the_original_crew_when_it_is_active(company: Company) -> None:
    repair = await company.register(ORIGINAL)
    assert (repair.status, repair.route, repair.crew) == (CaseStatus.ROUTED, Route.ORIGINAL, "刘施工队")
    assert repair.case.department == "ENG"


async def test_R1_goes_to_the_captain_when_the_crew_has_left(company: Company) -> None:
    await company.set_crew("departed")
    with pytest.raises(Invalid) as caught:
        await company.register(ORIGINAL)
    assert caught.value.field == "route"
    repair = await company.register(CREW_LEFT)
    assert (repair.route, repair.route_reason) == (Route.CAPTAIN, RouteReason.CREW_LEFT)
    assert repair.original_crew_left and repair.case.department == "CS"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (AskedRoute(route=Route.CAPTAIN), "reason"),
        (CREW_LEFT, "reason"),
        (NO_CONTACT, "reason"),
        (AskedRoute(route=Route.CAPTAIN, reason=RouteReason.PLAN_REJECTED), "reason"),
        (AskedRoute(route=Route.ORIGINAL, reason=RouteReason.CUSTOMER_DEMAND), "reason"),
        (AskedRoute(route=Route.OTHER_CREW, reason=RouteReason.CUSTOMER_DEMAND), "crew_id"),
        (AskedRoute(route=Route.CAPTAIN, reason=RouteReason.CUSTOMER_DEMAND, crew_id="x"), "crew_id"),
    ],
)
async def test_a_first_routing_without_a_reason_that_holds_changes_nothing(
    company: Company, asked: AskedRoute, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await company.register(asked)
    assert caught.value.field == field
    assert (await company.services.reader.page(SPECIALIST, RepairFilter())).items == ()


async def test_R2_ends_and_R3_runs_when_whoever_repairs_is_told(company: Company) -> None:
    repair = await company.register(ORIGINAL)
    company.clock.advance(2 * HOUR)
    repair = await company.notify(repair)
    assert running(repair) == {"BX.R3": "03-03 04:00", "BX.R6": "03-04 02:00"}
    assert (repair.notified_by, repair.notified_whom) == ("周晓梅", "刘师傅")
    (r2,) = [timer for timer in repair.timers if timer.code == "BX.R2"]
    assert r2.state is TimerState.STOPPED and not r2.overdue


async def test_R3_and_R4_fall_together_and_R6_grows_by_the_visits_slot(company: Company) -> None:
    repair = await company.appointed(await company.notified())
    assert repair.status is CaseStatus.APPOINTED
    assert running(repair) == {"BX.R6": "03-04 04:00"}, "48 h and the two hours of the visit"
    assert repair.appointed_until is not None
    assert repair.callback_due == repair.appointed_until, "domain.md §7 row 3: at the appointment"


async def test_the_callback_is_due_at_the_latest_48_hours_and_the_slot_after_registration(
    company: Company,
) -> None:
    repair = await company.notified()
    now = company.clock.now()
    late = NewAppointment(from_=now + timedelta(days=5), until=now + timedelta(days=5, hours=3), plan="重做")
    repair = await company.services.work.contact(
        SPECIALIST,
        repair.case_id,
        expected=repair.version,
        contact=CustomerContact(says="下周", appointment=late),
    )
    assert repair.callback_due == now + timedelta(hours=51)


async def test_the_24_hour_check_proposes_a_new_route_once(company: Company) -> None:
    repair = await company.notified()
    with pytest.raises(Invalid, match="not over"):
        await company.services.repairs.route(
            SPECIALIST, repair.case_id, expected=repair.version, asked=NO_CONTACT
        )
    company.clock.advance(24 * HOUR + timedelta(seconds=1))
    wanted = RepairFilter(which=RepairList.REROUTE)
    page = await company.services.reader.page(SPECIALIST, wanted)
    assert [item.no for item in page.items] == [repair.no] and page.items[0].reroute_proposed
    worker = LimitWorker(company.database, company.clock, LimitBook(company.clock), worker="w")
    while await worker.run_once():
        pass
    for breach in [fact for fact in await facts(company.database, LimitBreached) if fact.code == "BX.R3"] * 2:
        async with company.database.transaction() as session:
            await propose_reroute(session, breach)
    (proposed,) = await facts(company.database, RerouteProposed)
    assert (proposed.no, proposed.specialist_id) == (repair.no, SPECIALIST.user_id)
    repair = await company.services.repairs.route(
        SPECIALIST, repair.case_id, expected=repair.version, asked=NO_CONTACT
    )
    assert repair.status is CaseStatus.ROUTED and repair.reroutes == 1
    assert (await company.services.reader.page(SPECIALIST, wanted)).items == ()


async def test_a_reroute_voids_the_old_limits_and_runs_a_fresh_3_24_48_chain(company: Company) -> None:
    repair = await company.notified()
    company.clock.advance(24 * HOUR + timedelta(minutes=1))
    repair = await company.services.repairs.route(
        SPECIALIST, repair.case_id, expected=repair.version, asked=replace(NO_CONTACT, note="三次未接")
    )
    assert running(repair) == {"BX.R2": "03-03 05:01", "BX.R6": "03-05 02:01"}
    old = {timer.code: timer.state for timer in repair.timers if not timer.is_open}
    assert old == {"BX.R2": TimerState.STOPPED, "BX.R3": TimerState.VOID, "BX.R6": TimerState.VOID}
    assert [(routing.route, routing.reason, routing.note) for routing in repair.routings] == [
        (Route.ORIGINAL, None, ""),
        (Route.CAPTAIN, RouteReason.ORIGINAL_NO_CONTACT, "三次未接"),
    ]
    repair = await company.notify(repair)
    assert running(repair)["BX.R3"] == "03-04 02:01"
    told = await facts(company.database, RepairRouted)
    assert [(fact.department, fact.again) for fact in told] == [("ENG", False), ("CS", True)]


async def test_a_plan_that_the_customer_rejects_is_a_reason_and_calls_the_visit_off(company: Company) -> None:
    rejected = AskedRoute(route=Route.CAPTAIN, reason=RouteReason.PLAN_REJECTED)
    repair = await company.notified()
    with pytest.raises(Invalid, match="no plan"):
        await company.services.repairs.route(
            SPECIALIST, repair.case_id, expected=repair.version, asked=rejected
        )
    repair = await company.appointed(repair)
    repair = await company.services.work.depart(SPECIALIST, repair.case_id, expected=repair.version)
    repair = await company.services.repairs.route(
        SPECIALIST, repair.case_id, expected=repair.version, asked=rejected
    )
    assert (repair.plan, repair.appointed_from, repair.callback_due) == (None, None, None)
    assert repair.visits[0].cancelled_at is not None


async def test_another_crew_is_led_by_the_captain(company: Company) -> None:
    repair = await company.notified(DEMANDED)
    asked = AskedRoute(
        route=Route.OTHER_CREW, reason=RouteReason.CUSTOMER_DEMAND, crew_id=company.other_crew_id
    )
    repair = await company.services.repairs.route(
        CAPTAIN, repair.case_id, expected=repair.version, asked=asked
    )
    assert (repair.crew, repair.case.department) == ("马施工队", "CS")
    assert repair.original_crew_id == company.crew_id


async def test_the_captain_sees_and_works_on_what_is_routed_to_them_only(company: Company) -> None:
    other, mine = await company.notified(ORIGINAL), await company.notified(DEMANDED)
    reader, work = company.services.reader, company.services.work
    assert [item.no for item in (await reader.page(CAPTAIN, RepairFilter())).items] == [mine.no]
    with pytest.raises(NotFound):
        await reader.get(CAPTAIN, other.case_id)
    with pytest.raises(NotFound):
        await work.depart(CAPTAIN, other.case_id, expected=other.version)
    elsewhere = person("外区队长", Role.CAPTAIN, "MAT")
    with pytest.raises(NotFound):
        await work.depart(elsewhere, mine.case_id, expected=mine.version)
    seen = await reader.get(ENGINEER, other.case_id)
    with pytest.raises(Forbidden):
        await company.appointed(seen, ENGINEER)
    for nobody in (FINANCE, ENGINEER):
        with pytest.raises(Forbidden):
            await company.services.repairs.close(nobody, other.case_id, expected=other.version)


async def test_two_people_never_overwrite_each_other(company: Company) -> None:
    repair = await company.notified()
    results = await asyncio.gather(*(company.appointed(repair) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, RepairView) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 3


@pytest.mark.parametrize("hours", [-1, 13])
async def test_a_visit_that_ends_before_it_begins_or_lasts_too_long_is_refused(
    company: Company, hours: int
) -> None:
    repair, now = await company.notified(), company.clock.now()
    agreed = NewAppointment(from_=now + HOUR, until=now + HOUR + hours * HOUR, plan="重做")
    with pytest.raises(Invalid) as caught:
        await company.services.work.contact(
            SPECIALIST,
            repair.case_id,
            expected=repair.version,
            contact=CustomerContact(says="好", appointment=agreed),
        )
    assert caught.value.field == "visit_until"
    assert (await company.services.reader.get(SPECIALIST, repair.case_id)).version == repair.version


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symptoms": "漏" * 2001}, "symptoms"),
        ({"symptoms": " "}, "symptoms"),
        ({"place": ""}, "place"),
        ({"place": "卫" * 1_000_000}, "place"),
        ({"call_id": "../../x"}, "call_id"),
        ({"project_id": "nothing"}, "project_id"),
    ],
)
async def test_bad_input_names_its_field(company: Company, change: dict[str, Any], field: str) -> None:
    with pytest.raises((Invalid, NotFound)) as caught:
        await company.register(**change)
    assert caught.value.field == field


async def test_everything_is_in_the_journal_the_search_and_the_time_line(company: Company) -> None:
    repair = await company.repaired()
    records = await AuditLog(company.database, company.clock).recent(limit=20)
    actions = [record.action for record in reversed(records) if record.entity_id == repair.case_id]
    assert actions == [
        "repair.registered",
        "repair.routed",
        "repair.notified",
        "repair.contacted",
        "repair.arrived",
        "repair.visited",
    ]
    page = await Search(company.database).search(SPECIALIST, "闭水试验")
    assert [(hit.kind, hit.ref_id) for hit in page.items] == [(Kind.REPAIR, repair.case_id)]
    async with company.database.session() as session:
        entry = (await session.scalars(select(Contact).where(Contact.ref == repair.case_id))).one()
        (visit,) = (await session.scalars(select(RepairVisitRow))).all()
    assert entry.result == "visited" and visit.open_key is None


async def test_the_captains_day_is_in_order_of_time(company: Company) -> None:
    for hours in (5, 1, 3):
        repair, now = await company.notified(DEMANDED), company.clock.now()
        agreed = NewAppointment(from_=now + hours * HOUR, until=now + (hours + 1) * HOUR, plan="检修")
        await company.services.work.contact(
            CAPTAIN,
            repair.case_id,
            expected=repair.version,
            contact=CustomerContact(says="好", appointment=agreed),
        )
    now = company.clock.now()
    found = await company.services.reader.agenda(CAPTAIN, now, now + timedelta(days=1))
    assert [item.appointed_from for item in found] == [now + hours * HOUR for hours in (1, 3, 5)]
    assert {item.community for item in found} == {"望京花园"}
    with pytest.raises(Invalid):
        await company.services.reader.agenda(CAPTAIN, now, now)


async def test_pages_follow_one_another(company: Company) -> None:
    made = [await company.register() for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await company.services.reader.page(SPECIALIST, RepairFilter(), cursor=cursor, limit=2)
        seen += [item.no for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [repair.no for repair in reversed(made)]


async def test_a_repair_that_came_before_its_table_can_be_read_and_worked_on(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    company = await open_company(database, clock, tmp_path / "files")
    register = CaseRegister(database, clock, zone=SHANGHAI)
    new = NewCase(
        kind=CaseKind.REPAIR,
        customer_id=company.customer_id,
        project_id=company.project_id,
        content="客厅插座没有电",
    )
    async with database.transaction() as session:
        old = await register.open(session, SPECIALIST, new, at=clock.now())
    known = await company.register()
    for _ in range(2):
        async with database.transaction() as session:
            for statement in REPAIR_BACKFILL[database.dialect_name]:
                await session.execute(text(statement))
    repair = await company.services.reader.get(SPECIALIST, old.id)
    assert (repair.original_crew, repair.warranty.flag) == ("刘施工队", WarrantyFlag.NONE)
    repair = await company.services.repairs.route(
        SPECIALIST, repair.case_id, expected=repair.version, asked=ORIGINAL
    )
    assert repair.status is CaseStatus.ROUTED
    assert (await company.services.reader.get(SPECIALIST, known.case_id)).warranty.no == "BX-0001"
