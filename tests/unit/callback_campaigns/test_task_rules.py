"""Rules CB-1 to CB-12 of domain.md §1.2 for callback tasks, each named; planning has CB-9 and CB-11."""

from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.domain import task_steps as steps
from callback_campaigns.domain.result import (
    ComplaintNotAccepted,
    ResultCode,
    check_finding,
    check_reader,
    check_recordable,
    is_entered_late,
)
from callback_campaigns.domain.retry import Tried
from callback_campaigns.domain.task import (
    WAITING,
    CancelWhy,
    Effect,
    Hold,
    TalkEnd,
    Task,
    TaskStatus,
)
from callback_campaigns.domain.terms import (
    CallbackType,
    Category,
    Channel,
    Origin,
    Outcome,
    Verdict,
    is_frozen_by,
    purpose_of,
)
from callback_campaigns.domain.windows import Occasion
from crm.domain.customer import Level
from crm.domain.freeze import ContactPurpose, FreezeScope, RefusalLevel, refuses
from crm.domain.machine import IllegalStep
from crm.domain.ticket import notice_owed
from kernel.access import Actor, Role
from kernel.errors import Forbidden, Invalid
from tests.unit.callback_campaigns.tasks import (
    MONDAY,
    TIMES,
    dialling,
    finding,
    planned,
    ready,
    talking,
)
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit

LATER = MONDAY + timedelta(minutes=5)
FULL = TalkEnd(answered=6, required=6, finding=finding())
BAD = TalkEnd(answered=6, required=6, finding=finding(Verdict.DISSATISFIED))


def exhausted(**changes: Any) -> Task:
    """Return a task at its last attempt."""
    before = tuple(
        Tried(at(f"2026-02-{moment}"), Outcome.NO_ANSWER, Channel.AGENT)
        for moment in ("25 09:40", "25 14:10", "26 09:40", "26 17:10")
    )
    return dialling(tried=(*before, Tried(at("2026-03-02 07:00"), Outcome.BUSY)), **changes)


# CB-1


@pytest.mark.parametrize("status", sorted(WAITING))
def test_CB1_a_newer_setting_takes_the_place_of_the_current_one_and_is_linked_to_it(
    status: TaskStatus,
) -> None:
    old, new = steps.take_place(planned(status=status), planned(task_id="T2", key="x"), now=LATER)
    assert old is not None
    assert (old.status, old.cancelled_why) == (TaskStatus.CANCELLED, CancelWhy.REPLACED)
    assert (old.replaced_by, new.previous_id) == ("T2", "T1")


def test_CB1_what_is_over_is_history() -> None:
    done = planned(status=TaskStatus.DONE)
    assert steps.take_place(done, planned(task_id="T2"), now=LATER)[0] is None
    assert steps.take_place(None, planned(), now=LATER) == (None, planned())


def test_CB1_nothing_takes_the_place_of_a_call_that_is_on() -> None:
    with pytest.raises(IllegalStep, match="just being called"):
        steps.take_place(talking(), planned(task_id="T2"), now=LATER)


# CB-2


