"""A refused call: its task leaves the list of those that may be dialled, by its reason."""

from datetime import timedelta

import pytest

from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.domain.refused_steps import AT_ONCE, after_refusal, number_wrong, put_off
from callback_campaigns.domain.retry import RetryPolicy
from callback_campaigns.domain.task import CancelWhy, Effect, TaskStatus
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep
from tests.unit.callback_campaigns.tasks import MONDAY, in_status, ready
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (RefusalCode.DO_NOT_CALL, TaskStatus.REFUSED),
        (RefusalCode.NO_CONSENT, TaskStatus.REFUSED),
        (RefusalCode.STOPPED, TaskStatus.CANCELLED),
        (RefusalCode.NOT_DIALABLE, TaskStatus.BAD_NUMBER),
        (RefusalCode.BAD_NUMBER, TaskStatus.BAD_NUMBER),
        (RefusalCode.REGION_BLOCKED, TaskStatus.UNREACHED),
        (RefusalCode.EXHAUSTED, TaskStatus.UNREACHED),
    ],
)
def test_what_lasts_ends_the_waiting(code: RefusalCode, status: TaskStatus) -> None:
    assert code.ends_task
    assert after_refusal(ready(), Refusal(code=code), now=MONDAY).task.status is status


def test_every_reason_is_dealt_with() -> None:
    for code in RefusalCode:
        task = after_refusal(ready(), Refusal(code=code), now=MONDAY).task
        assert (task.status is TaskStatus.READY) is (code in AT_ONCE)
        assert code not in AT_ONCE or not code.ends_task


def test_what_passes_waits_until_it_is_worth_asking_again() -> None:
    until = MONDAY + timedelta(hours=3)
    moved = after_refusal(ready(), Refusal(code=RefusalCode.OUTSIDE_WINDOW, until=until), now=MONDAY)
    assert (moved.task.status, moved.task.due_at, moved.effects) == (TaskStatus.PLANNED, until, ())
    appointed = after_refusal(
        ready(appointed=True), Refusal(code=RefusalCode.FREQUENCY, until=until), now=MONDAY
    )
    assert (appointed.task.status, appointed.task.appointed) == (TaskStatus.APPOINTED, True)


def test_a_moment_in_the_past_is_not_asked_for_at_once() -> None:
    until = MONDAY - timedelta(hours=1)
    moved = after_refusal(ready(), Refusal(code=RefusalCode.FREQUENCY, until=until), now=MONDAY)
    assert moved.task.due_at > MONDAY


def test_what_is_given_up_goes_by_form_or_to_a_named_person() -> None:
    refusal = Refusal(code=RefusalCode.EXHAUSTED)
    assert after_refusal(ready(), refusal, now=MONDAY).effects == (Effect.SEND_FORM,)
    by_person = after_refusal(ready(level=Level.A), refusal, now=MONDAY).effects
    assert by_person == (Effect.TO_PERSON, Effect.TELL_MANAGER)
    assert after_refusal(ready(), Refusal(code=RefusalCode.BAD_NUMBER), now=MONDAY).effects == (
        Effect.NUMBER_FIX,
    )
    stopped = after_refusal(ready(), Refusal(code=RefusalCode.STOPPED), now=MONDAY).task
    assert stopped.cancelled_why is CancelWhy.STOPPED


@pytest.mark.parametrize("status", sorted(set(TaskStatus) - {TaskStatus.READY}))
def test_only_what_may_be_dialled_is_moved(status: TaskStatus) -> None:
    task = in_status(status)
    for code in RefusalCode:
        assert after_refusal(task, Refusal(code=code), now=MONDAY).task == task
    with pytest.raises(IllegalStep):
        put_off(task, MONDAY)
    with pytest.raises(IllegalStep):
        number_wrong(task)


def test_the_part_of_the_day_that_a_reason_is_kept_once_in() -> None:
    policy = RetryPolicy()
    assert policy.part_began(at("2026-03-02 11:59")) == at("2026-03-02 00:00")
    assert policy.part_began(at("2026-03-02 12:00")) == at("2026-03-02 12:00")
    assert policy.part_began(at("2026-03-02 23:00")) == at("2026-03-02 17:00")
