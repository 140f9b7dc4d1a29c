"""A complaint as a whole: what callbacks mean, its state, what closes it: domain.md §1.3, §4.3."""

from datetime import UTC, datetime, timedelta

import pytest

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
    next_step,
    raised_severity,
)
from crm.domain.complaint_line import (
    LINE_LABELS,
    Line,
    LineStatus,
    ProblemStatus,
    Step,
)
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
S, T = LineStatus, Step


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
