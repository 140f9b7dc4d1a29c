"""Improvement measures against a sheet of paper that knows no states: what was said, when, by whom."""

from datetime import date, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crm.domain import improvement as rules
from crm.domain.improvement import EffectUnknown, Measure, MeasureStep
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.property

WHO = st.sampled_from(["chen", "shen", "zhao"])


class MeasureMachine(RuleBasedStateMachine):
    """The paper: ``said`` is who reported and in which month; ``ended`` closes it."""

    @initialize(ahead=st.integers(0, 40))
    def begin(self, ahead: int) -> None:
        self.today = date(2026, 1, 20)
        self.measure = Measure(due_on=self.today + timedelta(days=ahead))
        self.due = self.measure.due_on
        self.said: tuple[str, int] | None = None
        self.ended = False
        self.rounds = 1

    def month(self) -> int:
        return self.today.year * 12 + self.today.month

    def attempt(self, allowed: bool, step: object, *arguments: object, **named: object) -> bool:
        before = self.measure
        try:
            self.measure = step(self.measure, *arguments, **named)  # type: ignore[operator]
        except (IllegalStep, EffectUnknown, Invalid):
            assert not allowed
            assert self.measure == before
            return False
        assert allowed
        return True

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.today += timedelta(days=days)

    @rule(who=WHO)
    def reports(self, who: str) -> None:
        if self.attempt(not self.ended and self.said is None, rules.report, who, self.today):
            self.said = (who, self.month())

    @rule(who=WHO, effective=st.booleans(), ahead=st.none() | st.integers(-5, 400))
    def checks(self, who: str, effective: bool, ahead: int | None) -> None:
        due = None if ahead is None else self.today + timedelta(days=ahead)
        fits = not self.ended and self.said is not None and self.said[0] != who
        fits = fits and self.said is not None and self.month() > self.said[1]
        fits = fits and (effective or (ahead is not None and 0 <= ahead <= 365))
        if self.attempt(fits, rules.check, effective=effective, by=who, today=self.today, due_on=due):
            self.said, self.ended = None, effective
            if not effective and due is not None:
                self.due, self.rounds = due, self.rounds + 1

    @rule(ahead=st.integers(-5, 400))
    def changes(self, ahead: int) -> None:
        due = self.today + timedelta(days=ahead)
        fits = not self.ended and self.said is None and (due == self.due or 0 <= ahead <= 365)
        if self.attempt(fits, rules.change, due, self.today):
            self.due = due

    @rule()
    def drops(self) -> None:
        if self.attempt(not self.ended, rules.drop):
            self.ended, self.said = True, None

    @invariant()
    def agrees(self) -> None:
        assert self.measure.due_on == self.due
        assert self.measure.round == self.rounds
        steps = set(rules.steps_of(self.measure))
        assert bool(steps) != self.ended
        assert (MeasureStep.CHECK in steps) == (self.said is not None)
        if self.ended:
            late = False
        elif self.said is None:
            late = self.today > self.due
        else:
            late = self.month() >= self.said[1] + 2
        assert rules.is_overdue(self.measure, self.today) == late


TestMeasures = MeasureMachine.TestCase
TestMeasures.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
