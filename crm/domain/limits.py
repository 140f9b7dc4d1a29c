"""Limits: what a rule says, and where the clock of one running limit stands (domain.md §0, §1.3).

A rule is (code, clock, amount, start event, stop event, who owes it, warning points, chain). The points of a
running limit are its warnings, the breach at 100 %, and the steps of the chain, which are counted from the
breach each on a clock of its own. All here is pure; :mod:`crm.limits` keeps it in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from kernel.business_time import DAY, BusinessClocks, ClockKind
from kernel.errors import Conflict, Invalid, NotFound
from kernel.holidays import CalendarYearMissing

CALENDAR_RETRY = timedelta(minutes=15)
"""How soon a point is looked at again whose time depends on a year that is not loaded."""


class LimitConflict(Conflict):
    """The limit does not stand where this is possible: runs already, is paused, is over."""

    code = "limit_conflict"


class NoSuchLimit(NotFound):
    """No rule of that code in the policy, or no such policy."""

    code = "no_such_limit"


class StepKind(StrEnum):
    """What happens at a point."""

    WARN = "warn"
    BREACH = "breach"
    RED = "red"
    """The record enters the manager's red list."""
    ESCALATE = "escalate"
    """The general manager is told, an appraisal entry is proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """A step of the chain after a breach.

    Attributes:
        points: of the appraisal entry that is proposed, negative; 0 proposes none.
    """

    do: StepKind
    after: timedelta
    clock: ClockKind
    points: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One point of a rule: a warning at ``percent``, the breach, or a step of the chain."""

    kind: StepKind
    percent: int = 100
    chain: ChainStep | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A limit as configured.

    Attributes:
        code: ``TS.T1``.
        name: what is owed, in Chinese.
        amount: time on ``clock``; working days as days.
        start: event that starts it.
        stop: event that ends it.
        owes: who owes it, a word of :data:`crm.domain.limit_file.OWERS`.
        warn: warning points in percent of the amount, rising.
        visit_slot: the length of the agreed visit is added to the amount (domain.md §7 row 3).
    """

    code: str
    name: str
    clock: ClockKind
    amount: timedelta
    start: str
    stop: str
    owes: str
    warn: tuple[int, ...] = (50, 80)
    chain: tuple[ChainStep, ...] = ()
    visit_slot: bool = False

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All points, warnings first; a timer remembers by index which ones it has passed."""
        return (
            *(Step(kind=StepKind.WARN, percent=percent) for percent in self.warn),
            Step(kind=StepKind.BREACH),
            *(Step(kind=step.do, chain=step) for step in self.chain),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of rules; one version of it never changes."""

    set_name: str
    title: str
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def rule(self, code: str) -> Rule:
        """Return the rule of ``code``. Raises NoSuchLimit."""
        try:
            return self.rules[code]
        except KeyError:
            raise NoSuchLimit(f"{code}: no such limit in set {self.set_name}", field="code") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where the clock of a running limit stands.

    Attributes:
        since: when the clock last began to run.
        used: what had passed on it by then.
        allowed: the amount, a visit's slot included.
        deadline: the moment of 100 %; ``None`` while paused.
    """

    since: datetime
    used: timedelta
    allowed: timedelta
    deadline: datetime | None

    def used_at(self, rule: Rule, now: datetime, clocks: BusinessClocks) -> timedelta:
        """Return what has passed on the clock by ``now``; never more than is allowed.

        Beyond the deadline no calendar is asked, so that a list never fails for a year nobody loaded.
        """
        if self.deadline is None:
            return self.used
        if now >= self.deadline:
            return self.allowed
        return min(self.allowed, self.used + clocks.elapsed(rule.clock, self.since, now))

    def share_at(self, rule: Rule, now: datetime, clocks: BusinessClocks) -> float:
        """Return the used share, 0 to 1, on the limit's own clock."""
        return self.used_at(rule, now, clocks) / self.allowed


def begin(
    rule: Rule,
    at: datetime,
    clocks: BusinessClocks,
    *,
    slot: timedelta = timedelta(0),
    amount: timedelta | None = None,
) -> Run:
    """Start the clock at ``at``.

    Args:
        slot: length of the agreed visit; counts where the rule says so.
        amount: what the order itself demands, instead of the rule's amount.

    Raises:
        CalendarYearMissing: the deadline falls into a year that is not loaded.
        Invalid: an amount that cannot be.
    """
    allowed = rule.amount if amount is None else amount
    if allowed <= timedelta(0) or (rule.clock is ClockKind.WD and allowed % DAY):
        raise Invalid(f"{rule.code}: {allowed} is no amount on the clock {rule.clock}", field="amount")
    if slot < timedelta(0):
        raise Invalid(f"{rule.code}: a visit's slot is not negative", field="slot")
    if rule.visit_slot:
        allowed += slot
    return Run(since=at, used=timedelta(0), allowed=allowed, deadline=clocks.add(rule.clock, at, allowed))


def pause(rule: Rule, run: Run, at: datetime, clocks: BusinessClocks) -> Run:
    """Stand the clock still.

    Raises:
        LimitConflict: it stands still already, or the limit is over.
    """
    if run.deadline is None:
        raise LimitConflict(f"{rule.code} is paused already")
    if at >= run.deadline:
        raise LimitConflict(f"{rule.code} is over: what is late cannot be paused any more")
    return replace(run, used=run.used_at(rule, at, clocks), deadline=None)


def resume(rule: Rule, run: Run, at: datetime, clocks: BusinessClocks) -> Run:
    """Let the clock run on; what is left of a working day ends with the whole day.

    Raises:
        LimitConflict: it is not paused.
    """
    if run.deadline is not None:
        raise LimitConflict(f"{rule.code} is not paused")
    left = run.allowed - run.used
    if rule.clock is ClockKind.WD and left % DAY:
        left += DAY - left % DAY
    return replace(run, since=at, deadline=clocks.add(rule.clock, at, left))


def stretch(rule: Rule, run: Run, allowed: timedelta, clocks: BusinessClocks) -> Run:
    """Allow another amount from the same start."""
    run = replace(run, allowed=allowed, used=min(run.used, allowed))
    if run.deadline is None:
        return run
    return replace(run, deadline=clocks.add(rule.clock, run.since, max(timedelta(0), allowed - run.used)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A point that a limit has come to."""

    index: int
    step: Step
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is to be done at the points up to some moment, in order, and when to look again."""

    passed: tuple[Passed, ...]
    next_at: datetime | None
    calendar_missing: int | None = None
    """The year that a step of the chain waits for."""


def _point(rule: Rule, run: Run, step: Step, deadline: datetime, clocks: BusinessClocks) -> datetime:
    if step.chain is not None:
        return clocks.add(step.chain.clock, deadline, step.chain.after)
    if step.kind is StepKind.BREACH:
        return deadline
    length = run.allowed * step.percent / 100 - run.used
    return min(deadline, clocks.add(rule.clock, run.since, max(timedelta(0), length)))


def progress(rule: Rule, run: Run, handled: int, now: datetime, clocks: BusinessClocks) -> Progress:
    """Return the points that are reached at ``now`` and not in ``handled`` (a bit for each step's index).

    The order is that of their moments, so that a service that was away does all in the right order. A step of
    the chain whose moment depends on a year that is not loaded is not guessed: it waits for the calendar.
    """
    deadline = run.deadline
    if deadline is None:
        return Progress(passed=(), next_at=None)
    passed: list[Passed] = []
    later: list[datetime] = []
    year = None
    for index, step in enumerate(rule.steps):
        if handled >> index & 1:
            continue
        try:
            at = _point(rule, run, step, deadline, clocks)
        except CalendarYearMissing as error:
            year = int(str(error.context["year"]))
            # No clock is faster than the wall's: before this it cannot be.
            later.append(
                max(deadline + (step.chain.after if step.chain else timedelta(0)), now + CALENDAR_RETRY)
            )
            continue
        if at <= now:
            passed.append(Passed(index=index, step=step, at=at))
        else:
            later.append(at)
    return Progress(
        passed=tuple(sorted(passed, key=lambda point: (point.at, point.index))),
        next_at=min(later, default=None),
        calendar_missing=year,
    )
