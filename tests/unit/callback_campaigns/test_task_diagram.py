"""The diagram of a callback task (domain.md §1.2): which step leads where, and that none leads past it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from callback_campaigns.domain import task_steps as steps
from callback_campaigns.domain.result import (
    is_kept,
)
from callback_campaigns.domain.task import (
    FINAL,
    IN_CALL,
    WAITING,
    CancelWhy,
    Effect,
    Hold,
    TalkEnd,
    TaskStatus,
)
from callback_campaigns.domain.terms import (
    Outcome,
    Verdict,
)
from callback_campaigns.domain.windows import Occasion
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid
from tests.unit.callback_campaigns.tasks import (
    MONDAY,
    TIMES,
    dialling,
    finding,
    in_status,
    planned,
    ready,
    talking,
)
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.unit

LATER = MONDAY + timedelta(minutes=5)
FULL = TalkEnd(answered=6, required=6, finding=finding())
BAD = TalkEnd(answered=6, required=6, finding=finding(Verdict.DISSATISFIED))

# The diagram


def test_planned_becomes_ready_when_due_and_not_before() -> None:
    assert steps.due(planned(), now=MONDAY - timedelta(seconds=1)).task.status is TaskStatus.PLANNED
    assert steps.due(planned(), now=MONDAY).task.status is TaskStatus.READY
    with pytest.raises(IllegalStep):
        steps.dialled(ready(due_at=LATER), "A1", now=MONDAY)


def test_from_ready_to_done() -> None:
    moved = steps.talked(talking(), FULL, TIMES, now=LATER)
    assert moved.task.status is TaskStatus.DONE
    assert moved.task.finding == FULL.finding
    assert moved.task.ended_at == LATER
    assert moved.effects == ()


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        (5, TaskStatus.PARTIAL),
        (6, TaskStatus.PARTIAL),
        (4, TaskStatus.RETRY_WAIT),
        (0, TaskStatus.RETRY_WAIT),
    ],
)
def test_hung_up_midway_is_kept_from_60_percent_on(answered: int, status: TaskStatus) -> None:
    end = TalkEnd(answered=answered, required=8, finding=finding())
    task = steps.talked(talking(), end, TIMES, now=LATER).task
    assert task.status is status
    assert task.answered == answered


def test_60_percent_exactly_is_kept() -> None:
    assert is_kept(3, 5)
    assert is_kept(0, 0)
    assert not is_kept(59, 100)


def test_not_answered_waits_for_another_try() -> None:
    moved = steps.not_reached(dialling(), Outcome.NO_ANSWER, TIMES, now=LATER)
    assert moved.task.status is TaskStatus.RETRY_WAIT
    assert local(moved.task.due_at) == "2026-03-02 14:00"
    assert steps.due(moved.task, now=moved.task.due_at).task.status is TaskStatus.READY


def test_an_empty_number_is_for_the_store_to_mend() -> None:
    moved = steps.not_reached(dialling(), Outcome.EMPTY, TIMES, now=LATER)
    assert moved.task.status is TaskStatus.BAD_NUMBER
    assert Effect.NUMBER_FIX in moved.effects
    mended = steps.number_corrected(moved.task, now=LATER).task
    assert (mended.status, mended.due_at) == (TaskStatus.READY, LATER)


def test_a_stranger_on_the_line_means_a_wrong_number() -> None:
    moved = steps.wrong_person(talking(), now=LATER)
    assert moved.task.status is TaskStatus.BAD_NUMBER
    assert moved.effects == (Effect.INVALID_ATTEMPT, Effect.NUMBER_FIX)


def test_later_please_is_an_appointment_at_the_customers_time() -> None:
    wanted = at("2026-03-08 10:00")
    task = steps.appoint(talking(), wanted, now=LATER).task
    assert (task.status, task.due_at, task.occasion) == (TaskStatus.APPOINTED, wanted, Occasion.APPOINTED)
    assert steps.due(task, now=LATER).task.status is TaskStatus.APPOINTED
    due = steps.due(task, now=wanted).task
    called = steps.dialled(due, "A2", now=wanted).task
    missed = steps.not_reached(called, Outcome.NO_ANSWER, TIMES, now=wanted).task
    assert missed.occasion is Occasion.ROUTINE
    with pytest.raises(Invalid):
        steps.appoint(talking(), MONDAY, now=LATER)


@pytest.mark.parametrize("do_not_call", [True, False])
def test_a_refusal_ends_the_task(do_not_call: bool) -> None:
    moved = steps.refuse_calls(talking(), now=LATER, do_not_call=do_not_call)
    assert moved.task.status is TaskStatus.REFUSED
    assert (Effect.DO_NOT_CALL in moved.effects) is do_not_call


@pytest.mark.parametrize("status", sorted(TaskStatus))
def test_no_step_leads_out_of_a_final_status_or_past_the_diagram(status: TaskStatus) -> None:
    task = in_status(status)
    allowed = {
        "due": {TaskStatus.PLANNED, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED},
        "dialled": {TaskStatus.READY},
        "answered": {TaskStatus.DIALLING},
        "not_reached": IN_CALL,
        "wrong_person": (WAITING - {TaskStatus.BAD_NUMBER}) | {TaskStatus.TALKING},
        "talked": {TaskStatus.TALKING},
        "number_corrected": {TaskStatus.BAD_NUMBER},
        "refuse": WAITING | {TaskStatus.TALKING},
        "appoint": (WAITING - {TaskStatus.BAD_NUMBER}) | {TaskStatus.TALKING},
    }
    tries: dict[str, Callable[[], object]] = {
        "due": lambda: steps.due(task, now=LATER),
        "dialled": lambda: steps.dialled(task, "A9", now=LATER),
        "answered": lambda: steps.answered(task),
        "not_reached": lambda: steps.not_reached(task, Outcome.BUSY, TIMES, now=LATER),
        "wrong_person": lambda: steps.wrong_person(task, now=LATER),
        "talked": lambda: steps.talked(task, FULL, TIMES, now=LATER),
        "number_corrected": lambda: steps.number_corrected(task, now=LATER),
        "refuse": lambda: steps.refuse_calls(task, now=LATER, do_not_call=False),
        "appoint": lambda: steps.appoint(task, LATER + timedelta(days=1), now=LATER),
    }
    for name, step in tries.items():
        if status in allowed[name]:
            step()
        else:
            with pytest.raises(IllegalStep):
                step()
    if status in FINAL:
        assert steps.cancel(task, CancelWhy.BY_HAND, now=LATER).task is task
        assert steps.hold(task, Hold.CUSTOMER).task is task


@pytest.mark.parametrize("status", sorted(WAITING))
def test_an_ended_project_cancels_what_waits(status: TaskStatus) -> None:
    task = steps.cancel(in_status(status), CancelWhy.PROJECT_ENDED, now=LATER).task
    assert (task.status, task.cancelled_why) == (TaskStatus.CANCELLED, CancelWhy.PROJECT_ENDED)


def test_a_call_in_progress_ends_as_it_would_and_the_task_is_cancelled_after_it() -> None:
    task = steps.cancel(talking(), CancelWhy.STOPPED, now=LATER).task
    assert task.status is TaskStatus.TALKING
    assert steps.talked(task, FULL, TIMES, now=LATER).task.status is TaskStatus.DONE
    broken = TalkEnd(answered=1, required=6)
    assert steps.talked(task, broken, TIMES, now=LATER).task.status is TaskStatus.CANCELLED
    later = steps.appoint(task, LATER + timedelta(hours=1), now=LATER).task
    assert (later.status, later.cancelled_why) == (TaskStatus.CANCELLED, CancelWhy.STOPPED)
    ringing = steps.cancel(dialling(), CancelWhy.STOPPED, now=LATER).task
    over = steps.not_reached(ringing, Outcome.EMPTY, TIMES, now=LATER)
    assert (over.task.status, over.effects) == (TaskStatus.CANCELLED, (Effect.INVALID_ATTEMPT,))
    assert steps.wrong_person(task, now=LATER).task.status is TaskStatus.CANCELLED
