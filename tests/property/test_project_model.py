"""A project's stages and payments against a model that is written another way: a list of what happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crm.domain.payments import Entry, Period, check_payment, owed, paid, settled
from crm.domain.project import Stage
from crm.domain.stages import (
    Course,
    Delivery,
    Reach,
    appraise,
    correct,
    end,
    move_delivery,
    next_paid_stage,
    reach,
    resume,
    suspend,
)
from kernel.errors import HuifangError

pytestmark = pytest.mark.property

FIRST = date(2026, 1, 1)
POSITIVE = [stage for stage in Stage if stage > 0]
days = st.integers(0, 60).map(lambda n: FIRST + timedelta(days=n))
cents = st.integers(0, 12_000_000).map(lambda n: Decimal(n) / 100)


class ProjectMachine(RuleBasedStateMachine):
    """The code under test holds a state; the model only the history, and works everything out from it."""

    def __init__(self) -> None:
        super().__init__()
        self.today = FIRST
        self.course = Course(stage=Stage.PROPOSAL)
        self.entries: list[Entry] = []
        self.log: list[tuple[int, date]] = []
        """Model: ranks reached and not taken back, in order."""
        self.base = 10
        self.halted: str | None = None
        self.halted_on = FIRST
        self.crew = False
        self.appraised = False
        self.hand_over = "N"
        self.amount: Decimal | None = None
        self.warranty: date | None = None

    # What the model thinks

    def rank(self) -> int:
        return max([self.base, *(rank for rank, _ in self.log)])

    def latest(self) -> date:
        return max((day for _, day in self.log), default=date.min)

    def day_of(self, rank: int) -> date | None:
        return next((day for reached, day in self.log if reached == rank), None)

    def received(self, period: str) -> int:
        return sum(int(item.amount * 100) for item in self.entries if item.period.value == period)

    def in_full(self, period: str) -> bool:
        wanted = [
            int(item.due * 100)
            for item in self.entries
            if item.period.value == period and item.due is not None and not item.reversed and item.amount > 0
        ]
        got = self.received(period)
        return got > 0 and got >= max(wanted, default=0)

    @contextmanager
    def must(self, possible: bool) -> Iterator[None]:
        """The step goes well exactly when the model says that it is possible."""
        before = self.course
        try:
            yield
        except HuifangError:
            assert not possible
            assert self.course is before
        else:
            assert possible

    # Steps

    @initialize(crew=st.booleans(), amount=st.none() | cents, begun=st.sampled_from([0, 80, 90]))
    def begin(self, crew: bool, amount: Decimal | None, begun: int) -> None:
        self.crew, self.amount = crew or begun > 0, amount
        self.course = replace(self.course, has_crew=self.crew)
        if begun:
            stages = [stage for stage in (50, 80, 90) if stage <= begun]
            self.log = [(stage, FIRST) for stage in stages]
            self.hand_over = "W" if begun == 90 else "N"
            self.course = Course(
                stage=Stage(begun),
                has_crew=True,
                started_on=FIRST,
                finished_on=FIRST,
                concealed_planned=FIRST,
                midterm_planned=FIRST,
                delivery=Delivery(self.hand_over),
                reached={Stage(stage): FIRST for stage in stages},
            )

    @rule(n=st.integers(1, 10))
    def time_passes(self, n: int) -> None:
        self.today += timedelta(days=n)

    @precondition(lambda self: not self.crew)
    @rule()
    def crew_comes(self) -> None:
        self.crew = True
        self.course = replace(self.course, has_crew=True)

    @rule(
        stage=st.sampled_from(POSITIVE), on=days, gap=st.none() | st.integers(-2, 9), until=st.none() | days
    )
    def register(self, stage: Stage, on: date, gap: int | None, until: date | None) -> None:
        planned = None if gap is None else on + timedelta(days=gap)
        rank = int(stage)
        possible = self.halted is None and rank > self.rank() and on <= self.today and on >= self.latest()
        possible &= rank < 35 or self.crew
        if rank == 50:
            possible &= planned is not None and planned >= on
        if rank > 50:
            possible &= self.day_of(50) is not None
        if rank in (75, 85):
            possible &= self.in_full("mid" if rank == 75 else "final")
        if rank >= 90:
            possible &= self.hand_over == "W" or (self.hand_over == "Y" and self.appraised)
        if rank == 95:
            ends = until or self.warranty
            possible &= ends is not None and ends >= on
        if rank == 99:
            possible &= self.warranty is not None and self.warranty < on
        step = Reach(
            stage=stage,
            on=on,
            today=self.today,
            concealed_planned=planned,
            midterm_planned=planned,
            warranty_until=until,
            settled=settled(self.entries),
        )
        with self.must(possible):
            self.course = reach(self.course, step)
        if possible:
            self.log.append((rank, on))
            if rank >= 90:
                self.hand_over = "W"
            if rank == 95:
                self.warranty = until or self.warranty

    @rule(skip=st.integers(0, 2))
    def go_on(self, skip: int) -> None:
        """As most projects go: the next stage, today."""
        above = [stage for stage in POSITIVE if stage > self.rank()]
        if above:
            stage = above[min(skip, len(above) - 1)]
            self.register(stage, self.today, 1, self.today + timedelta(days=5))

    @precondition(lambda self: self.rank() >= 80 and self.hand_over in "NSXT")
    @rule()
    def hand_over_goes_on(self) -> None:
        self.deliver(Delivery({"N": "S", "S": "Y", "X": "T", "T": "S"}[self.hand_over]))

    @precondition(lambda self: self.hand_over in "YWS")
    @rule()
    def appraise(self) -> None:
        possible = self.hand_over in "YW" and not self.appraised
        with self.must(possible):
            self.course = appraise(self.course)
        self.appraised |= possible

    @rule(stage=st.sampled_from(POSITIVE))
    def correct(self, stage: Stage) -> None:
        rank = int(stage)
        possible = self.halted != "suspended" and (
            rank < self.rank() or (rank == self.rank() and self.halted == "ended")
        )
        with self.must(possible):
            self.course = correct(self.course, stage)
        if not possible:
            return
        self.halted = None
        reached = [item for item in self.log if item[0] <= rank]
        # Taken back to a stage that was skipped: it stands there without a day of its own.
        self.base, self.log = rank, reached
        if rank < 80:
            self.hand_over, self.appraised = "N", False
        elif rank < 90 and self.hand_over == "W":
            self.hand_over = "Y"

    @rule(steps=st.integers(0, 2))
    def correct_a_little(self, steps: int) -> None:
        """As most corrections go: to a stage just below."""
        below = [stage for stage in POSITIVE if stage <= self.rank()]
        self.correct(below[max(0, len(below) - 1 - steps)])

    @precondition(lambda self: self.today.toordinal() % 3 == 0)
    @rule(on=days)
    def suspend(self, on: date) -> None:
        possible = self.halted is None and self.rank() < 90 and on <= self.today
        with self.must(possible):
            self.course = suspend(self.course, on=on, today=self.today)
        if possible:
            self.halted, self.halted_on = "suspended", on

    @rule(on=days)
    def resume(self, on: date) -> None:
        possible = self.halted == "suspended" and self.halted_on <= on <= self.today
        with self.must(possible):
            self.course = resume(self.course, on=on, today=self.today)
        if possible:
            self.halted = None

    @precondition(lambda self: self.today.toordinal() % 4 == 0)
    @rule(stage=st.sampled_from([Stage.CANCELLED, Stage.TERMINATED]))
    def end(self, stage: Stage) -> None:
        possible = self.halted != "ended" and self.rank() < 90
        with self.must(possible):
            self.course = end(self.course, stage)
        if possible:
            self.halted = "ended"

    @rule(to=st.sampled_from(list(Delivery)))
    def deliver(self, to: Delivery) -> None:
        chart = {"N": "S", "S": "NXY", "X": "ST", "T": "S", "Y": "", "W": ""}
        possible = self.halted is None and self.rank() >= 80 and to.value in chart[self.hand_over]
        with self.must(possible):
            self.course = move_delivery(self.course, to)
        if possible:
            self.hand_over = to.value

    @rule(period=st.sampled_from(list(Period)), amount=cents, due=st.none() | cents)
    def pay(self, period: Period, amount: Decimal, due: Decimal | None) -> None:
        total = sum(int(item.amount * 100) for item in self.entries)
        possible = amount > 0 and self.amount is not None and total + amount * 100 <= self.amount * 100
        with self.must(possible):
            check_payment(self.entries, amount, owed(self.amount, None))
        if not possible:
            return
        self.entries.append(Entry(period=period, amount=amount, due=due))
        stage = next_paid_stage(self.course, settled(self.entries))
        model = {(70, True): 75, (80, True): 85}.get(
            (self.rank(), self.in_full("mid" if self.rank() == 70 else "final"))
        )
        assert stage == (model if self.halted is None else None)

    @precondition(lambda self: any(item.amount > 0 and not item.reversed for item in self.entries))
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        live = [n for n, item in enumerate(self.entries) if item.amount > 0 and not item.reversed]
        chosen = data.draw(st.sampled_from(live))
        old = self.entries[chosen]
        self.entries[chosen] = replace(old, reversed=True)
        self.entries.append(Entry(period=old.period, amount=-old.amount))

    # What always holds

    @invariant()
    def both_stand_at_the_same_place(self) -> None:
        assert self.course.rank == self.rank()
        assert (self.course.stage < 0) == (self.halted is not None)
        assert self.course.delivery.value == self.hand_over
        assert self.course.appraised == self.appraised
        assert dict(self.course.reached) == dict(self.log)

    @invariant()
    def what_stages_bring_is_there_exactly_when_they_are(self) -> None:
        assert self.course.started_on == self.day_of(50)
        assert (self.course.concealed_planned is not None) == (self.day_of(50) is not None)
        assert self.course.finished_on == self.day_of(80)
        assert self.course.rank < 35 or self.course.has_crew

    @invariant()
    def nobody_pays_more_than_is_owed(self) -> None:
        assert paid(self.entries) <= (self.amount or 0)


TestProject = ProjectMachine.TestCase
TestProject.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
