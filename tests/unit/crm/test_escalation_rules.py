"""The rules of major complaints by their table rows: domain.md §1.3b E0–E10, §4.4."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.domain import compensation as money
from crm.domain import escalation as rules
from crm.domain.compensation import (
    Bearer,
    Compensation,
    CompensationState,
    LiableParty,
    LiablePerson,
    RecoveryShare,
    payroll_month,
    read_amount,
    read_persons,
    read_shares,
    read_split,
)
from crm.domain.complaint_line import Window
from crm.domain.escalation import (
    ESCALATION_LABELS,
    TABLE,
    Escalation,
    EscalationState,
    Move,
    Owed,
    moves_from,
)
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from kernel.access import Role
from kernel.business_time import SHANGHAI
from kernel.errors import Forbidden, HuifangError, Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 26, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VISIT = Window(from_=NOW + HOUR, until=NOW + 2 * HOUR)
S, M = EscalationState, Move
GM = Role.GENERAL_MANAGER
LIMIT = Decimal("2000.00")

E0 = Escalation()
E1 = rules.review(E0, NOW, visit_needed=True)
E1_NO_VISIT = rules.review(E0, NOW, visit_needed=False)
E2 = rules.agree_visit(E1, VISIT, NOW)
E2_VISITED = rules.record_visit(E2, NOW + HOUR, NOW + HOUR)
E3 = rules.settle_liability(E2_VISITED)
E4 = rules.plan(E3, costs=True)
E4_FREE = rules.plan(E3, costs=False)
E5 = rules.request(E4)
E6 = rules.agree(E5)
E7 = rules.approve(E6)
E8 = rules.pay(E7, recovery=2)
E8_NONE = rules.pay(E7, recovery=0)
E9 = rules.send_recovery(E8)


def refused(field: str, call: Any, kind: type[HuifangError] = Owed) -> None:
    with pytest.raises(kind) as error:
        call()
    assert error.value.field == field


def test_the_states_have_the_codes_and_the_order_of_the_table() -> None:
    found = [state.state.code for state in (E0, E1, E2, E3, E4, E5, E6, E7, E8, E9)]
    assert found == [f"E{number}" for number in range(10)]
    assert S.CLOSED.code == "E10"
    assert set(ESCALATION_LABELS) == set(TABLE) == set(EscalationState)


def test_E1_notes_whether_a_visit_is_needed() -> None:
    assert (E1.reviewed_at, E1.visit_needed) == (NOW, True)
    assert moves_from(E1) == (M.AGREE_VISIT,)
    assert moves_from(E1_NO_VISIT) == (M.SETTLE_LIABILITY,)
    refused("visit_needed", lambda: rules.agree_visit(E1_NO_VISIT, VISIT, NOW))
    refused("visited_at", lambda: rules.settle_liability(E1))


def test_E2_may_be_moved_until_it_took_place() -> None:
    later = Window(from_=NOW + 5 * HOUR, until=NOW + 6 * HOUR)
    assert rules.agree_visit(E2, later, NOW).visit == later
    refused("visited_at", lambda: rules.settle_liability(E2))
    refused("visited_at", lambda: rules.agree_visit(E2_VISITED, later, NOW))
    refused("visited_at", lambda: rules.record_visit(E2_VISITED, NOW + HOUR, NOW + HOUR))
    refused("visited_at", lambda: rules.record_visit(E2, NOW + HOUR, NOW), Invalid)
    refused("visited_at", lambda: rules.record_visit(E2, NOW - HOUR, NOW), Invalid)
    refused("visit_until", lambda: rules.agree_visit(E1, Window(from_=NOW, until=NOW), NOW), Invalid)


def test_E4_leads_to_E5_only_when_it_costs_and_to_E10_only_when_not() -> None:
    refused("costs", lambda: rules.request(E4_FREE))
    refused("compensation", lambda: rules.close(E4, called_back=True))
    assert rules.close(E4_FREE, called_back=True).state is S.CLOSED
    assert rules.plan(E4, costs=False).costs is False
    assert (moves_from(E4), moves_from(E4_FREE)) == ((M.PLAN, M.REQUEST), (M.PLAN, M.CLOSE))


def test_E5_and_E7_refused_lead_to_E4() -> None:
    assert rules.refuse_money(E5).state is S.PLAN
    assert rules.refuse_money(E6).state is S.PLAN


def test_E8_goes_to_HR_only_when_somebody_of_the_staff_bears_a_part() -> None:
    refused("recovery", lambda: rules.send_recovery(E8_NONE))
    refused("recovery", lambda: rules.close(E8, called_back=True))
    assert rules.close(E8_NONE, called_back=True).state is S.CLOSED


def test_E9_closes_when_every_share_is_settled() -> None:
    one = rules.recovered(E9)
    refused("recovery", lambda: rules.close(one, called_back=True))
    both = rules.recovered(one)
    refused("recovery", lambda: rules.recovered(both))
    assert moves_from(both) == (M.CLOSE,)
    assert rules.close(both, called_back=True).state is S.CLOSED


@pytest.mark.parametrize("found", [E4_FREE, E8_NONE, rules.recovered(rules.recovered(E9))])
def test_E10_needs_the_callback_TS(found: Escalation) -> None:
    refused("callback", lambda: rules.close(found, called_back=False))


STEPS: dict[Move, Any] = {
    M.REVIEW: lambda found: rules.review(found, NOW, visit_needed=True),
    M.AGREE_VISIT: lambda found: rules.agree_visit(found, VISIT, NOW),
    M.RECORD_VISIT: lambda found: rules.record_visit(found, NOW + HOUR, NOW + HOUR),
    M.SETTLE_LIABILITY: rules.settle_liability,
    M.PLAN: lambda found: rules.plan(found, costs=True),
    M.REQUEST: rules.request,
    M.AGREE: rules.agree,
    M.REFUSE: rules.refuse_money,
    M.WRITE_VOUCHER: rules.write_voucher,
    M.APPROVE: rules.approve,
    M.PAY: lambda found: rules.pay(found, recovery=1),
    M.SEND_RECOVERY: rules.send_recovery,
    M.RECOVERED: rules.recovered,
    M.CLOSE: lambda found: rules.close(found, called_back=True),
}


@pytest.mark.parametrize("state", list(EscalationState))
@pytest.mark.parametrize("move", list(Move))
def test_no_move_but_those_of_the_table(state: EscalationState, move: Move) -> None:
    full = replace(E9, state=state, visit_needed=True, visited_at=None, recovery_open=1, costs=True)
    if move in TABLE[state]:
        return
    with pytest.raises(IllegalStep) as error:
        STEPS[move](full)
    assert error.value.field == "status"


# Liability


def shares(*parts: str) -> dict[LiableParty, Decimal]:
    return dict(zip(LiableParty, (Decimal(part) for part in parts), strict=False))


def test_E3_shares_sum_to_exactly_100() -> None:
    assert sum(read_shares(shares("33.33", "33.33", "0", "33.34")).values()) == 100
    assert read_shares(shares("100"))[LiableParty.COMPANY] == Decimal("0.00")


@pytest.mark.parametrize("parts", [("99.99",), ("50", "50.01"), ("0",), ()])
def test_E3_shares_of_99_99_are_refused_by_field(parts: tuple[str, ...]) -> None:
    refused("shares", lambda: read_shares(shares(*parts)), Invalid)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (("-1", "101"), "shares.manufacturer"),
        (("33.333", "66.667"), "shares.manufacturer"),
        (("50", "NaN"), "shares.crew"),
        (("Infinity",), "shares.manufacturer"),
    ],
)
def test_E3_a_share_that_cannot_be_is_named(parts: tuple[str, ...], field: str) -> None:
    refused(field, lambda: read_shares(shares(*parts)), Invalid)


def test_E3_staff_are_named_with_a_percentage_or_an_amount() -> None:
    read_persons(
        [LiablePerson(name="刘", percent=Decimal("60")), LiablePerson(name="孙", amount=Decimal("9"))]
    )
    both = LiablePerson(name="刘", percent=Decimal(1), amount=Decimal(1))
    refused("persons.0.amount", lambda: read_persons([both]), Invalid)
    refused("persons", lambda: read_persons([LiablePerson(name="刘"), LiablePerson(name="刘")]), Invalid)
    half = [LiablePerson(name=name, percent=Decimal("50.01")) for name in "刘孙"]
    refused("persons", lambda: read_persons(half), Invalid)
    many = [LiablePerson(name=str(number)) for number in range(21)]
    refused("persons", lambda: read_persons(many), Invalid)


# Money


def test_amounts_have_two_decimals() -> None:
    assert str(read_amount("3000", field="amount")) == "3000.00"
    assert read_amount("0", field="amount", zero=True) == 0
    for raw in ("0", "-1", "0.001", "10000000", "x", "NaN", "1e99"):
        refused("amount", lambda raw=raw: read_amount(raw, field="amount"), Invalid)


def test_the_bearers_split_sums_to_the_amount_and_people_bear_the_staffs_part() -> None:
    staff = [RecoveryShare(name="刘铁柱", amount=Decimal("100"))]
    split = read_split(
        Decimal("300"),
        {Bearer.STAFF: Decimal("100"), Bearer.CREW: Decimal("200"), Bearer.OTHER: Decimal(0)},
        staff,
    )
    assert split.bearers == {Bearer.STAFF: Decimal("100.00"), Bearer.CREW: Decimal("200.00")}
    company = {Bearer.COMPANY: Decimal("300")}
    refused("bearers", lambda: read_split(Decimal("300.01"), company, []), Invalid)
    refused("recovery", lambda: read_split(Decimal("300"), company, staff), Invalid)
    refused("recovery", lambda: read_split(Decimal("300"), {Bearer.STAFF: Decimal("300")}, staff), Invalid)
    refused(
        "recovery", lambda: read_split(Decimal("200"), {Bearer.STAFF: Decimal("200")}, staff * 2), Invalid
    )


NEW = Compensation(
    state=CompensationState.REQUESTED,
    amount=Decimal("3000.00"),
    requested_by="asks",
    entered_by=frozenset({"asks"}),
)


def agreed(found: Compensation = NEW, by: str = "boss", role: Role | None = GM) -> Compensation:
    return money.review(found, by, role, agreed=True, threshold=LIMIT)


def test_the_requester_never_approves() -> None:
    refused("amount", lambda: agreed(by="asks"), SamePerson)


def test_who_changed_the_amount_never_approves() -> None:
    changed = money.change_amount(NEW, Decimal("9.00"), "helper")
    assert (changed.amount, changed.requested_by) == (Decimal("9.00"), "asks")
    refused("amount", lambda: agreed(changed, by="helper"), SamePerson)
    refused("amount", lambda: agreed(changed, by="asks"), SamePerson)


def test_who_wrote_the_voucher_never_approves() -> None:
    written = money.write_voucher(agreed(), Decimal("3000.00"), "finance")
    with pytest.raises(SamePerson):
        money.approve(written, "finance", GM, NOW, approved=True, threshold=LIMIT)
    done = money.approve(written, "boss", GM, NOW, approved=True, threshold=LIMIT)
    assert (done.state, done.approved_at) == (CompensationState.APPROVED, NOW)


def test_no_program_decides_about_money() -> None:
    with pytest.raises(Forbidden):
        agreed(role=None)


def test_over_the_threshold_the_general_manager_decides() -> None:
    refused("amount", lambda: agreed(role=Role.FINANCE), Forbidden)
    small = replace(NEW, amount=LIMIT)
    assert agreed(small, role=Role.FINANCE).state is CompensationState.REVIEWED


def test_E6_the_voucher_is_of_the_agreed_amount() -> None:
    refused("amount", lambda: money.write_voucher(agreed(), Decimal("2999.99"), "finance"), Invalid)


def test_E8_is_paid_after_the_approval_and_not_in_the_future() -> None:
    written = money.write_voucher(agreed(), Decimal("3000.00"), "finance")
    done = money.approve(written, "boss", GM, NOW, approved=True, threshold=LIMIT)
    refused("paid_at", lambda: money.pay(done, NOW - HOUR, NOW), Invalid)
    refused("paid_at", lambda: money.pay(done, NOW + HOUR, NOW), Invalid)
    assert money.pay(done, NOW, NOW).state is CompensationState.PAID


@pytest.mark.parametrize("state", list(CompensationState))
def test_money_takes_no_step_out_of_order(state: CompensationState) -> None:
    found = replace(NEW, state=state)
    steps: dict[CompensationState, Any] = {
        CompensationState.REVIEWED: lambda: money.write_voucher(found, found.amount, "finance"),
        CompensationState.VOUCHERED: lambda: money.approve(
            found, "boss", GM, NOW, approved=True, threshold=LIMIT
        ),
        CompensationState.APPROVED: lambda: money.pay(found, NOW, NOW),
        CompensationState.REQUESTED: lambda: agreed(found),
    }
    for needed, step in steps.items():
        if needed is state:
            step()
        else:
            with pytest.raises(IllegalStep):
                step()


def test_E9_the_payroll_month_is_that_of_the_approval_on_the_sites_calendar() -> None:
    assert payroll_month(datetime(2026, 3, 31, 15, 59, tzinfo=UTC), SHANGHAI) == "2026-03"
    assert payroll_month(datetime(2026, 3, 31, 16, 0, tzinfo=UTC), SHANGHAI) == "2026-04"