def test_CB2_the_result_is_mandatory() -> None:
    with pytest.raises(Invalid, match="has a result"):
        steps.talked(talking(), TalkEnd(answered=6, required=6), TIMES, now=LATER)
    with pytest.raises(Invalid, match="has a result"):
        steps.talked(talking(), TalkEnd(answered=5, required=6), TIMES, now=LATER)


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ({"problem_code": " "}, "problem_code"),
        ({"explanation": ""}, "explanation"),
        ({"departments": ()}, "departments"),
        ({"departments": ("ENG", "ENG")}, "departments"),
        ({"code": ResultCode.NO_PROBLEM}, "code"),
        ({"code": ResultCode.NOT_REACHED}, "code"),
        ({"score": 101}, "score"),
        ({"explanation": "长" * 2001}, "explanation"),
    ],
)
def test_CB2_dissatisfied_needs_problem_explanation_and_department(
    missing: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as error:
        check_finding(finding(Verdict.DISSATISFIED, **missing))
    assert error.value.field == field
    broken = finding(Verdict.DISSATISFIED, **missing)
    with pytest.raises(Invalid):
        steps.talked(talking(), TalkEnd(answered=6, required=6, finding=broken), TIMES, now=LATER)


@pytest.mark.parametrize("verdict", [Verdict.SATISFIED, Verdict.NEUTRAL])
@pytest.mark.parametrize("extra", [{"problem_code": "1"}, {"departments": ("ENG",)}])
def test_CB2_otherwise_there_is_no_problem_code(verdict: Verdict, extra: dict[str, object]) -> None:
    check_finding(finding(verdict, score=80))
    with pytest.raises(Invalid):
        check_finding(finding(verdict, **extra))


@pytest.mark.parametrize(
    ("verdict", "effect"),
    [
        (Verdict.SATISFIED, Effect.HANDOVER_YES),
        (Verdict.NEUTRAL, Effect.HANDOVER_YES),
        (Verdict.DISSATISFIED, Effect.HANDOVER_FAILED),
    ],
)
def test_CB2_the_completion_callback_moves_the_hand_over(verdict: Verdict, effect: Effect) -> None:
    end = TalkEnd(answered=7, required=7, finding=finding(verdict))
    completion = talking(kind=CallbackType.COMPLETION)
    assert effect in steps.talked(completion, end, TIMES, now=LATER).effects
    assert effect not in steps.talked(talking(), end, TIMES, now=LATER).effects


def test_CB2_not_reached_puts_the_hand_over_back() -> None:
    moved = steps.not_reached(exhausted(kind=CallbackType.COMPLETION), Outcome.BUSY, TIMES, now=LATER)
    assert moved.task.result_code is ResultCode.NOT_REACHED
    assert Effect.HANDOVER_NOT_REACHED in moved.effects


# CB-3


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (FreezeScope.SITE, {Category.SITE}),
        (FreezeScope.CASE, {Category.CASE}),
        (FreezeScope.ALL, set(Category)),
    ],
)
def test_CB3_what_each_scope_holds_back(scope: FreezeScope, held: set[Category]) -> None:
    assert {category for category in Category if is_frozen_by(category, scope)} == held


@pytest.mark.parametrize("status", sorted(WAITING - {TaskStatus.BAD_NUMBER}))
def test_CB3_a_freeze_holds_back_what_waits(status: TaskStatus) -> None:
    assert steps.hold(planned(status=status), Hold.CUSTOMER).task.status is TaskStatus.FROZEN


def test_CB3_a_freeze_during_a_call_holds_from_its_end_on() -> None:
    task = steps.hold(dialling(), Hold.CUSTOMER).task
    assert task.status is TaskStatus.DIALLING
    over = steps.not_reached(task, Outcome.BUSY, TIMES, now=LATER).task
    assert over.status is TaskStatus.FROZEN
    in_talk = steps.hold(talking(), Hold.CUSTOMER).task
    assert steps.talked(in_talk, FULL, TIMES, now=LATER).task.status is TaskStatus.DONE
    appointed = steps.appoint(in_talk, LATER + timedelta(days=1), now=LATER).task
    assert appointed.status is TaskStatus.FROZEN


def test_CB3_after_the_thaw_somebody_says_whether_it_is_needed_and_when() -> None:
    frozen = steps.hold(planned(), Hold.CUSTOMER).task
    thawed = steps.release(frozen, Hold.CUSTOMER, now=LATER)
    assert thawed.task.status is TaskStatus.FROZEN
    assert thawed.effects == (Effect.ASK_IF_NEEDED,)
    friday = at("2026-03-06 09:30")
    needed = steps.answer_thaw(thawed.task, needed_at=friday, now=LATER).task
    assert (needed.status, needed.due_at) == (TaskStatus.PLANNED, friday)
    not_needed = steps.answer_thaw(thawed.task, needed_at=None, now=LATER).task
    assert not_needed.cancelled_why is CancelWhy.NOT_NEEDED
    with pytest.raises(IllegalStep):
        steps.answer_thaw(frozen, needed_at=friday, now=LATER)
    again = steps.hold(thawed.task, Hold.CUSTOMER).task
    with pytest.raises(IllegalStep):
        steps.answer_thaw(again, needed_at=friday, now=LATER)


