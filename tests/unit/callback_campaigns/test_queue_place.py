"""A place in a queue that waits while its caller does not: whose turn it is, and how it ends."""

from datetime import timedelta

import pytest

from callback_campaigns.domain import queue_place as rules
from callback_campaigns.domain.queue_place import (
    PlaceNotOpen,
    PlaceRules,
    PlaceState,
    QueuePlace,
    Waiting,
    turns,
)
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.domain.terms import Outcome
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit

NOON = at("2026-03-02 12:00")
RULES = PlaceRules()
MINUTE = timedelta(minutes=1)


def place(name: str = "01", *, minutes: int = 0, priority: int = 0) -> QueuePlace:
    joined = NOON + minutes * MINUTE
    return QueuePlace(
        place_id=name,
        queue="repair",
        joined_at=joined,
        expires_at=joined + RULES.kept,
        due_at=joined,
        priority=priority,
    )


def calling() -> QueuePlace:
    return rules.begin_call(place(), "A", NOON)


def test_it_is_ones_turn_when_nobody_on_the_line_is_before_one() -> None:
    first, second, third = place("01"), place("02", minutes=2), place("03", minutes=4)
    later = NOON + 10 * MINUTE
    assert turns([third, first, second], [], later) == (first, second, third)
    assert turns([first, second, third], [Waiting(0, NOON + 3 * MINUTE)], later) == (first, second)
    assert turns([first], [Waiting(0, NOON - MINUTE)], later) == ()
    # Whoever is of a higher priority goes first, whenever they came.
    assert turns([first], [Waiting(5, NOON + 9 * MINUTE)], later) == ()
    urgent = place("04", minutes=8, priority=7)
    assert turns([first, urgent], [Waiting(5, NOON + 9 * MINUTE)], later) == (urgent,)


def test_a_place_that_is_called_or_not_due_takes_no_turn() -> None:
    late = rules.call_over(calling(), Outcome.NO_ANSWER, RULES, NOON)
    assert turns([calling(), late], [], NOON + MINUTE) == ()
    assert turns([late], [], NOON + RULES.again) == (late,)


def test_who_answers_has_talked() -> None:
    done = rules.call_over(calling(), Outcome.ANSWERED, RULES, NOON + MINUTE)
    assert (done.state, done.ended_at) == (PlaceState.TALKED, NOON + MINUTE)
    assert rules.call_over(done, Outcome.NO_ANSWER, RULES, NOON + MINUTE) == done


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.BUSY, Outcome.UNKNOWN], ids=str)
def test_who_is_not_reached_is_called_once_more_then_by_people(outcome: Outcome) -> None:
    again = rules.call_over(calling(), outcome, RULES, NOON)
    assert (again.state, again.tries, again.due_at) == (PlaceState.WAITING, 1, NOON + RULES.again)
    second = rules.begin_call(again, "B", again.due_at)
    assert rules.call_over(second, outcome, RULES, again.due_at).state is PlaceState.HANDED_ON


def test_an_agent_who_was_not_there_costs_the_customer_no_try() -> None:
    moved = calling()
    for _ in range(RULES.agents - 1):
        moved = rules.call_over(moved, Outcome.FAILED, RULES, NOON)
        assert (moved.state, moved.tries) == (PlaceState.WAITING, 0)
        moved = rules.begin_call(moved, "B", NOON + RULES.soon)
    assert rules.call_over(moved, Outcome.FAILED, RULES, NOON).state is PlaceState.HANDED_ON


def test_time_runs_out_for_who_waits_and_not_for_who_is_called() -> None:
    end = place().expires_at
    assert rules.out_of_time(place(), end - MINUTE).state is PlaceState.WAITING
    assert rules.out_of_time(place(), end).state is PlaceState.EXPIRED
    assert rules.out_of_time(calling(), end).state is PlaceState.CALLING
    assert rules.call_over(calling(), Outcome.BUSY, RULES, end).state is PlaceState.HANDED_ON


def test_what_may_not_be_called_waits_or_goes_to_people() -> None:
    soon = NOON + 20 * MINUTE
    later = rules.refused(place(), Refusal(code=RefusalCode.FREQUENCY, until=soon), RULES, NOON)
    assert (later.state, later.due_at) == (PlaceState.WAITING, soon)
    night = rules.refused(
        place(), Refusal(code=RefusalCode.OUTSIDE_WINDOW, until=NOON + timedelta(hours=20)), RULES, NOON
    )
    never = rules.refused(place(), Refusal(code=RefusalCode.DO_NOT_CALL), RULES, NOON)
    assert (night.state, never.state) == (PlaceState.HANDED_ON, PlaceState.HANDED_ON)
    down = rules.refused(place(), Refusal(code=RefusalCode.LINK_DOWN), RULES, NOON)
    assert down.due_at == NOON + RULES.refused


def test_only_a_waiting_place_is_taken_out_or_put_forward() -> None:
    assert rules.cancel(place(), NOON).state is PlaceState.CANCELLED
    assert rules.forward(place(), 3, NOON).priority == 4
    assert rules.taken_up(place(), NOON).state is PlaceState.TAKEN_UP
    assert rules.taken_up(calling(), NOON).state is PlaceState.CALLING
    with pytest.raises(PlaceNotOpen):
        rules.cancel(calling(), NOON)
    with pytest.raises(PlaceNotOpen):
        rules.forward(calling(), 0, NOON)
    with pytest.raises(PlaceNotOpen):
        rules.begin_call(calling(), "B", NOON)
