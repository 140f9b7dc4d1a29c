"""The rules of complaints by their table rows: domain.md §1.3, §4.3, §4.4, §3.5 TS1."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm.domain import line_steps as steps
from crm.domain.case import CaseStatus, Severity
from crm.domain.complaint import (
    CLASS_LABELS,
    FIRST_DEPARTMENT,
    NEXT_LABELS,
    SUBCLASSES,
    Closing,
    ComplaintClass,
    NextStep,
    NotYet,
    Verdict,
    case_status,
    check_closing,
    check_not_filed,
    check_subclass,
    department_for,
    judge_callback,
    may_be_asked,
    next_step,
    raised_severity,
)
from crm.domain.complaint_line import (
    LINE_LABELS,
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


@pytest.mark.parametrize("compensation", [False, True])
@pytest.mark.parametrize("round_", [1, 2, 3])
def test_dissatisfied_is_a_new_round_or_1_3b_from_round_2_or_with_compensation(
    round_: int, compensation: bool
) -> None:
    problems = {"a": ProblemStatus.SOLVED, "b": ProblemStatus.IN_HAND}
    said = judge_callback(Verdict.DISSATISFIED, problems, round_=round_, compensation_mentioned=compensation)
    assert said.escalate == (round_ >= 2 or compensation)
    assert said.new_round != said.escalate
    assert said.lines == problems


def test_dissatisfied_though_all_is_solved_closes_no_line() -> None:
    said = judge_callback(
        Verdict.DISSATISFIED, {"a": ProblemStatus.SOLVED}, round_=1, compensation_mentioned=False
    )
    assert said.lines == {"a": ProblemStatus.IN_HAND}


def test_not_reached_moves_nothing_and_contradictions_are_refused() -> None:
    said = judge_callback(Verdict.NOT_REACHED, {}, round_=2, compensation_mentioned=True)
    assert (said.lines, said.new_round, said.escalate) == ({}, False, False)
    for verdict, problem in (
        (Verdict.NOT_REACHED, ProblemStatus.SOLVED),
        (Verdict.SATISFIED, ProblemStatus.NOT_CONNECTED),
    ):
        with pytest.raises(Invalid) as refused:
            judge_callback(verdict, {"a": problem}, round_=1, compensation_mentioned=False)
        assert refused.value.field == "problem"


def test_dissatisfied_when_every_line_was_unfounded_goes_to_the_manager() -> None:
    said = judge_callback(Verdict.DISSATISFIED, {}, round_=1, compensation_mentioned=False)
    assert said.escalate


# The complaint

OF_STATUS = {
    S.REGISTERED: CaseStatus.REGISTERED,
    S.HANDED_OFF: CaseStatus.HANDED_OFF,
    S.REJECTED: CaseStatus.REJECTED,
    S.ACCEPTED: CaseStatus.ACCEPTED,
    S.VERIFIED: CaseStatus.VERIFIED,
    S.PLAN_REVIEW: CaseStatus.VERIFIED,
    S.PLAN_REFUSED: CaseStatus.VERIFIED,
    S.UNSOLVED: CaseStatus.VERIFIED,
    S.VISIT_AGREED: CaseStatus.PLANNED,
    S.PLANNED: CaseStatus.PLANNED,
    S.VISITED: CaseStatus.ON_SITE,
    S.ON_SITE: CaseStatus.ON_SITE,
    S.DONE: CaseStatus.DONE,
}


@pytest.mark.parametrize(("line", "case"), list(OF_STATUS.items()))
def test_C0_to_C6_follow_from_the_least_advanced_line(line: LineStatus, case: CaseStatus) -> None:
    others = (Line(status=S.DONE), Line(status=S.CLOSED), Line(status=S.UNFOUNDED))
    assert case_status([Line(status=line), *others], called_back=False) is case


def test_C7_when_no_line_is_open_and_the_customer_was_called() -> None:
    settled = [Line(status=S.CLOSED), Line(status=S.REROUTED), Line(status=S.UNFOUNDED)]
    assert case_status(settled, called_back=False) is CaseStatus.DONE
    assert case_status(settled, called_back=True) is CaseStatus.CALLBACK
    assert case_status([], called_back=False) is CaseStatus.REGISTERED


def test_C8_needs_all_lines_closed_a_callback_and_the_reply_to_the_source() -> None:
    settled = (Line(status=S.CLOSED), Line(status=S.UNFOUNDED))
    check_closing(Closing(lines=settled, called_back=True))
    check_closing(Closing(lines=(Line(status=S.DONE),), called_back=False, waived=True))
    for asked, field in (
        (Closing(lines=(), called_back=True), "lines"),
        (Closing(lines=(*settled, Line(status=S.DONE)), called_back=True), "lines"),
        (Closing(lines=(Line(status=S.ON_SITE),), called_back=False, waived=True), "lines"),
        (Closing(lines=settled, called_back=False), "callback"),
        (Closing(lines=settled, called_back=True, reply_owed=True), "reply_to_source"),
        (Closing(lines=settled, called_back=True, escalation_owed=True), "escalation"),
        (Closing(lines=settled, called_back=True, escalation_open=True), "escalation"),
    ):
        with pytest.raises(NotYet) as refused:
            check_closing(asked)
        assert refused.value.field == field


@pytest.mark.parametrize("status", list(LineStatus))
def test_CN_only_before_any_department_has_accepted(status: LineStatus) -> None:
    lines = [Line(status=S.REGISTERED), Line(status=status)]
    if status in {S.REGISTERED, S.HANDED_OFF, S.REJECTED} or not status.is_open:
        check_not_filed(lines)
    else:
        with pytest.raises(NotYet):
            check_not_filed(lines)


def test_severity_2_at_two_calls_in_30_days() -> None:
    def after(*days: float) -> Severity:
        return raised_severity(Severity.GENERAL, [NOW - timedelta(days=day) for day in days], NOW)

    assert after(0) is Severity.GENERAL
    assert after(30, 0) is Severity.SERIOUS
    assert after(30.01, 0) is Severity.GENERAL
    assert raised_severity(Severity.MAJOR, [NOW, NOW], NOW) is Severity.MAJOR


def test_the_correspondence_of_classes_and_departments() -> None:
    assert {class_.value: code for class_, code in FIRST_DEPARTMENT.items()} == {
        1: "ENG",
        2: "ENG",
        3: "STO",
        4: "MAT",
        5: "DES",
        6: None,
        7: "ENG",
        8: "CS",
        9: "CS",
        10: "STO",
    }
    assert department_for(ComplaintClass.WORKMANSHIP, None) == "ENG"
    assert department_for(ComplaintClass.WORKMANSHIP, "QC") == "QC"
    with pytest.raises(Invalid) as missing:
        department_for(ComplaintClass.SERVICE, None)
    assert missing.value.field == "department"
    check_subclass(ComplaintClass.DELAY, "visit")
    check_subclass(ComplaintClass.DELAY, None)
    with pytest.raises(Invalid):
        check_subclass(ComplaintClass.DELAY, "tile")


def test_everything_has_a_word() -> None:
    assert set(CLASS_LABELS) == set(SUBCLASSES) == set(FIRST_DEPARTMENT) == set(ComplaintClass)
    assert set(LINE_LABELS) == set(LineStatus)
    assert set(NEXT_LABELS) == set(NextStep)


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        ((S.REGISTERED, S.DONE), NextStep.HAND_OFF),
        ((S.REJECTED, S.REGISTERED), NextStep.REROUTE),
        ((S.PLAN_REVIEW, S.DONE), NextStep.APPROVE_PLAN),
        ((S.ACCEPTED,), NextStep.WAIT),
        ((S.DONE, S.ACCEPTED), NextStep.CALL_BACK),
        ((S.UNSOLVED,), NextStep.NEW_ROUND),
        ((S.UNFOUNDED,), NextStep.CALL_BACK),
    ],
)
def test_what_comes_next(statuses: tuple[LineStatus, ...], wanted: NextStep) -> None:
    lines = [Line(status=status) for status in statuses]

    def ask(**facts: bool) -> NextStep:
        known = {
            "is_open": True,
            "called_back": False,
            "not_reached": False,
            "escalation_owed": False,
            "escalation_open": False,
            "reply_owed": False,
        }
        return next_step(lines, **(known | facts))

    assert ask() is wanted
    assert ask(is_open=False) is NextStep.NOTHING
    assert ask(escalation_owed=True) is NextStep.ESCALATE
    if wanted is NextStep.CALL_BACK:
        assert ask(not_reached=True) is NextStep.CALL_AGAIN
    if statuses == (S.UNFOUNDED,):
        assert ask(called_back=True) is NextStep.CLOSE
        assert ask(called_back=True, reply_owed=True) is NextStep.REPLY_TO_SOURCE
        assert ask(called_back=True, escalation_open=True) is NextStep.WAIT


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