def test_CB3_work_that_goes_on_needs_no_answer_but_every_hold_must_be_over() -> None:
    held = steps.hold(steps.hold(planned(), Hold.PROJECT).task, Hold.CUSTOMER).task
    one = steps.release(held, Hold.PROJECT, now=LATER).task
    assert one.status is TaskStatus.FROZEN
    other = steps.release(steps.hold(planned(), Hold.PROJECT).task, Hold.PROJECT, now=LATER)
    assert (other.task.status, other.task.due_at, other.effects) == (TaskStatus.PLANNED, LATER, ())
    both = steps.release(steps.release(held, Hold.CUSTOMER, now=LATER).task, Hold.PROJECT, now=LATER)
    assert both.task.status is TaskStatus.FROZEN
    assert steps.answer_thaw(both.task, needed_at=LATER, now=LATER).task.status is TaskStatus.PLANNED


def test_CB3_an_appointment_outlives_a_standstill_of_the_work() -> None:
    wanted = LATER + timedelta(days=3)
    task = steps.hold(steps.appoint(planned(), wanted, now=LATER).task, Hold.PROJECT).task
    back = steps.release(task, Hold.PROJECT, now=LATER).task
    assert (back.status, back.due_at, back.occasion) == (TaskStatus.APPOINTED, wanted, Occasion.APPOINTED)


def test_CB3_releasing_what_does_not_hold_changes_nothing() -> None:
    assert steps.release(planned(), Hold.CUSTOMER, now=LATER).task == planned()


# CB-4 to CB-6


def test_CB4_a_case_callback_waits_until_every_complaint_is_accepted() -> None:
    with pytest.raises(ComplaintNotAccepted):
        check_recordable(Category.CASE, complaints_unaccepted=1)
    check_recordable(Category.CASE, complaints_unaccepted=0)
    check_recordable(Category.SITE, complaints_unaccepted=1)


def test_CB5_problems_are_passed_on_at_once() -> None:
    assert steps.talked(talking(), BAD, TIMES, now=LATER).effects == (Effect.TICKETS,)
    kept = TalkEnd(answered=4, required=6, finding=finding(Verdict.DISSATISFIED))
    moved = steps.talked(talking(), kept, TIMES, now=LATER)
    assert (moved.task.status, moved.effects) == (TaskStatus.PARTIAL, (Effect.TICKETS,))
    for_a = steps.talked(talking(level=Level.A), BAD, TIMES, now=LATER)
    assert for_a.effects == (Effect.TICKETS, Effect.TELL_MANAGER)


def test_CB6_the_same_problem_twice_and_late_goes_one_level_up() -> None:
    # The revisit that finds the same problem opens the second ticket; crm counts and writes the notice.
    first = steps.talked(talking(), BAD, TIMES, now=LATER).task
    _, again = steps.revisit(first, "T2", at=LATER)
    called = steps.answered(steps.dialled(steps.due(again, now=LATER).task, "A2", now=LATER).task).task
    assert Effect.TICKETS in steps.talked(called, BAD, TIMES, now=LATER).effects
    assert notice_owed(2, late=True)
    assert not notice_owed(1, late=True)


def test_a_dissatisfied_customer_is_asked_again_once_by_a_linked_task() -> None:
    bad = steps.talked(talking(), BAD, TIMES, now=LATER).task
    linked, again = steps.revisit(bad, "T2", at=LATER)
    assert (linked.revisit_id, again.previous_id, again.origin) == ("T2", "T1", Origin.REVISIT)
    assert (again.kind, again.status, again.channel) == (bad.kind, TaskStatus.PLANNED, Channel.AGENT)
    with pytest.raises(IllegalStep):
        steps.revisit(linked, "T3", at=LATER)
    with pytest.raises(IllegalStep):
        steps.revisit(steps.talked(talking(), FULL, TIMES, now=LATER).task, "T3", at=LATER)


