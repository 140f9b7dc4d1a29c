"""The attempt of architecture.md §3, «Nobody is dialled twice», and the outcomes of domain.md §4.2."""

from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import Attempt, AttemptEffect, AttemptLimits, AttemptState
from callback_campaigns.domain.early_media import Announcement, HeardBefore
from callback_campaigns.domain.terms import Outcome
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid
from kernel.ids import new_ulid
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit

NOW = at("2026-03-02 10:00")
LIMITS = AttemptLimits()
SECOND = timedelta(seconds=1)


def in_state(state: AttemptState) -> Attempt:
    attempt = rules.begin(new_ulid(), "+8613800138000", now=NOW).attempt
    match state:
        case AttemptState.SENT:
            attempt = rules.sent(attempt, now=NOW).attempt
        case AttemptState.RINGING:
            attempt = rules.rang(attempt, now=NOW).attempt
        case AttemptState.ANSWERED:
            attempt = rules.answered(attempt, now=NOW).attempt
        case AttemptState.LOOKING:
            attempt = rules.doubt(attempt, now=NOW).attempt
        case AttemptState.ENDED:
            attempt = rules.ended(attempt, Outcome.BUSY, now=NOW).attempt
    assert attempt.state is state
    return attempt


def test_only_the_beginning_places_a_call() -> None:
    moved = rules.begin(new_ulid(), "+8613800138000", now=NOW)
    assert moved.effects == (AttemptEffect.ORIGINATE,)
    assert moved.attempt.state is AttemptState.SENDING
    assert moved.attempt.channel_id == f"att-{moved.attempt.attempt_id}"
    with pytest.raises(Invalid, match="ULID"):
        rules.begin("att-1", "+8613800138000", now=NOW)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_ends_it_and_frees_the_number(outcome: Outcome) -> None:
    moved = rules.ended(in_state(AttemptState.RINGING), outcome, now=NOW + 20 * SECOND)
    assert moved.effects == (AttemptEffect.SETTLE,)
    assert moved.attempt.outcome is outcome
    assert moved.attempt.ended_at == NOW + 20 * SECOND
    assert not moved.attempt.state.is_open


def test_what_the_network_said_is_kept_of_calls_that_nobody_answered() -> None:
    heard = HeardBefore(announcement=Announcement.OFF, text="已关机", sure=0.85)
    said: dict[str, Any] = {"now": NOW, "cause": 19, "heard": heard}
    over = rules.ended(in_state(AttemptState.SENT), Outcome.OFF, **said).attempt
    assert (over.cause, over.heard) == (19, heard)
    again = rules.ended(over, Outcome.OFF, now=NOW).attempt
    assert again == over, "the fact that comes after the event changes nothing"
    for state, outcome in (
        (AttemptState.SENT, Outcome.ANSWERED),
        (AttemptState.SENT, Outcome.MACHINE),
        (AttemptState.ANSWERED, Outcome.OFF),
    ):
        talked = rules.ended(in_state(state), outcome, **said).attempt
        assert (talked.cause, talked.heard) == (None, None)
    unknown = rules.ended(in_state(AttemptState.LOOKING), Outcome.UNKNOWN, now=NOW).attempt
    assert rules.ended(unknown, Outcome.OFF, **said).attempt.heard == heard, "a trace that turned up"


@pytest.mark.parametrize("state", [state for state in AttemptState if state.is_open])
def test_any_open_attempt_is_looked_for_after_a_failure_and_never_sent_again(state: AttemptState) -> None:
    moved = rules.doubt(in_state(state), now=NOW)
    assert moved.attempt.state is AttemptState.LOOKING
    assert AttemptEffect.ORIGINATE not in moved.effects
    assert moved.effects == (() if state is AttemptState.LOOKING else (AttemptEffect.LOOK,))


def test_found_by_its_channel_id_it_goes_on() -> None:
    looking = in_state(AttemptState.LOOKING)
    assert rules.found(looking, AttemptState.RINGING, now=NOW).attempt.state is AttemptState.RINGING
    answered = rules.found(looking, AttemptState.ANSWERED, now=NOW).attempt
    assert (answered.state, answered.answered_at) == (AttemptState.ANSWERED, NOW)
    assert rules.found(in_state(AttemptState.ENDED), AttemptState.RINGING, now=NOW).effects == ()


def test_found_nowhere_and_without_a_trace_it_counts_as_an_attempt() -> None:
    looking = in_state(AttemptState.LOOKING)
    early = rules.not_found(looking, LIMITS, now=NOW + LIMITS.settle - SECOND)
    assert early.attempt.state is AttemptState.LOOKING
    assert early.effects == (AttemptEffect.LOOK,)
    late = rules.not_found(looking, LIMITS, now=NOW + LIMITS.settle)
    assert (late.attempt.outcome, late.effects) == (Outcome.UNKNOWN, (AttemptEffect.SETTLE,))


def test_answered_before_the_failure_and_gone_after_it_was_answered() -> None:
    looking = rules.doubt(in_state(AttemptState.ANSWERED), now=NOW).attempt
    moved = rules.not_found(looking, LIMITS, now=NOW + SECOND)
    assert moved.attempt.outcome is Outcome.ANSWERED
    back = rules.found(looking, AttemptState.RINGING, now=NOW)
    assert back.attempt.state is AttemptState.ANSWERED


