"""Projects in both databases: stages and their facts, payments, crews, who sees an address."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from crm.domain.machine import IllegalStep
from crm.domain.project import Stage
from crm.domain.stages import Delivery
from crm.domain.warranty import WarrantyFlag
from crm.events_people import PaymentPosted, StageCorrected, StageReached
from crm.organisation import NameTaken
from crm.payments import NewPayment, ReceiptTaken
from crm.projects import ContractTaken, ProjectFilter
from crm.stages import NewStage
from crm.tables import CaseParty, Project, ServiceCase
from crm.timeline import Timeline
from crm.warranties import Warranties
from crm.warranty_items import ends_of
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from kernel.events import Event, decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.people import AGENT, FINANCE, MANAGER, Desk, actor, make_desk

pytestmark = pytest.mark.integration

TODAY = date(2026, 3, 2)
PLANNED = {"concealed_planned": date(2026, 3, 10), "midterm_planned": date(2026, 3, 30)}


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_desk(database, clock)


async def facts(desk: Desk) -> list[Event]:
    async with desk.office.database.session() as session:
        rows = (await session.execute(select(OutboxRow).order_by(OutboxRow.event_id))).scalars().all()
    return [decode(row.payload) for row in rows]


async def running(desk: Desk, contract_no: str = "ZX-1") -> str:
    """A project whose work began yesterday."""
    owner = await desk.customer()
    made = await desk.project(owner.customer_id, contract_no, crew_id=await desk.crew())
    key = made.project.project_id
    await desk.reach(key, Stage.STARTED, TODAY - timedelta(days=1), **PLANNED)
    return key


def payment(amount: str, receipt: str, period: str = "first", due: str | None = None) -> NewPayment:
    paid_at = make_time()
    return NewPayment(period=period, amount=amount, paid_at=paid_at, receipt_no=receipt, due=due)


def make_time() -> datetime:
    return datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def cards(desk: Desk) -> Warranties:
    return Warranties(desk.office.database, desk.office.clock, desk.office.journal)


class TestStages:
    async def test_a_project_from_contract_to_warranty(self, desk: Desk, clock: FakeClock) -> None:
        owner = await desk.customer()
        made = await desk.project(owner.customer_id, crew_id=await desk.crew())
        assert made.project.address == "锦秋家园6号楼1203室"
        key = made.project.project_id
        await desk.reach(key, Stage.CREW_ASSIGNED, date(2026, 1, 10))
        started = await desk.reach(key, Stage.STARTED, date(2026, 1, 20), **PLANNED)
        assert (started.project.stage, started.project.started_on) == (Stage.STARTED, date(2026, 1, 20))
        await desk.reach(key, Stage.CONCEALED, date(2026, 2, 1))
        await desk.reach(key, Stage.MIDTERM, date(2026, 2, 10))
        mid = await desk.payments.post(FINANCE, key, payment("30000", "R2", "mid", "30000"))
        assert mid.project.stage is Stage.MID_PAID, "P10: finance posts the payment"
        await desk.payments.post(FINANCE, key, payment("70000", "R3", "final", "70000"))
        done = await desk.reach(key, Stage.COMPLETED, TODAY)
        assert done.project.stage is Stage.FINAL_PAID, "P12: the final payment was there already"
        with pytest.raises(Invalid) as caught:
            await desk.reach(key, Stage.DELIVERED, TODAY)
        assert caught.value.field == "delivery_state"
        for state in (
            Delivery.PREPARED,
            Delivery.FAILED,
            Delivery.MENDED,
            Delivery.PREPARED,
            Delivery.CALLED,
        ):
            await desk.stages.move_delivery(AGENT, key, state, expected=None)
        with pytest.raises(Invalid) as caught:
            await desk.reach(key, Stage.DELIVERED, TODAY)
        assert caught.value.field == "appraisal"
        with pytest.raises(Forbidden):
            await desk.stages.appraise(AGENT, key, 3, None, expected=None)
        with pytest.raises(Invalid) as caught:
            await desk.stages.appraise(MANAGER, key, None, " ", expected=None)
        assert caught.value.field == "note", "the manager goes without it only with a reason"
        posted = await desk.stages.appraise(MANAGER, key, 3, "回访满意", expected=None)
        assert (posted.project.appraisal_points, posted.project.appraised_by) == (3, MANAGER.name)
        handed = await desk.reach(key, Stage.DELIVERED, TODAY)
        assert handed.project.delivery_state is Delivery.DELIVERED
        prepared = await cards(desk).get(AGENT, key)
        assert (prepared.flag, prepared.issued_on) == (WarrantyFlag.PRE, None), "from the configured terms"
        assert [item.ends_on for item in prepared.items if item.code == "waterproof"] == [
            date(TODAY.year + 5, TODAY.month, TODAY.day)
        ]
        until = TODAY + timedelta(days=1)
        await desk.reach(key, Stage.IN_WARRANTY, TODAY, warranty_until=until)
        issued = await cards(desk).get(AGENT, key)
        assert (issued.flag, issued.issued_on) == (WarrantyFlag.FULL, TODAY)
        async with desk.office.database.session() as session:
            ends = await ends_of(session, await session.get_one(Project, key))
        assert ends == tuple(sorted({item.ends_on for item in issued.items})), "the days that callbacks go by"
        assert await desk.stages.expire_warranties(Actor.system("timers")) == 0
        clock.advance(timedelta(days=2))
        assert await desk.stages.expire_warranties(Actor.system("timers")) == 1
        found = await desk.projects.get(AGENT, key)
        assert found.project.stage is Stage.OUT_OF_WARRANTY
        reached = [item.stage for item in await facts(desk) if isinstance(item, StageReached)]
        assert reached == [35, 50, 60, 70, 75, 80, 85, 90, 95, 99]
        assert [int(item.stage) for item in found.stages] == sorted(reached, reverse=True)

    async def test_a_fact_tells_when_it_was_planned(self, desk: Desk) -> None:
        key = await running(desk)
        await desk.reach(key, Stage.CONCEALED, TODAY)
        (fact,) = [item for item in await facts(desk) if isinstance(item, StageReached) and item.stage == 60]
        assert (fact.happened_on, fact.planned_on) == (TODAY, PLANNED["concealed_planned"])

    async def test_only_the_manager_corrects_and_says_why(self, desk: Desk) -> None:
        key = await running(desk)
        await desk.reach(key, Stage.CONCEALED, TODAY)
        with pytest.raises(Forbidden):
            await desk.stages.correct(AGENT, key, Stage.STARTED, reason="登记错误", expected=None)
        with pytest.raises(Invalid) as caught:
            await desk.stages.correct(MANAGER, key, Stage.STARTED, reason="", expected=None)
        assert caught.value.field == "reason"
        found = await desk.stages.correct(MANAGER, key, Stage.STARTED, reason="登记错误", expected=None)
        assert found.project.stage is Stage.STARTED
        voided = [item for item in found.stages if item.voided_at]
        assert [(item.stage, item.void_reason) for item in voided] == [(Stage.CONCEALED, "登记错误")]
        (fact,) = [item for item in await facts(desk) if isinstance(item, StageCorrected)]
        assert (fact.stage_was, fact.stage, fact.voided) == (60, 50, (60,))
        again = await desk.reach(key, Stage.CONCEALED, TODAY)
        assert again.project.stage is Stage.CONCEALED, "the voided one does not count"

    async def test_suspended_and_ended(self, desk: Desk) -> None:
        key = await running(desk)
        still = await desk.stages.suspend(AGENT, key, since=TODAY, reason="客户要求停工", expected=None)
        assert (still.project.stage, still.project.rank) == (Stage.SUSPENDED, Stage.STARTED)
        with pytest.raises(IllegalStep):
            await desk.reach(key, Stage.CONCEALED, TODAY)
        on = await desk.stages.resume(AGENT, key, until=TODAY, expected=None)
        assert (on.project.stage, on.suspensions[0].until) == (Stage.STARTED, TODAY)
        await desk.stages.suspend(AGENT, key, since=TODAY, reason="材料未到", expected=None)
        with pytest.raises(Forbidden):
            await desk.stages.end(AGENT, key, Stage.CANCELLED, reason="退单", expected=None)
        over = await desk.stages.end(MANAGER, key, Stage.CANCELLED, reason="退单", expected=None)
        assert (over.project.stage, over.project.ended_reason) == (Stage.CANCELLED, "退单")
        with pytest.raises(Conflict):
            await desk.payments.post(FINANCE, key, payment("1", "R9"))
        back = await desk.stages.correct(MANAGER, key, Stage.STARTED, reason="客户继续", expected=None)
        assert (back.project.stage, back.project.cancelled_at) == (Stage.STARTED, None)

    async def test_two_people_do_not_register_the_same_stage(self, desk: Desk) -> None:
        key = await running(desk)
        version = (await desk.projects.get(AGENT, key)).project.version
        step = NewStage(stage=Stage.CONCEALED, happened_on=TODAY)
        await desk.stages.register(AGENT, key, step, expected=version)
        with pytest.raises(StaleVersion):
            await desk.stages.register(AGENT, key, step, expected=version)


class TestFields:
    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("contract_no", {"contract_no": ""}),
            ("address", {"community": None}),
            ("amount", {"amount": "1.005"}),
            ("area_m2", {"area_m2": "-3"}),
            ("kind", {"kind": "castle"}),
            ("contract_ends_on", {"contract_starts_on": TODAY, "contract_ends_on": date(2026, 3, 1)}),
            ("signed_on", {"signed_on": date(2026, 3, 3)}),
            ("started_on", {"started_on": TODAY}),
            ("crew_id", {"crew_id": new_ulid()}),
            ("store_id", {"store_id": new_ulid()}),
            ("colour", {"colour": "red"}),
            ("community", {"community": "长" * 61}),
            ("signed_on", {"signed_on": date(1800, 1, 1)}),
        ],
    )
    async def test_what_may_not_be_written(self, desk: Desk, field: str, change: dict[str, object]) -> None:
        owner = await desk.customer()
        with pytest.raises(Invalid) as caught:
            await desk.project(owner.customer_id, **change)  # type: ignore[arg-type]
        assert caught.value.field == field
        assert (await desk.projects.page(AGENT, ProjectFilter())).items == ()

    async def test_a_contract_number_is_given_once(self, desk: Desk) -> None:
        owner = await desk.customer()
        await desk.project(owner.customer_id, "ZX-1")
        second = await desk.project(owner.customer_id, "ZX-2")
        with pytest.raises(ContractTaken):
            await desk.project(owner.customer_id, "ZX-1")
        with pytest.raises(ContractTaken):
            await desk.projects.change(AGENT, second.project.project_id, {"contract_no": "ZX-1"}, expected=1)
        with pytest.raises(NotFound):
            await desk.project(new_ulid(), "ZX-3")

    async def test_the_amount_never_falls_below_what_was_paid(self, desk: Desk) -> None:
        key = await running(desk)
        await desk.payments.post(FINANCE, key, payment("60000", "R1"))
        with pytest.raises(Invalid) as caught:
            await desk.projects.change(AGENT, key, {"amount": "59999.99"}, expected=None)
        assert caught.value.field == "amount"
        with pytest.raises(Forbidden):
            await desk.projects.change(AGENT, key, {"changes": "5000"}, expected=None)
        found = await desk.projects.change(MANAGER, key, {"changes": "5000"}, expected=None)
        assert found.project.owed == Decimal("105000.00")

    async def test_a_departed_crew_gets_no_project(self, desk: Desk) -> None:
        crew_id = await desk.crew()
        gone = {"status": "departed", "departed_on": TODAY, "departed_reason": "合同到期"}
        with pytest.raises(Invalid) as caught:
            await desk.organisation.put_crew(MANAGER, crew_id, {"status": "departed"}, expected=1)
        assert caught.value.field == "departed_on"
        view = await desk.organisation.put_crew(MANAGER, crew_id, gone, expected=1)
        assert (view.status.value, view.departed_reason) == ("departed", "合同到期")
        owner = await desk.customer()
        with pytest.raises(Invalid) as caught:
            await desk.project(owner.customer_id, crew_id=crew_id)
        assert caught.value.field == "crew_id"

    async def test_from_P5_on_the_crew_cannot_be_taken_away(self, desk: Desk) -> None:
        key = await running(desk)
        with pytest.raises(Invalid) as caught:
            await desk.projects.change(AGENT, key, {"crew_id": None}, expected=None)
        assert caught.value.field == "crew_id"


class TestPayments:
    async def test_a_payment_is_never_edited_only_reversed(self, desk: Desk) -> None:
        key = await running(desk)
        posted = await desk.payments.post(FINANCE, key, payment("60000", "R1"))
        (first,) = posted.payments
        with pytest.raises(Invalid):
            await desk.payments.post(FINANCE, key, payment("40000.01", "R2"))
        with pytest.raises(ReceiptTaken):
            await desk.payments.post(FINANCE, key, payment("1", "R1"))
        undone = await desk.payments.reverse(FINANCE, first.payment_id, reason="金额录错")
        assert undone.project.paid == Decimal("0.00")
        newest, oldest = undone.payments
        assert (newest.amount, newest.reverses, oldest.reversed) == (
            Decimal("-60000.00"),
            first.payment_id,
            True,
        )
        for payment_id in (first.payment_id, newest.payment_id):
            with pytest.raises(Conflict):
                await desk.payments.reverse(FINANCE, payment_id, reason="再来")
        again = await desk.payments.post(FINANCE, key, payment("50000", "R1"))
        assert again.project.paid == Decimal("50000.00")
        assert len([item for item in await facts(desk) if isinstance(item, PaymentPosted)]) == 2
        entries = await Timeline(desk.office.database).page(AGENT, again.project.customer_id)
        assert [entry.channel for entry in entries.items] == ["payment"] * 3

    async def test_a_receipt_counts_across_projects(self, desk: Desk) -> None:
        first, second = await running(desk), await running(desk, "ZX-2")
        await desk.payments.post(FINANCE, first, payment("1", "R1"))
        with pytest.raises(ReceiptTaken):
            await desk.payments.post(FINANCE, second, payment("1", "R1"))
        assert (await desk.projects.get(FINANCE, second)).payments == ()

    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("period", {"period": "never"}),
            ("amount", {"amount": "0"}),
            ("amount", {"amount": "1.001"}),
            ("receipt_no", {"receipt_no": " "}),
            ("due", {"due": "-1"}),
        ],
    )
    async def test_what_is_no_payment(self, desk: Desk, field: str, change: dict[str, str]) -> None:
        key = await running(desk)
        given = {"period": "first", "amount": "1", "receipt_no": "R1", "paid_at": make_time()} | change
        with pytest.raises(Invalid) as caught:
            await desk.payments.post(FINANCE, key, NewPayment(**given))  # type: ignore[arg-type]
        assert caught.value.field == field


class TestWhoSeesWhat:
    async def test_departments_see_an_address_while_their_case_is_open(
        self, desk: Desk, database: Database, clock: FakeClock
    ) -> None:
        key = await running(desk)
        head = actor(Role.DEPARTMENT_HEAD, department="ENG")
        other = actor(Role.DEPARTMENT_HEAD, department="DES")
        for code in ("ENG", "DES"):
            await desk.organisation.put_department(MANAGER, code, {"name": code}, expected=None)
        assert (await desk.projects.get(head, key)).project.address is None
        async with database.transaction() as session:
            project = await session.get_one(Project, key)
            case = ServiceCase(
                id=new_ulid(),
                no="TS202603020001",
                kind="complaint",
                customer_id=project.customer_id,
                project_id=key,
                status="accepted",
                summary="水电",
                opened_at=clock.now(),
            )
            session.add(case)
            await session.flush()
            session.add(CaseParty(case_id=case.id, department_code="ENG"))
        assert (await desk.projects.get(head, key)).project.address == "锦秋家园6号楼1203室"
        assert (await desk.projects.get(other, key)).project.address is None
        assert (await desk.projects.get(FINANCE, key)).project.room is None
        async with database.transaction() as session:
            await session.execute(update(ServiceCase).values(closed_at=clock.now(), status="closed"))
        assert (await desk.projects.get(head, key)).project.address is None

    async def test_lists(self, desk: Desk) -> None:
        first, second = await running(desk), await running(desk, "ZX-2")
        await desk.stages.end(MANAGER, first, Stage.TERMINATED, reason="违约", expected=None)
        page = await desk.projects.page(AGENT, ProjectFilter(), limit=1)
        assert [item.project_id for item in page.items] == [second]
        rest = await desk.projects.page(AGENT, ProjectFilter(), limit=1, cursor=page.next_cursor)
        assert ([item.project_id for item in rest.items], rest.next_cursor) == ([first], None)
        found = await desk.projects.page(AGENT, ProjectFilter(running=False))
        assert [item.project_id for item in found.items] == [first]
        found = await desk.projects.page(AGENT, ProjectFilter(contract_no="ZX-2"))
        assert [item.contract_no for item in found.items] == ["ZX-2"]


class TestOrganisation:
    async def test_lists_are_kept(self, desk: Desk) -> None:
        org = desk.organisation
        store = await org.put_store(MANAGER, None, {"name": "朝阳店", "phone": "010-65551234"}, expected=None)
        with pytest.raises(NameTaken):
            await org.put_store(MANAGER, None, {"name": "朝阳店"}, expected=None)
        with pytest.raises(StaleVersion):
            await org.put_store(MANAGER, store.store_id, {"active": False}, expected=9)
        head, deputy = new_ulid(), new_ulid()
        given = {"name": "工程部", "head": "陈建国", "head_user_id": head, "deputy_user_id": deputy}
        made = await org.put_department(MANAGER, "ENG", given, expected=None)
        with pytest.raises(Invalid) as caught:
            await org.put_department(MANAGER, "ENG", {"deputy_user_id": head}, expected=made.version)
        assert caught.value.field == "deputy_user_id"
        with pytest.raises(NameTaken):
            await org.put_department(MANAGER, "ENG", {"name": "又一个"}, expected=None)
        person = {"name": "刘铁柱", "role": "PM", "department_code": "ENG", "phone": "13800138088"}
        staff = await org.put_staff(MANAGER, None, person, expected=None)
        assert (staff.phone_masked, staff.role.value) == ("138****8088", "PM")
        await org.put_staff(MANAGER, staff.staff_id, {"active": False}, expected=staff.version)
        assert await org.staff(AGENT) == ()
        for wrong, field in (
            ({"role": "KING", "name": "x"}, "role"),
            ({"name": "x"}, "role"),
            ({"name": "x", "role": "PM", "department_code": "NO"}, "department_code"),
            ({"role": "PM"}, "name"),
        ):
            with pytest.raises(Invalid) as caught:
                await org.put_staff(MANAGER, None, wrong, expected=None)
            assert caught.value.field == field


EDITS = {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR}
MANAGES = {Role.MANAGER, Role.ADMINISTRATOR}
SEES = EDITS | {
    Role.DEPARTMENT_HEAD,
    Role.DEPARTMENT_MEMBER,
    Role.CAPTAIN,
    Role.GENERAL_MANAGER,
    Role.FINANCE,
}


@pytest.mark.parametrize("role", Role)
async def test_the_services_check_the_role_themselves(sqlite: Database, clock: FakeClock, role: Role) -> None:
    desk = make_desk(sqlite, clock)
    who, key = actor(role, department="ENG"), new_ulid()
    step = NewStage(stage=Stage.CONCEALED, happened_on=TODAY)
    org = desk.organisation
    work: dict[str, tuple[set[Role], Callable[[], Awaitable[object]]]] = {
        "create": (EDITS, lambda: desk.projects.create(who, key, {})),
        "change": (EDITS, lambda: desk.projects.change(who, key, {}, expected=None)),
        "get": (SEES, lambda: desk.projects.get(who, key)),
        "register": (EDITS, lambda: desk.stages.register(who, key, step, expected=None)),
        "correct": (
            {Role.MANAGER},
            lambda: desk.stages.correct(who, key, Stage.SIGNED, reason="", expected=None),
        ),
        "suspend": (EDITS, lambda: desk.stages.suspend(who, key, since=TODAY, reason="", expected=None)),
        "resume": (EDITS, lambda: desk.stages.resume(who, key, until=TODAY, expected=None)),
        "end": ({Role.MANAGER}, lambda: desk.stages.end(who, key, Stage.CANCELLED, reason="", expected=None)),
        "deliver": (
            EDITS,
            lambda: desk.stages.move_delivery(who, key, Delivery.PREPARED, expected=None),
        ),
        "post": ({Role.FINANCE}, lambda: desk.payments.post(who, key, payment("x", ""))),
        "reverse": ({Role.FINANCE}, lambda: desk.payments.reverse(who, key, reason="")),
        "store": (MANAGES, lambda: org.put_store(who, key, {}, expected=1)),
        "department": (MANAGES, lambda: org.put_department(who, "", {}, expected=1)),
        "crew": (MANAGES, lambda: org.put_crew(who, key, {}, expected=1)),
        "staff": (MANAGES, lambda: org.put_staff(who, key, {}, expected=1)),
    }
    for name, (allowed, call) in work.items():
        with pytest.raises(HuifangError) as caught:
            await call()
        assert isinstance(caught.value, Forbidden) is (role not in allowed), name