# CB-7 and CB-8


def test_CB7_exhausted_attempts_end_as_unreached_with_a_form_by_sms() -> None:
    moved = steps.not_reached(exhausted(), Outcome.NO_ANSWER, TIMES, now=LATER)
    assert moved.task.status is TaskStatus.UNREACHED
    assert moved.effects == (Effect.INVALID_ATTEMPT, Effect.SEND_FORM)


def test_CB7_an_unreached_A_customer_goes_to_a_person_and_the_manager_hears_of_it() -> None:
    moved = steps.not_reached(exhausted(level=Level.A), Outcome.NO_ANSWER, TIMES, now=LATER)
    assert moved.effects == (Effect.INVALID_ATTEMPT, Effect.TO_PERSON, Effect.TELL_MANAGER)


def test_CB7_after_two_failed_calls_by_the_system_a_person_calls() -> None:
    once = steps.not_reached(dialling(), Outcome.NO_ANSWER, TIMES, now=LATER).task
    assert once.channel is Channel.IVR
    moment = once.due_at
    again = steps.dialled(steps.due(once, now=moment).task, "A2", now=moment).task
    assert steps.not_reached(again, Outcome.NO_ANSWER, TIMES, now=moment).task.channel is Channel.AGENT


def test_CB8_an_invalid_attempt_is_a_record_and_shown_at_the_next_one() -> None:
    moved = steps.not_reached(
        dialling(), Outcome.BUSY, TIMES, now=LATER, agent="1001", node="pbx1", remark="占线"
    )
    assert moved.effects == (Effect.INVALID_ATTEMPT,)
    shown = moved.task.last_invalid
    assert shown is not None
    assert (shown.attempt_id, shown.at, shown.outcome) == ("A1", MONDAY, Outcome.BUSY)
    assert (shown.agent, shown.node, shown.remark) == ("1001", "pbx1", "占线")
    assert planned().last_invalid is None


def test_CB8_a_talk_that_brought_an_appointment_or_a_refusal_is_no_invalid_attempt() -> None:
    assert steps.appoint(talking(), LATER + timedelta(days=1), now=LATER).task.invalid == ()
    refused = steps.refuse_calls(talking(), now=LATER, do_not_call=False).task
    assert refused.invalid == ()
    assert len(refused.tried) == 1


# CB-10 and CB-12, and the customer's refusal


def test_CB10_records_are_opened_with_the_permission_only() -> None:
    check_reader(Actor(user_id="U1", name="李", role=Role.AGENT))
    with pytest.raises(Forbidden):
        check_reader(Actor(user_id="U2", name="王", role=Role.DEPARTMENT_MEMBER, department="ENG"))


def test_CB12_a_result_is_entered_on_the_day_it_was_heard() -> None:
    heard = at("2026-03-02 17:55")
    assert not is_entered_late(heard, at("2026-03-02 23:59"))
    assert is_entered_late(heard, at("2026-03-03 00:00"))


def test_a_refusal_of_surveys_does_not_stand_against_calls_about_a_case() -> None:
    assert purpose_of(Category.CASE) is ContactPurpose.CASE
    for category in set(Category) - {Category.CASE}:
        assert refuses(RefusalLevel.SURVEYS, purpose_of(category))
    assert not refuses(RefusalLevel.ALL, purpose_of(Category.CASE))


def test_a_case_is_called_about_in_the_hours_of_the_customers_own_requests() -> None:
    assert planned(category=Category.CASE).occasion is Occasion.REQUESTED
    assert planned().occasion is Occasion.ROUTINE
    assert ready().is_dialable(MONDAY)
    assert not ready(due_at=LATER).is_dialable(MONDAY)


def test_answers_cannot_be_more_than_questions() -> None:
    with pytest.raises(Invalid) as error:
        steps.talked(talking(), TalkEnd(answered=7, required=6, finding=finding()), TIMES, now=LATER)
    assert error.value.field == "answered"
