"""The rules of a complaint's lines by their table rows: domain.md §1.3, §4.4, §3.5 TS1."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm.domain import line_steps as steps
from crm.domain.complaint import (
    may_be_asked,
)
from crm.domain.complaint_line import (
    AcceptMode,
    Line,
    LineStatus,
    PlanTerms,
    ProblemStatus,
    Step,
    Window,
    steps_from,
)
from crm.domain.line_steps import Limit, Moved, SamePerson, TooEarly
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VISIT = Window(from_=NOW + DAY, until=NOW + DAY + 2 * HOUR)
OVER = VISIT.until
TERMS = PlanTerms(solve_at=NOW + 5 * DAY, visit=VISIT)
NEW = Line(line_id="L")
SENT = steps.hand_off(NEW).line
S, T = LineStatus, Step


def accepted(mode: AcceptMode) -> Line:
    return steps.accept(SENT, mode, NOW).line


def verified(mode: AcceptMode) -> Line:
    return steps.verify(accepted(mode), NOW, NOW).line


def planned() -> Line:
    return steps.plan(verified(AcceptMode.PLAN_FIRST), TERMS, "planner", NOW).line


def visited(line: Line, now: datetime = OVER) -> Line:
    return steps.visit(line, now - HOUR, now - HOUR / 2, now).line


def done() -> Line:
    return steps.claim_done(visited(planned()), OVER).line


def means(moved: Moved) -> list[Limit]:
    return [limit for limit, _ in moved.limits]


# The states


def test_C0_to_C1_needs_nothing_but_a_hand_off() -> None:
    assert SENT.status is S.HANDED_OFF
    with pytest.raises(IllegalStep) as refused:
        steps.hand_off(SENT)
    assert "accept, reject" in refused.value.message


@pytest.mark.parametrize("mode", list(AcceptMode))
def test_C2_is_accepted_in_three_ways(mode: AcceptMode) -> None:
    moved = steps.accept(SENT, mode, NOW)
    assert (moved.line.status, moved.line.mode, moved.line.accepted_at) == (S.ACCEPTED, mode, NOW)
    assert moved.limits == ((Limit.ACCEPTED, NOW),)


def test_C2R_leads_to_another_department_or_to_unfounded() -> None:
    moved = steps.reject(SENT, NOW)
    assert means(moved) == [Limit.REFUSED]
    assert steps_from(moved.line) == {T.REROUTE: S.REROUTED, T.UNFOUNDED: S.UNFOUNDED}
    assert not steps.reroute(moved.line, NOW).line.status.is_open
    assert not steps.close_unfounded(moved.line, NOW).line.status.is_open


def test_C3_counts_from_the_call_to_the_customer() -> None:
    at = NOW + HOUR
    moved = steps.verify(accepted(AcceptMode.PLAN_FIRST), at, NOW + 2 * HOUR)
    assert moved.limits == ((Limit.VERIFIED, at),)
    assert moved.line.verified_at == at


def test_C4_plan_first_is_a_plan_with_an_appointment() -> None:
    moved = steps.plan(verified(AcceptMode.PLAN_FIRST), TERMS, "planner", NOW)
    assert moved.line.status is S.PLANNED
    assert moved.limits == ((Limit.PLANNED, NOW), (Limit.VISIT_OVER, OVER))
    with pytest.raises(Invalid) as missing:
        steps.plan(verified(AcceptMode.PLAN_FIRST), replace(TERMS, visit=None), "planner", NOW)
    assert missing.value.field == "visit_from"


def test_C4_visit_first_files_the_appointment_and_plans_after_the_visit() -> None:
    line = verified(AcceptMode.VISIT_FIRST)
    assert set(steps_from(line)) == {T.AGREE_VISIT}
    moved = steps.agree_visit(line, VISIT, NOW)
    assert moved.limits == ((Limit.PLANNED, NOW), (Limit.VISIT_OVER, OVER))
    with pytest.raises(IllegalStep):
        steps.plan(moved.line, TERMS, "planner", NOW)
    seen = visited(moved.line)
    assert seen.status is S.VISITED
    after = steps.plan(seen, PlanTerms(solve_at=OVER + DAY), "planner", OVER)
    assert after.line.status is S.PLANNED
    assert steps.claim_done(after.line, OVER).line.status is S.DONE


def test_C4_no_plan_needed_is_done_at_once_or_after_a_visit() -> None:
    line = verified(AcceptMode.NO_PLAN)
    moved = steps.claim_done(line, NOW)
    assert (moved.line.status, means(moved)) == (S.DONE, [Limit.PLANNED, Limit.VISIT_OVER])
    agreed = steps.agree_visit(line, VISIT, NOW).line
    assert visited(agreed).status is S.ON_SITE
    with pytest.raises(IllegalStep):
        steps.plan(line, TERMS, "planner", NOW)


def test_a_visit_that_is_moved_moves_T4() -> None:
    later = Window(from_=VISIT.from_ + DAY, until=VISIT.until + DAY)
    moved = steps.agree_visit(planned(), later, NOW)
    assert moved.limits == ((Limit.VISIT_OVER, later.until),)
    assert moved.line.callback_from == later.until


def test_C6_waits_for_an_agreed_visit_C5() -> None:
    with pytest.raises(IllegalStep) as refused:
        steps.claim_done(planned(), NOW + HOUR)
    assert "visit" in refused.value.message


def test_T4_starts_at_the_end_of_the_agreed_visit_or_at_C6() -> None:
    on_time = steps.claim_done(visited(planned(), OVER), OVER + HOUR)
    assert on_time.limits == ()  # it runs since the end of the visit
    early = visited(planned(), VISIT.from_ + HOUR)
    assert steps.claim_done(early, VISIT.from_ + HOUR).limits == ((Limit.VISIT_OVER, VISIT.from_ + HOUR),)


def test_T4_starts_again_with_the_next_report_after_a_callback() -> None:
    early = steps.claim_done(visited(planned(), VISIT.from_ + HOUR), VISIT.from_ + HOUR).line
    back = steps.called_back(early, ProblemStatus.IN_HAND, VISIT.from_ + 3 * HOUR / 2)
    assert back.line.callback_from is None
    again = steps.plan(back.line, PlanTerms(solve_at=OVER + DAY), "planner", OVER + HOUR)
    assert Limit.PLANNED in means(again)
    assert steps.claim_done(again.line, OVER + 2 * HOUR).limits == ((Limit.VISIT_OVER, OVER + 2 * HOUR),)


# Plans and approval


def test_a_plan_that_pays_the_customer_needs_approval_by_somebody_else() -> None:
    review = steps.plan(
        verified(AcceptMode.PLAN_FIRST), replace(TERMS, pay_customer=Decimal("500.00")), "planner", NOW
    )
    assert review.line.status is S.PLAN_REVIEW
    assert means(review) == [Limit.PLANNED]  # T4 is not owed for a visit that may never be
    with pytest.raises(SamePerson):
        steps.decide_plan(review.line, "planner", NOW, approved=True)
    approved = steps.decide_plan(review.line, "manager", NOW, approved=True)
    assert (approved.line.status, approved.limits) == (S.PLANNED, ((Limit.VISIT_OVER, OVER),))
    refused = steps.decide_plan(review.line, "manager", NOW, approved=False)
    assert (refused.line.status, means(refused)) == (S.PLAN_REFUSED, [Limit.PLAN_AGAIN])
    assert means(steps.plan(refused.line, TERMS, "planner", NOW)) == [Limit.PLANNED, Limit.VISIT_OVER]


def test_an_approval_after_the_visit_was_to_be_starts_T4_at_once() -> None:
    review = steps.plan(verified(AcceptMode.PLAN_FIRST), replace(TERMS, needs_approval=True), "p", NOW).line
    late = OVER + DAY
    assert steps.decide_plan(review, "manager", late, approved=True).limits == ((Limit.VISIT_OVER, late),)


# Callbacks


def test_only_solved_closes_a_line() -> None:
    closed = steps.called_back(done(), ProblemStatus.SOLVED, OVER)
    assert (closed.line.status, closed.line.solved_at) == (S.CLOSED, OVER)
    for said in (ProblemStatus.NOT_HANDLED, ProblemStatus.IN_HAND, ProblemStatus.NOT_CONTACTED):
        assert steps.called_back(done(), said, OVER).line.status is S.UNSOLVED
    assert steps.called_back(done(), ProblemStatus.NOT_CONNECTED, OVER).line == done()


def test_unsolved_restarts_T3_and_leads_back_to_planning() -> None:
    moved = steps.called_back(done(), ProblemStatus.IN_HAND, OVER)
    assert means(moved) == [Limit.CALLED_BACK, Limit.PLAN_AGAIN]
    assert set(steps_from(moved.line)) == {T.VERIFY, T.PLAN}
    assert steps.verify(moved.line, OVER, OVER).limits == ()  # another call does not put the plan off


def test_TS1_not_contacted_must_be_verified_again_first() -> None:
    moved = steps.called_back(done(), ProblemStatus.NOT_CONTACTED, OVER)
    assert means(moved) == [Limit.CALLED_BACK, Limit.CONTACT_AGAIN]
    assert set(steps_from(moved.line)) == {T.VERIFY}
    with pytest.raises(IllegalStep):
        steps.plan(moved.line, replace(TERMS, visit=None), "planner", OVER)
    again = steps.verify(moved.line, OVER + HOUR, OVER + HOUR)
    assert again.limits == ((Limit.VERIFIED, OVER + HOUR),)
    assert not again.line.needs_contact


def test_the_customer_is_asked_when_it_is_done_or_the_visit_is_over() -> None:
    with pytest.raises(TooEarly):
        steps.called_back(planned(), ProblemStatus.SOLVED, NOW + HOUR)
    assert not may_be_asked(planned(), NOW + HOUR)
    assert may_be_asked(planned(), OVER)
    assert steps.called_back(planned(), ProblemStatus.SOLVED, OVER).line.status is S.CLOSED
    assert not may_be_asked(accepted(AcceptMode.PLAN_FIRST), OVER)


# Times out of order


def test_times_out_of_order_are_refused_by_field() -> None:
    def refused(field: str, call: object) -> None:
        assert callable(call)
        with pytest.raises(Invalid) as error:
            call()
        assert error.value.field == field

    fresh, ready, agreed = accepted(AcceptMode.PLAN_FIRST), verified(AcceptMode.VISIT_FIRST), planned()
    refused("called_at", lambda: steps.verify(fresh, NOW + HOUR, NOW))
    refused("called_at", lambda: steps.verify(fresh, NOW - HOUR, NOW))
    refused("visit_until", lambda: steps.agree_visit(ready, Window(from_=OVER, until=OVER), NOW))
    refused("visit_until", lambda: steps.agree_visit(ready, Window(from_=NOW - DAY, until=NOW), NOW))
    refused("visit_until", lambda: steps.agree_visit(ready, Window(from_=NOW, until=NOW + 9 * DAY), NOW))
    far = Window(from_=NOW + 400 * DAY, until=NOW + 400 * DAY + HOUR)
    refused("visit_until", lambda: steps.agree_visit(ready, far, NOW))
    refused("planned_plan_at", lambda: steps.agree_visit(ready, VISIT, NOW, plan_at=NOW + HOUR))
    refused(
        "solve_at",
        lambda: steps.plan(verified(AcceptMode.PLAN_FIRST), replace(TERMS, solve_at=NOW), "p", NOW),
    )
    refused("solve_at", lambda: steps.plan(agreed, replace(TERMS, solve_at=NOW + HOUR), "p", NOW))
    refused("arrived_at", lambda: steps.visit(agreed, NOW + HOUR, NOW + HOUR, NOW))
    refused("arrived_at", lambda: steps.visit(agreed, NOW - DAY, NOW, NOW))
    refused("left_at", lambda: steps.visit(agreed, OVER, OVER - HOUR, OVER))
    refused("left_at", lambda: steps.visit(agreed, OVER, OVER + HOUR, OVER))
    refused("planned_visit_at", lambda: steps.accept(SENT, AcceptMode.VISIT_FIRST, NOW, planned_visit_at=NOW))
    refused(
        "planned_solve_at",
        lambda: steps.accept(
            SENT, AcceptMode.VISIT_FIRST, NOW, planned_visit_at=NOW + DAY, planned_solve_at=NOW + HOUR
        ),
    )


def test_a_waiver_closes_only_what_is_done() -> None:
    assert steps.waive(done(), OVER).line.status is S.CLOSED
    with pytest.raises(IllegalStep):
        steps.waive(planned(), OVER)
