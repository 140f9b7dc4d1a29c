"""A place in a queue under every history: one call at a time, no more rings than the rule, nobody lost."""

from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

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

pytestmark = pytest.mark.property

NOON = at("2026-03-02 12:00")
RULES = PlaceRules(kept=timedelta(minutes=60), agents=3)
SEEN = (*Outcome,)

STEPS = st.one_of(
    st.tuples(st.just("call"), st.none()),
    st.tuples(st.just("over"), st.sampled_from(SEEN)),
    st.tuples(st.just("refused"), st.sampled_from([*RefusalCode])),
    st.tuples(st.sampled_from(["cancel", "forward", "taken_up", "time"]), st.none()),
)


def place(name: str = "01", minutes: int = 0, priority: int = 0) -> QueuePlace:
    joined = NOON + timedelta(minutes=minutes)
    return QueuePlace(
        place_id=name,
        queue="repair",
        joined_at=joined,
        expires_at=joined + RULES.kept,
        due_at=joined,
        priority=priority,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=30))
def test_every_history_of_a_place(history: list[tuple[tuple[str, object], int]]) -> None:
    one, now, rung, calls = place(), NOON, 0, 0
    for (step, what), minutes in history:
        now += timedelta(minutes=minutes)
        before = one
        try:
            match step, what:
                case "call", _:
                    one = rules.begin_call(one, f"A{calls}", now)
                    calls += 1
                    assert before.waits(now)
                case "over", Outcome() as outcome:
                    one = rules.call_over(one, outcome, RULES, now)
                    rung += before.state is PlaceState.CALLING and outcome is not Outcome.FAILED
                case "refused", RefusalCode() as code:
                    one = rules.refused(one, Refusal(code=code), RULES, now)
                case "cancel", _:
                    one = rules.cancel(one, now)
                case "forward", _:
                    one = rules.forward(one, 3, now)
                case "taken_up", _:
                    one = rules.taken_up(one, now)
                case _:
                    one = rules.out_of_time(one, now)
        except PlaceNotOpen:
            assert one == before
        assert rung <= RULES.tries
        assert (one.ended_at is None) == one.state.is_open
        if not before.state.is_open:
            assert one == before
        if before.state is PlaceState.CALLING and one != before:
            # Only its call's end ends a call.
            assert step == "over"
        if one.state is PlaceState.EXPIRED and before.state is PlaceState.WAITING:
            assert now >= one.expires_at
        # Whoever is not reached, forbidden or late is called by people.
        if before.state.is_open and not one.state.is_open:
            gone = {PlaceState.TALKED, PlaceState.TAKEN_UP, PlaceState.CANCELLED}
            assert one.state.for_people or one.state in gone


PLACES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=8)
CALLERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(PLACES, CALLERS)
def test_nobody_passes_and_nobody_is_passed(kept: list[tuple[int, int]], line: list[tuple[int, int]]) -> None:
    now = NOON + timedelta(minutes=40)
    places = [place(f"{at:02}", minutes, priority) for at, (minutes, priority) in enumerate(kept)]
    waiting = [Waiting(priority, NOON + timedelta(minutes=minutes)) for priority, minutes in line]
    due = turns(places, waiting, now)
    assert list(due) == sorted(due, key=lambda one: one.rank)
    for one in places:
        before = [w for w in waiting if (-w.priority, w.joined_at) < one.rank[:2]]
        assert (one in due) == (not before)