def test_a_trace_that_turns_up_later_corrects_the_outcome_and_dials_nobody() -> None:
    lost = rules.not_found(in_state(AttemptState.LOOKING), LIMITS, now=NOW + LIMITS.settle).attempt
    moved = rules.ended(lost, Outcome.NO_ANSWER, now=NOW + timedelta(hours=1))
    assert moved.effects == (AttemptEffect.CORRECT,)
    assert (moved.attempt.outcome, moved.attempt.corrected) == (Outcome.NO_ANSWER, True)
    again = rules.ended(moved.attempt, Outcome.BUSY, now=NOW)
    assert (again.attempt, again.effects) == (moved.attempt, ())


def test_who_waited_longer_than_two_seconds_was_abandoned_although_somebody_came() -> None:
    answered = in_state(AttemptState.ANSWERED)
    in_time = rules.connected(answered, at=NOW + 2 * SECOND).attempt
    late = rules.connected(answered, at=NOW + timedelta(seconds=2.1)).attempt
    assert (in_time.connect_seconds, in_time.abandoned) == (2.0, False)
    assert (late.connect_seconds, late.abandoned) == (2.1, True)
    # The first who takes it counts, told live or by the record; a wait is never negative.
    assert rules.connected(late, at=NOW).attempt is late
    over = rules.ended(late, Outcome.ANSWERED, now=NOW + 9 * SECOND, connect_seconds=0.5).attempt
    assert (over.outcome, over.connect_seconds, over.abandoned) == (Outcome.ANSWERED, 2.1, True)
    missed = rules.ended(answered, Outcome.ANSWERED, now=NOW + 9 * SECOND, connect_seconds=2.5).attempt
    assert missed.abandoned
    assert rules.connected(answered, at=NOW - SECOND).attempt.connect_seconds == 0.0
    ringing = in_state(AttemptState.RINGING)
    assert rules.connected(ringing, at=NOW).attempt is ringing


def test_what_was_certainly_not_sent_is_our_own_failure() -> None:
    moved = rules.not_sent(in_state(AttemptState.SENDING), now=NOW)
    assert moved.attempt.outcome is Outcome.FAILED


@pytest.mark.parametrize("state", [state for state in AttemptState if state is not AttemptState.SENDING])
def test_nothing_else_is_certain_not_to_have_been_sent(state: AttemptState) -> None:
    with pytest.raises(IllegalStep):
        rules.not_sent(in_state(state), now=NOW)


def test_events_out_of_order_or_twice_change_nothing() -> None:
    answered = in_state(AttemptState.ANSWERED)
    assert rules.rang(answered, now=NOW).attempt is answered
    assert rules.sent(answered, now=NOW).attempt is answered
    ended = in_state(AttemptState.ENDED)
    assert rules.answered(ended, now=NOW).attempt is ended
    assert rules.ended(ended, Outcome.BUSY, now=NOW).effects == ()
    assert rules.doubt(ended, now=NOW).attempt is ended
    assert rules.not_found(ended, LIMITS, now=NOW).attempt is ended


def test_a_sign_of_life_ends_the_doubt() -> None:
    moved = rules.rang(in_state(AttemptState.LOOKING), now=NOW)
    assert moved.attempt.state is AttemptState.RINGING


def test_a_call_that_was_answered_does_not_end_as_not_answered() -> None:
    moved = rules.ended(in_state(AttemptState.ANSWERED), Outcome.NO_ANSWER, now=NOW)
    assert moved.attempt.outcome is Outcome.ANSWERED
    machine = rules.ended(in_state(AttemptState.ANSWERED), Outcome.MACHINE, now=NOW)
    assert machine.attempt.outcome is Outcome.MACHINE
    abandoned = rules.ended(in_state(AttemptState.ANSWERED), Outcome.ABANDONED, now=NOW)
    assert abandoned.attempt.outcome is Outcome.ABANDONED


@pytest.mark.parametrize(
    ("state", "longest"),
    [
        (AttemptState.SENDING, 45 * SECOND),
        (AttemptState.SENT, 45 * SECOND),
        (AttemptState.RINGING, 45 * SECOND),
        (AttemptState.ANSWERED, timedelta(minutes=60, seconds=10)),
    ],
)
def test_an_attempt_that_is_not_heard_of_is_looked_for(state: AttemptState, longest: timedelta) -> None:
    attempt = in_state(state)
    assert rules.overdue(attempt, LIMITS, now=NOW + longest).effects == ()
    assert rules.overdue(attempt, LIMITS, now=NOW + longest + SECOND).effects == (AttemptEffect.LOOK,)
    # Also when the clock was set back by more than that.
    assert rules.overdue(attempt, LIMITS, now=NOW - longest - SECOND).effects == (AttemptEffect.LOOK,)
    assert rules.overdue(in_state(AttemptState.ENDED), LIMITS, now=NOW + longest * 2).effects == ()
