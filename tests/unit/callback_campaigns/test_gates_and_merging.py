"""Gates of domain.md §1.1 with the manager's override, and callbacks that become one call (§6.1)."""

from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.domain.gates import (
    GateAsked,
    GateWhy,
    Override,
    handover,
    midterm_notice,
    override,
)
from callback_campaigns.domain.merging import merge
from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Verdict
from kernel.access import Actor, Role
from kernel.errors import Forbidden, Invalid
from tests.unit.callback_campaigns.tasks import MONDAY, finding, planned, ready

pytestmark = pytest.mark.unit

BOSS = Actor(user_id="U1", name="陈经理", role=Role.MANAGER)


def result(verdict: Verdict, status: TaskStatus = TaskStatus.DONE) -> Task:
    return planned(kind=CallbackType.MIDTERM, status=status, finding=finding(verdict))


@pytest.mark.parametrize(
    ("asked", "midterm", "hand"),
    [
        (GateAsked(callback=None), GateWhy.NO_CALLBACK, GateWhy.NO_CALLBACK),
        (GateAsked(callback=ready()), GateWhy.NO_CALLBACK, GateWhy.NO_CALLBACK),
        (
            GateAsked(callback=planned(status=TaskStatus.UNREACHED)),
            GateWhy.NO_CALLBACK,
            GateWhy.NO_CALLBACK,
        ),
        (GateAsked(callback=result(Verdict.SATISFIED)), GateWhy.SATISFIED, GateWhy.SATISFIED),
        (GateAsked(callback=result(Verdict.NEUTRAL)), GateWhy.SATISFIED, GateWhy.SATISFIED),
        (
            GateAsked(callback=result(Verdict.SATISFIED, TaskStatus.PARTIAL)),
            GateWhy.SATISFIED,
            GateWhy.SATISFIED,
        ),
        (
            GateAsked(callback=result(Verdict.DISSATISFIED), tickets=2, tickets_open=1),
            GateWhy.DISSATISFIED,
            GateWhy.DISSATISFIED,
        ),
        (
            # Its ticket has not been opened yet.
            GateAsked(callback=result(Verdict.DISSATISFIED)),
            GateWhy.DISSATISFIED,
            GateWhy.DISSATISFIED,
        ),
        (
            GateAsked(callback=result(Verdict.DISSATISFIED), tickets=2),
            GateWhy.TICKETS_CLOSED,
            GateWhy.DISSATISFIED,
        ),
        (GateAsked(callback=None, required=False), GateWhy.NOT_REQUIRED, GateWhy.NOT_REQUIRED),
        (
            GateAsked(
                callback=result(Verdict.DISSATISFIED),
                tickets=2,
                tickets_open=2,
                override=Override(by="陈经理", reason="客户书面同意"),
            ),
            GateWhy.OVERRIDDEN,
            GateWhy.OVERRIDDEN,
        ),
    ],
)
def test_the_gates(asked: GateAsked, midterm: GateWhy, hand: GateWhy) -> None:
    shut = {GateWhy.NO_CALLBACK, GateWhy.DISSATISFIED}
    for state, why in ((midterm_notice(asked), midterm), (handover(asked), hand)):
        assert (state.why, state.open) == (why, why not in shut)


def test_only_the_manager_opens_a_gate_and_says_why() -> None:
    assert override(BOSS, " 客户书面同意 ") == Override(by="陈经理", reason="客户书面同意")
    with pytest.raises(Invalid):
        override(BOSS, "  ")
    with pytest.raises(Invalid):
        override(BOSS, "长" * 401)
    with pytest.raises(Forbidden):
        override(Actor(user_id="U2", name="李", role=Role.SUPERVISOR), "快一点")


LENGTHS = dict.fromkeys(CallbackType, timedelta(minutes=4))


def calls(*tasks: Task) -> list[list[str]]:
    found = merge(tasks, LENGTHS, now=MONDAY, within=timedelta(days=3), longest=timedelta(minutes=8))
    for call in found:
        assert call.longest == timedelta(minutes=4) * (1 + len(call.others))
        assert call.longest <= timedelta(minutes=8)
    return [[call.task.task_id, *(task.task_id for task in call.others)] for call in found]


def one(task_id: str, days: float = 0, *, is_ready: bool = True, **changes: Any) -> Task:
    moment = MONDAY + timedelta(days=days)
    status = TaskStatus.READY if is_ready else TaskStatus.PLANNED
    kind = {"A": CallbackType.START, "B": CallbackType.CONCEALED}.get(task_id, CallbackType.MIDTERM)
    known = {"task_id": task_id, "kind": kind, "due_at": moment, "window_end": moment, "status": status}
    return planned(**(known | changes))


def test_the_same_questions_are_not_asked_twice_in_one_call() -> None:
    assert calls(one("A"), one("B", kind=CallbackType.START)) == [["A"], ["B"]]


def test_tasks_of_one_customer_become_one_call_the_most_pressing_first() -> None:
    assert calls(one("B", -1), one("A", -2)) == [["A", "B"]]
    assert calls(one("A"), one("B", customer_id="C2")) == [["A"], ["B"]]


def test_what_is_due_soon_joins_and_what_is_due_late_does_not() -> None:
    assert calls(one("A"), one("B", 3, is_ready=False)) == [["A", "B"]]
    assert calls(one("A"), one("B", 3.1, is_ready=False)) == [["A"]]


def test_a_call_does_not_grow_too_long() -> None:
    assert calls(one("A", -3), one("B", -2), one("C", -1)) == [["A", "B"], ["C"]]


def test_a_case_comes_first_and_joins_nothing() -> None:
    case = one("K", category=Category.CASE, kind=CallbackType.COMPLAINT)
    assert calls(one("A", -3), case) == [["K", "A"]]
    other = one("L", -1, category=Category.CASE, kind=CallbackType.REPAIR)
    assert calls(case, other) == [["L"], ["K"]]


def test_an_appointment_and_another_channel_are_left_alone() -> None:
    assert calls(one("A"), one("B", 1, is_ready=False, appointed=True)) == [["A"]]
    assert calls(one("A"), one("B", channel=Channel.AGENT)) == [["A"], ["B"]]
    assert calls(one("A", is_ready=False)) == []
