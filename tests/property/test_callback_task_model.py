"""A callback task beside a model of its own, under any order of what people, phones and time do.

The model is a handful of plain values: a word for where the task stands, what holds it back, how its attempts
lie in the week. It knows nothing of the code's tables. What must hold whatever happens: nothing is dialled
that is frozen, over or not due; attempts keep the distances of CB-7 and lie inside the windows, unless the
customer named the time; what is over stays as it was; an attempt has one record.
"""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callback_campaigns.domain import task_steps as steps
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.domain.refused_steps import after_refusal
from callback_campaigns.domain.task import CancelWhy, Hold, Moved, TalkEnd, Task, TaskStatus
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.domain.windows import CallWish
from crm.domain.machine import IllegalStep
from tests.unit.callback_campaigns.tasks import TIMES, WINDOWS, finding, planned
from tests.unit.callback_campaigns.times import SITE, at

pytestmark = pytest.mark.property

REFUSED = {
    RefusalCode.OUTSIDE_WINDOW: "waits",
    RefusalCode.OPEN_ATTEMPT: "waits",
    RefusalCode.PAUSED: "waits",
    RefusalCode.DO_NOT_CALL: "refused",
    RefusalCode.STOPPED: "cancelled",
    RefusalCode.EXHAUSTED: "unreached",
    RefusalCode.BAD_NUMBER: "waits",
}
UNCOUNTED = {Outcome.CONGESTION, Outcome.FAILED}
OVER = {"done", "partial", "refused", "unreached", "cancelled"}


class TaskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = at("2026-02-12 09:00")  # a make-up Saturday and the Spring Festival lie ahead
        self.task: Task = planned(due_at=self.now)
        self.word = "waits"
        self.holds: set[str] = set()
        self.doomed = False
        self.attempts = 0
        self.began: datetime | None = None
        self.counted: list[tuple[datetime, bool]] = []
        self.by_wish = False
        self.number_bad = False
        self.last: Task | None = None

    # The model

    @property
    def frozen(self) -> bool:
        return self.word == "waits" and not self.number_bad and bool(self.holds)

    @property
    def over(self) -> bool:
        return self.word in OVER

    def may_try(self) -> bool:
        """What the dialler asks besides: an appointment is kept, all else keeps the distances."""
        if self.task.appointed:
            return True
        today = self.now.astimezone(SITE).date()
        same_day = [began for began, _ in self.counted if began.astimezone(SITE).date() == today]
        return len(same_day) < 2 and all(self.now - began >= timedelta(hours=2) for began in same_day)

    def take(self, moved: Moved) -> None:
        self.task = moved.task

    def attempt_ended(self, outcome: Outcome) -> None:
        assert self.began is not None
        if outcome not in UNCOUNTED:
            self.counted.append((self.began, self.by_wish))
        self.by_wish, self.began = False, None

    # Time and the phone

    @rule(hours=st.sampled_from([0.1, 1, 2.5, 5, 24]))
    def time_passes(self, hours: float) -> None:
        self.now += timedelta(hours=hours)
        waiting = {TaskStatus.PLANNED, TaskStatus.RETRY_WAIT, TaskStatus.APPOINTED}
        if self.task.status in waiting:
            self.take(steps.due(self.task, now=self.now))

    @precondition(lambda self: not self.over)
    @rule()
    def wait_until_it_is_due(self) -> None:
        if self.task.due_at - self.now < timedelta(days=60):
            self.now = max(self.now, self.task.due_at)
            self.time_passes(0)

    @rule()
    def dial(self) -> None:
        wish = CallWish(occasion=self.task.occasion)
        open_now = WINDOWS.closed(self.now, wish) is None
        try:
            moved = steps.dialled(self.task, f"A{self.attempts}", now=self.now)
        except IllegalStep:
            assert (
                self.word != "waits"
                or self.holds
                or self.number_bad
                or self.task.due_at > self.now
                or self.task.status is not TaskStatus.READY
            )
            return
        assert self.word == "waits" and not self.holds and not self.number_bad
        if not open_now or not self.may_try():
            return  # refused before anything is committed
        self.take(moved)
        self.word, self.began, self.by_wish = "dialling", self.now, self.task.appointed
        self.attempts += 1

    @precondition(lambda self: self.word == "dialling")
    @rule(outcome=st.sampled_from(sorted(set(Outcome) - {Outcome.ANSWERED})), seconds=st.integers(1, 60))
    def nobody_answers(self, outcome: Outcome, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(steps.not_reached(self.task, outcome, TIMES, now=self.now))
        self.attempt_ended(outcome)
        self.after_attempt(bad=outcome is Outcome.EMPTY)

    def after_attempt(self, *, bad: bool) -> None:
        if self.doomed:
            self.word = "cancelled"
        elif bad:
            self.word, self.number_bad = "waits", True
        else:
            self.word = "unreached" if self.task.status is TaskStatus.UNREACHED else "waits"

    @precondition(lambda self: self.word == "dialling")
    @rule()
    def somebody_answers(self) -> None:
        self.take(steps.answered(self.task))
        self.word = "talking"

    @precondition(lambda self: self.word == "talking")
    @rule(answered=st.integers(0, 10), minutes=st.integers(1, 4))
    def the_talk_ends(self, answered: int, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        end = TalkEnd(answered=answered, required=10, finding=finding())
        self.take(steps.talked(self.task, end, TIMES, now=self.now))
        self.attempt_ended(Outcome.ANSWERED)
        if answered == 10:
            self.word = "done"
        elif answered >= 6:
            self.word = "partial"
        else:
            self.after_attempt(bad=False)

    @precondition(lambda self: self.word == "talking")
    @rule()
    def it_is_a_stranger(self) -> None:
        self.take(steps.wrong_person(self.task, now=self.now))
        self.attempt_ended(Outcome.ANSWERED)
        self.after_attempt(bad=True)

    @rule(code=st.sampled_from(sorted(REFUSED)), hours=st.integers(0, 30), rarely=st.integers(0, 3))
    def the_dialler_is_refused(self, code: RefusalCode, hours: int, rarely: int) -> None:
        lasting = REFUSED[code] != "waits"
        if lasting and rarely:
            return
        until = self.now + timedelta(hours=hours) if hours else None
        before = self.task
        self.take(after_refusal(before, Refusal(code=code, until=until), now=self.now))
        if before.status is not TaskStatus.READY or code is RefusalCode.PAUSED:
            assert self.task == before
            return
        assert self.task.status is not TaskStatus.READY  # it is not refused again a moment later
        assert self.task.appointed is before.appointed
        self.word = REFUSED[code]
        self.number_bad = code is RefusalCode.BAD_NUMBER
        if self.word == "waits" and not self.number_bad:
            assert self.task.due_at > self.now

    # People

    @precondition(lambda self: self.word in {"talking", "waits"} and not self.number_bad)
    @rule(hours=st.integers(1, 80))
    def the_customer_names_a_time(self, hours: int) -> None:
        was_talking = self.word == "talking"
        self.take(steps.appoint(self.task, self.now + timedelta(hours=hours), now=self.now))
        if was_talking:
            self.attempt_ended(Outcome.ANSWERED)
        self.word = "cancelled" if was_talking and self.doomed else "waits"

    @precondition(lambda self: self.word in {"talking", "waits"})
    @rule(rarely=st.integers(0, 3))
    def the_customer_refuses(self, rarely: int) -> None:
        if rarely:
            return
        if self.word == "talking":
            self.attempt_ended(Outcome.ANSWERED)
        self.take(steps.refuse_calls(self.task, now=self.now, do_not_call=False))
        self.word = "refused"

    @precondition(lambda self: self.number_bad and self.word == "waits")
    @rule()
    def the_number_is_mended(self) -> None:
        self.take(steps.number_corrected(self.task, now=self.now))
        self.number_bad = False

    @rule(why=st.sampled_from([Hold.CUSTOMER, Hold.PROJECT]))
    def freeze(self, why: Hold) -> None:
        self.take(steps.hold(self.task, why))
        if not self.over:
            if why is Hold.CUSTOMER:
                self.holds.discard("question")
            self.holds.add(why.value)

    @rule(why=st.sampled_from([Hold.CUSTOMER, Hold.PROJECT]))
    def thaw(self, why: Hold) -> None:
        was_frozen = self.frozen
        self.take(steps.release(self.task, why, now=self.now))
        if why.value in self.holds:
            self.holds.remove(why.value)
            if why is Hold.CUSTOMER and was_frozen:
                self.holds.add("question")

    @rule(needed=st.integers(0, 5))
    def answer_the_question(self, needed: int) -> None:
        when = self.now + timedelta(days=needed) if needed else None
        try:
            self.take(steps.answer_thaw(self.task, needed_at=when, now=self.now))
        except IllegalStep:
            assert "question" not in self.holds
            return
        self.holds.remove("question")
        if not needed:
            self.doomed = self.word in {"dialling", "talking"}
            self.word = self.word if self.doomed else "cancelled"

    @rule(rarely=st.integers(0, 5))
    def cancel(self, rarely: int) -> None:
        if rarely:
            return
        self.take(steps.cancel(self.task, CancelWhy.BY_HAND, now=self.now))
        if self.word in {"dialling", "talking"}:
            self.doomed = True
        elif not self.over:
            self.word = "cancelled"

    # What must be so at any time

    @invariant()
    def it_stands_where_the_model_says(self) -> None:
        status = self.task.status
        if self.over:
            self.holds.clear()
            assert status.value == self.word
            assert self.task.holds == frozenset()
        elif self.word == "waits":
            assert (status is TaskStatus.BAD_NUMBER) is self.number_bad
            assert (status is TaskStatus.FROZEN) is self.frozen
            assert status.is_open and status not in {TaskStatus.DIALLING, TaskStatus.TALKING}
        else:
            assert status.value == self.word
        assert {hold.value for hold in self.task.holds} == self.holds

    @invariant()
    def what_is_over_stays(self) -> None:
        if self.last is not None:
            assert self.task == self.last
        if self.over:
            self.last = self.task

    @invariant()
    def attempts_keep_their_distance(self) -> None:
        assert len(self.task.tried) == self.attempts - (1 if self.began else 0)
        routine = [moment for moment, wished in self.counted if not wished]
        per_day = Counter(moment.astimezone(SITE).date() for moment in routine)
        assert all(count <= 2 for count in per_day.values())

    @invariant()
    def a_try_again_lies_inside_the_windows_and_the_caps(self) -> None:
        if self.task.status is TaskStatus.RETRY_WAIT:
            moment = self.task.due_at
            assert WINDOWS.closed(moment, CallWish()) is None
            everyone = [began for began, _ in self.counted]
            day = moment.astimezone(SITE).date()
            days = {began.astimezone(SITE).date() for began in everyone}
            assert len(days | {day}) <= 3
            assert all(moment - began >= timedelta(hours=2) for began in everyone)
            assert sum(began.astimezone(SITE).date() == day for began in everyone) < 2


TaskMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTask = TaskMachine.TestCase
