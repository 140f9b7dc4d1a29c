"""Major complaints E0–E10 on both databases: domain.md §1.3b, §4.4 Escalation and Compensation."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from crm.compensations import VoucherTaken
from crm.domain.case import CaseStatus, Severity
from crm.domain.compensation import Bearer, LiableParty, LiablePerson
from crm.domain.complaint import NextStep, NotYet
from crm.domain.escalation import EscalationState, Owed
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.escalation_read import EscalationFilter
from crm.escalations import AlreadyMajor, Liability
from crm.events_cases import CompensationDecided, EscalationMoved, RecoverySent, SeverityRaised
from crm.limit_lists import OverdueList
from crm.limits import TimerState
from kernel.access import Role
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    BOSS,
    DESIGNER,
    ENGINEER,
    FINANCE,
    HOUR,
    HR,
    MANAGER,
    SPECIALIST,
    open_desk,
    person,
)
from tests.support.escalations import NEW, SHARES, Office, money
from tests.support.limits import SettableClock, at, facts, local

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)
SECOND_MANAGER = person("白雪", Role.MANAGER)
SECOND_BOSS = person("钱总", Role.GENERAL_MANAGER)


@pytest.fixture
def clock() -> SettableClock:
    """Thursday 26 March 2026, 10:00; the next days off are the weekend."""
    return SettableClock(at("2026-03-26T10:00"))


@pytest.fixture
async def office(database: Database, clock: SettableClock) -> Office:
    desk = await open_desk(database, clock)
    complaint = await desk.handed_off()
    found = await desk.services.escalations.submit(SPECIALIST, complaint.case_id, complaint.version, NEW)
    return Office(desk, complaint, found)


async def test_all_the_way_from_E0_to_E10(office: Office, clock: SettableClock) -> None:
    assert (office.found.code, office.found.header.severity, office.found.header.major) == ("E0", 3, True)
    await office.to_plan()
    assert office.found.code == "E4"
    assert office.found.shares == {party.value: share for party, share in SHARES.items()}
    await office.to_voucher()
    assert office.found.code == "E6"
    clock.set(at("2026-03-31T20:00"))
    await office.go("compensations.approve", BOSS, approved=True)
    assert office.found.code == "E7"
    assert {share.payroll_month for share in office.found.compensations[-1].recovery} == {"2026-03"}
    clock.set(at("2026-04-01T09:00"))
    await office.go("compensations.pay", FINANCE, receipt_no="SJ-0401", paid_at=None)
    assert office.found.code == "E8"
    await office.go("compensations.send_recovery", FINANCE)
    assert office.found.code == "E9"
    (sent,) = await facts(office.desk.database, RecoverySent)
    assert (sent.month, sent.people, sent.amount) == ("2026-03", 2, "1000.00")
    listed = await office.desk.services.compensations.recoveries(HR, month="2026-03", is_open=True)
    assert [share.name for share in listed.items] == ["刘铁柱", "孙伟"]
    for share in listed.items:
        await office.go("compensations.recovered", HR, share.recovery_id, note="四月工资扣回")
    with pytest.raises(Owed) as owed:
        await office.go("escalations.close", SPECIALIST, outcome="客户满意")
    assert owed.value.field == "callback"
    await office.solved()
    await office.go("escalations.close", SPECIALIST, outcome="客户满意")
    assert (office.found.code, office.found.state) == ("E10", EscalationState.CLOSED)
    closed = await office.desk.close(office.complaint)
    assert closed.header.status is CaseStatus.CLOSED
    assert closed.escalation is not None
    assert closed.escalation.code == "E10"
    moves = [fact.state for fact in await facts(office.desk.database, EscalationMoved)]
    assert moves == ["E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10"]
    verdict = await AuditLog(office.desk.database, office.desk.clock).verify()
    assert verdict.sound


async def test_E0_must_state_cause_process_and_demand(office: Office) -> None:
    view = await office.desk.handed_off()
    submit = office.desk.services.escalations.submit
    for field in ("cause", "process_so_far", "demand"):
        with pytest.raises(Invalid) as refused:
            await submit(SPECIALIST, view.case_id, view.version, replace(NEW, **{field: " "}))
        assert refused.value.field == field
    with pytest.raises(StaleVersion):
        await submit(SPECIALIST, view.case_id, view.version - 1, NEW)
    assert (await office.desk.get(view)).escalation is None
    again = await office.desk.get(office.complaint)
    with pytest.raises(AlreadyMajor):
        await submit(SPECIALIST, again.case_id, again.version, NEW)


async def test_E0_makes_the_complaint_a_major_one_and_answers_what_was_owed(office: Office) -> None:
    (raised,) = await facts(office.desk.database, SeverityRaised)
    assert (raised.before, raised.severity) == (1, Severity.MAJOR)
    view = await office.desk.handed_off()
    await office.desk.done(view.lines[0])
    view = await office.desk.call_back(view, compensation_mentioned=True)
    assert view.next_step is NextStep.ESCALATE
    await office.desk.services.escalations.submit(SPECIALIST, view.case_id, view.version, NEW)
    view = await office.desk.get(view)
    assert (view.escalation_owed, view.next_step) == (False, NextStep.WAIT)
    with pytest.raises(NotYet) as owed:
        await office.desk.close(view)
    assert owed.value.field == "escalation"


async def test_E1_the_manager_looks_into_it_the_same_day_ES_REVIEW(office: Office) -> None:
    (limit,) = (await office.again()).limits
    assert (limit.code, limit.state, limit.record.no) == (
        "ES.REVIEW",
        TimerState.RUNNING,
        office.complaint.no,
    )
    assert local(limit.due_at) == "Thu 03-26 18:00"
    found = await office.go("escalations.review", MANAGER, visit_needed=False)
    (limit,) = found.limits
    assert (limit.state, limit.overdue) == (TimerState.STOPPED, False)


async def test_E1_that_is_late_stands_in_the_first_list(office: Office) -> None:
    overdue = office.desk.services.overdue
    office.desk.clock.advance(2 * DAY)
    late = (await overdue.overdue_page(MANAGER, OverdueList.NOT_ACCEPTED)).items
    assert "ES.REVIEW" in {row.code for row in late if row.case_id == office.complaint.case_id}


async def test_E2_takes_place_within_two_working_days_ES_VISIT(office: Office) -> None:
    found = await office.go("escalations.review", MANAGER, visit_needed=True)
    assert local(found.visit_due_at) == "Mon 03-30 18:00"  # from Thursday, over the weekend
    limit = found.limits[-1]
    assert (limit.code, limit.state, limit.record.no) == (
        "ES.VISIT",
        TimerState.RUNNING,
        office.complaint.no,
    )
    office.desk.clock.advance(5 * DAY)
    assert (await office.again()).visit_overdue
    now = office.desk.now
    await office.go(
        "escalations.agree_visit",
        MANAGER,
        visit_from=now,
        visit_until=now + HOUR,
        visit_with="陈建国",
    )
    office.desk.clock.advance(HOUR)
    found = await office.go("escalations.record_visit", MANAGER, visited_at=now, record="已到场")
    limit = next(limit for limit in found.limits if limit.code == "ES.VISIT")
    assert (limit.state, limit.overdue) == (TimerState.STOPPED, True)


async def test_without_a_visit_no_limit_runs(office: Office) -> None:
    found = await office.go("escalations.review", MANAGER, visit_needed=False)
    assert ([limit.code for limit in found.limits if limit.is_open], found.visit_due_at) == ([], None)
    with pytest.raises(Owed):
        await office.go(
            "escalations.agree_visit",
            MANAGER,
            visit_from=office.desk.now,
            visit_until=office.desk.now + HOUR,
            visit_with="x",
        )


async def test_E3_shares_of_99_99_are_refused_and_nothing_changes(office: Office) -> None:
    await office.go("escalations.review", MANAGER, visit_needed=False)
    before = await office.again()
    wrong = {**SHARES, LiableParty.COMPANY: Decimal("33.33")}
    with pytest.raises(Invalid) as refused:
        await office.go("escalations.settle_liability", MANAGER, Liability(shares=wrong, with_head="陈"))
    assert refused.value.field == "shares"
    assert await office.again() == before
    people = (
        LiablePerson(name="刘铁柱", percent=Decimal("60")),
        LiablePerson(name="孙伟", amount=Decimal(300)),
    )
    found = await office.go(
        "escalations.settle_liability", MANAGER, Liability(shares=SHARES, with_head="陈建国", persons=people)
    )
    assert [(person.name, person.percent, person.amount) for person in found.persons] == [
        ("刘铁柱", Decimal("60.00"), None),
        ("孙伟", None, Decimal("300.00")),
    ]


async def test_no_approval_by_whoever_entered_the_amount(office: Office) -> None:
    await office.to_plan()
    await office.go("compensations.request", MANAGER, money())
    promoted = replace(BOSS, user_id=MANAGER.user_id)
    with pytest.raises(SamePerson):
        await office.go("compensations.review", promoted, agreed=True)
    await office.go("compensations.change", SECOND_MANAGER, money(reason="金额核对"))
    helper = replace(BOSS, user_id=SECOND_MANAGER.user_id)
    with pytest.raises(SamePerson):
        await office.go("compensations.review", helper, agreed=True)
    await office.go("compensations.review", BOSS, agreed=True)
    with pytest.raises(IllegalStep):
        await office.go("compensations.change", MANAGER, money())
    await office.go("compensations.write_voucher", FINANCE, voucher_no="PZ-1", amount=Decimal(3000))
    clerk = replace(BOSS, user_id=FINANCE.user_id)
    for who in (clerk, helper, promoted):
        with pytest.raises(SamePerson):
            await office.go("compensations.approve", who, approved=True)
    assert (await office.again()).code == "E6"


async def test_a_changed_amount_is_not_decided_on_unseen(office: Office) -> None:
    await office.to_plan()
    asked = await office.go("compensations.request", MANAGER, money())
    await office.go("compensations.change", MANAGER, money())
    with pytest.raises(StaleVersion):
        await office.desk.services.compensations.review(BOSS, asked.escalation_id, asked.version, agreed=True)


async def test_refusals_lead_back_to_E4_with_reason(office: Office) -> None:
    await office.to_plan()
    await office.go("compensations.request", MANAGER, money())
    with pytest.raises(Invalid) as silent:
        await office.go("compensations.review", BOSS, agreed=False)
    assert silent.value.field == "reason"
    found = await office.go("compensations.review", BOSS, agreed=False, reason="金额偏高")
    assert (found.code, found.compensations[-1].state, found.compensations[-1].refused_why) == (
        "E4",
        "refused",
        "金额偏高",
    )
    await office.to_voucher()
    found = await office.go("compensations.approve", BOSS, approved=False, reason="再谈")
    assert (found.code, [request.state for request in found.compensations]) == ("E4", ["refused"] * 2)
    await office.to_voucher()
    decided = [fact.state for fact in await facts(office.desk.database, CompensationDecided)]
    assert decided == ["refused", "reviewed", "vouchered", "refused", "reviewed", "vouchered"]


async def test_amounts_that_do_not_add_up_are_refused_by_field(office: Office) -> None:
    await office.to_plan()
    before = await office.again()
    third = Decimal("1000")
    for changes, field in (
        ({"amount": Decimal("3000.01")}, "bearers"),
        ({"amount": Decimal("-1")}, "amount"),
        ({"amount": Decimal("0.001")}, "amount"),
        ({"bearers": {Bearer.STAFF: Decimal("3000")}}, "recovery"),
        ({"recovery": ()}, "recovery"),
        ({"bearers": {Bearer.COMPANY: third, Bearer.CREW: Decimal("-1")}}, "bearers.crew"),
        ({"reason": ""}, "reason"),
    ):
        with pytest.raises(Invalid) as refused:
            await office.go("compensations.request", MANAGER, money(**changes))
        assert refused.value.field == field
    assert await office.again() == before
    await office.go("compensations.request", MANAGER, money())
    await office.go("compensations.review", BOSS, agreed=True)
    with pytest.raises(Invalid) as other:
        await office.go("compensations.write_voucher", FINANCE, voucher_no="PZ-9", amount=Decimal(2999))
    assert other.value.field == "amount"


async def test_a_voucher_is_for_one_payment(office: Office) -> None:
    await office.to_plan()
    await office.go("compensations.request", MANAGER, money())
    await office.go("compensations.review", BOSS, agreed=True)
    await office.go("compensations.write_voucher", FINANCE, voucher_no="PZ-1", amount=Decimal(3000))
    await office.go("compensations.approve", BOSS, approved=False, reason="重做")
    await office.go("compensations.request", MANAGER, money())
    await office.go("compensations.review", BOSS, agreed=True)
    with pytest.raises(VoucherTaken) as taken:
        await office.go("compensations.write_voucher", FINANCE, voucher_no="PZ-1", amount=Decimal(3000))
    assert taken.value.field == "voucher_no"


async def test_two_decide_at_once_and_one_wins(office: Office) -> None:
    await office.to_plan()
    await office.to_voucher()
    found = await office.again()
    approve = office.desk.services.compensations.approve
    done = await asyncio.gather(
        approve(BOSS, found.escalation_id, found.version, approved=True),
        approve(SECOND_BOSS, found.escalation_id, found.version, approved=False, reason="不同意"),
        return_exceptions=True,
    )
    assert [type(lost) for lost in done if isinstance(lost, BaseException)] == [StaleVersion]
    moves = [fact for fact in await facts(office.desk.database, EscalationMoved) if fact.before == "E6"]
    assert len(moves) == 1


async def test_E8_is_paid_between_the_approval_and_now(office: Office) -> None:
    await office.to_plan()
    await office.to_voucher()
    await office.go("compensations.approve", BOSS, approved=True)
    approved = office.desk.now
    office.desk.clock.advance(HOUR)
    for at_ in (approved - HOUR, office.desk.now + HOUR):
        with pytest.raises(Invalid) as refused:
            await office.go("compensations.pay", FINANCE, receipt_no="SJ-1", paid_at=at_)
        assert refused.value.field == "paid_at"
    with pytest.raises(Invalid) as bare:
        await office.go("compensations.pay", FINANCE, receipt_no=" ", paid_at=None)
    assert bare.value.field == "receipt_no"
    found = await office.go("compensations.pay", FINANCE, receipt_no="SJ-1", paid_at=approved)
    assert found.compensations[-1].paid_at == approved


async def test_E9_settles_each_share_once(office: Office) -> None:
    await office.to_plan()
    await office.to_voucher()
    await office.go("compensations.approve", BOSS, approved=True)
    await office.go("compensations.pay", FINANCE, receipt_no="SJ-1", paid_at=None)
    await office.go("compensations.send_recovery", FINANCE)
    first = office.found.compensations[-1].recovery[0]
    await office.go("compensations.recovered", HR, first.recovery_id)
    with pytest.raises(Conflict):
        await office.go("compensations.recovered", HR, first.recovery_id)
    with pytest.raises(NotFound):
        await office.go("compensations.recovered", HR, new_ulid())
    with pytest.raises(Owed) as owed:
        await office.go("escalations.close", SPECIALIST, outcome="x")
    assert owed.value.field == "recovery"
    page = await office.desk.services.compensations.recoveries(HR, is_open=False)
    assert [share.done_by for share in page.items] == [HR.name]


async def test_a_plan_that_costs_nothing_closes_after_the_callback(office: Office) -> None:
    await office.to_plan(costs=False)
    with pytest.raises(Owed):
        await office.go("compensations.request", MANAGER, money())
    with pytest.raises(Owed) as owed:
        await office.go("escalations.close", SPECIALIST, outcome="致歉")
    assert owed.value.field == "callback"
    await office.solved()
    assert (await office.go("escalations.close", SPECIALIST, outcome="致歉并返工")).code == "E10"


async def test_departments_see_their_major_complaints_without_money(office: Office) -> None:
    await office.to_plan()
    await office.to_voucher()
    escalations = office.desk.services.escalations
    mine = await escalations.get(ENGINEER, office.found.escalation_id)
    assert (mine.code, mine.compensations, mine.persons, mine.steps) == ("E6", (), (), ())
    listed = await escalations.page(ENGINEER, EscalationFilter())
    assert [(row.no, row.amount) for row in listed.items] == [(office.complaint.no, None)]
    with pytest.raises(NotFound):
        await escalations.get(DESIGNER, office.found.escalation_id)
    assert (await escalations.page(DESIGNER, EscalationFilter())).items == ()
    with pytest.raises(NotFound):
        await escalations.get(MANAGER, new_ulid())
    waiting = await escalations.page(BOSS, EscalationFilter(for_decision=True, is_open=True))
    (row,) = waiting.items
    assert (row.amount, row.compensation_state) == (Decimal("3000.00"), "vouchered")
    assert set((await escalations.get(BOSS, office.found.escalation_id)).steps) == {"approve", "refuse"}
