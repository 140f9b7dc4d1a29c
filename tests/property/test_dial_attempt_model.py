"""An attempt under any order of events and failures, beside a switch that knows what really happened.

The world: the Originate reaches the switch or is lost with the link. If it reaches the switch, exactly one
call is made. Our side sees events, misses some, is told some twice, fails and looks. Whatever happens: one
call at most, the attempt ends at last, and it never claims that a phone did not ring when it was answered.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import AttemptEffect, AttemptLimits, AttemptMoved, AttemptState
from callback_campaigns.domain.terms import Outcome
from kernel.ids import new_ulid
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.property

LIMITS = AttemptLimits()


class AttemptMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = at("2026-03-02 10:00")
        self.originates = self.settled = self.calls = 0
        self.phone = "idle"
        self.ever_answered = False
        self.seen_answered = False
        self.was_ended = False
        self.waited: float | None = None
        self.attempt = rules.begin(new_ulid(), "+8613800138000", now=self.now).attempt
        self.originates += 1

    def take(self, moved: AttemptMoved) -> None:
        self.originates += moved.effects.count(AttemptEffect.ORIGINATE)
        self.settled += moved.effects.count(AttemptEffect.SETTLE)
        self.attempt = moved.attempt

    # The world

    @precondition(lambda self: self.calls == 0 and self.attempt.state.is_open)
    @rule(told=st.booleans())
    def the_switch_takes_it(self, told: bool) -> None:
        if self.now - self.attempt.began_at >= LIMITS.settle:
            return  # a socket keeps nothing for so long
        self.calls, self.phone = 1, "down"
        if told:
            self.take(rules.sent(self.attempt, now=self.now))

    @precondition(lambda self: self.phone == "down")
    @rule(told=st.integers(0, 2))
    def it_rings(self, told: int) -> None:
        self.phone = "ringing"
        for _ in range(told):
            self.take(rules.rang(self.attempt, now=self.now))

    @precondition(lambda self: self.phone == "ringing")
    @rule(told=st.integers(0, 2))
    def it_is_answered(self, told: int) -> None:
        self.phone, self.ever_answered = "answered", True
        for _ in range(told):
            self.seen_answered = self.seen_answered or self.attempt.state.is_open
            self.take(rules.answered(self.attempt, now=self.now))

    @precondition(lambda self: self.phone == "answered")
    @rule(told=st.integers(0, 2), waited=st.floats(-1, 5))
    def somebody_of_ours_takes_it(self, told: int, waited: float) -> None:
        before = self.attempt
        for _ in range(told):
            self.take(rules.connected(self.attempt, at=self.now + timedelta(seconds=waited)))
        assert replace(self.attempt, connect_seconds=before.connect_seconds) == before

    @precondition(lambda self: self.phone in {"down", "ringing", "answered"})
    @rule(told=st.integers(0, 2))
    def it_is_over(self, told: int) -> None:
        outcome = Outcome.ANSWERED if self.ever_answered else Outcome.NO_ANSWER
        self.phone = "over"
        for _ in range(told):
            self.take(rules.ended(self.attempt, outcome, now=self.now))

    # Our side

    @rule(seconds=st.integers(0, 70))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(rules.overdue(self.attempt, LIMITS, now=self.now))

    @rule()
    def something_fails(self) -> None:
        self.take(rules.doubt(self.attempt, now=self.now))

    @rule(trace=st.booleans())
    def a_look_comes_back(self, trace: bool) -> None:
        match self.phone:
            case "down" | "ringing" | "answered":
                state = {"down": AttemptState.SENT, "ringing": AttemptState.RINGING}
                self.take(
                    rules.found(self.attempt, state.get(self.phone, AttemptState.ANSWERED), now=self.now)
                )
                self.seen_answered = self.seen_answered or self.phone == "answered"
            case "over" if trace:
                outcome = Outcome.ANSWERED if self.ever_answered else Outcome.NO_ANSWER
                self.take(rules.ended(self.attempt, outcome, now=self.now))
            case _:
                self.take(rules.not_found(self.attempt, LIMITS, now=self.now))

    # What must be so at any time

    @invariant()
    def one_call_at_most(self) -> None:
        assert self.originates == 1
        assert self.calls <= 1

    @invariant()
    def it_ends_once(self) -> None:
        over = self.attempt.state is AttemptState.ENDED
        assert self.settled == (1 if over else 0)
        assert over or not self.was_ended
        self.was_ended = over
        assert (self.attempt.outcome is not None) is over

    @invariant()
    def the_number_is_not_free_while_its_phone_may_ring(self) -> None:
        if self.phone in {"down", "ringing", "answered"}:
            assert self.attempt.state.is_open

    @invariant()
    def the_wait_is_written_once_and_only_of_what_was_answered(self) -> None:
        waited = self.attempt.connect_seconds
        assert waited is None or (waited >= 0 and self.ever_answered)
        assert self.waited is None or self.waited == waited
        self.waited = waited

    @invariant()
    def what_was_seen_answered_stays_answered(self) -> None:
        if self.attempt.state is AttemptState.ENDED and self.seen_answered:
            assert self.attempt.outcome is Outcome.ANSWERED

    def teardown(self) -> None:
        """However it went: looking ends it."""
        self.phone = "over" if self.phone != "idle" else "idle"
        self.take(rules.doubt(self.attempt, now=self.now))
        self.now += LIMITS.settle
        self.take(rules.not_found(self.attempt, LIMITS, now=self.now))
        assert self.attempt.state is AttemptState.ENDED


AttemptMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAttempt = AttemptMachine.TestCase
