"""Limits: what a rule says, and where the clock of one running limit stands (domain.md §0, §1.3).

A rule is (code, clock, amount, start event, stop event, who owes it, warning points, chain). The points of a
running limit are its warnings, the breach at 100 %, and the steps of the chain, which are counted from the
breach each on a clock of its own. All here is pure; :mod:`crm.limits` keeps it in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property

from kernel.business_time import DAY, IN_DAYS, BusinessClocks, ClockKind
from kernel.errors import Conflict, Invalid, NotFound
from kernel.holidays import CalendarYearMissing

CALENDAR_RETRY = timedelta(minutes=15)
"""How soon a moment is looked for again that depends on a year that is not loaded."""


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
        deadline: the moment of 100 %; ``None`` while paused, or while it is not known.
        waits_for: the year whose calendar is needed to know the deadline.
    """

    since: datetime
    used: timedelta
    allowed: timedelta
    deadline: datetime | None
    waits_for: int | None = None

    def used_at(self, rule: Rule, now: datetime, clocks: BusinessClocks) -> timedelta:
        """Return what has passed on the clock by ``now``; never more than is allowed.

        A list never fails for a year nobody loaded: beyond the deadline no calendar is asked, and before it
        this is what had passed by the end of the calendar.
        """
        if self.deadline is None:
            waits = self.waits_for is not None
            return self.used + (_known(rule, self.since, now, clocks) if waits else timedelta(0))
        if now >= self.deadline:
            return self.allowed
        return min(self.allowed, self.used + _known(rule, self.since, now, clocks))

    def share_at(self, rule: Rule, now: datetime, clocks: BusinessClocks) -> float:
        """Return the used share, 0 to 1, on the limit's own clock."""
        return self.used_at(rule, now, clocks) / self.allowed


def _known(rule: Rule, since: datetime, now: datetime, clocks: BusinessClocks) -> timedelta:
    try:
        return clocks.elapsed(rule.clock, since, now)
    except CalendarYearMissing as error:
        unknown = datetime.combine(date(_year(error), 1, 1), time.min, clocks.hours.zone)
        return clocks.elapsed(rule.clock, since, unknown - timedelta(microseconds=1))


def _year(error: CalendarYearMissing) -> int:
    return int(str(error.context["year"]))


def settle(rule: Rule, run: Run, clocks: BusinessClocks) -> Run:
    """Give a run that is not paused its deadline, or the year that it waits for; it is never guessed.

    What is left of a working day after a pause ends with the whole day.
    """
    left = max(timedelta(0), run.allowed - run.used)
    if rule.clock in IN_DAYS and run.used and left % DAY:
        left += DAY - left % DAY
    try:
        return replace(run, deadline=clocks.add(rule.clock, run.since, left), waits_for=None)
    except CalendarYearMissing as error:
        return replace(run, deadline=None, waits_for=_year(error))


def begin(
    rule: Rule,
    at: datetime,
    clocks: BusinessClocks,
    *,
    slot: timedelta = timedelta(0),
    amount: timedelta | None = None,
) -> Run:
    """Start the clock at ``at``; the deadline is not known while its year is not loaded.

    Args:
        slot: length of the agreed visit; counts where the rule says so.
        amount: what the order itself demands, instead of the rule's amount.

    Raises:
        Invalid: an amount that cannot be.
    """
    allowed = rule.amount if amount is None else amount
    if allowed <= timedelta(0) or (rule.clock in IN_DAYS and allowed % DAY):
        raise Invalid(f"{rule.code}: {allowed} is no amount on the clock {rule.clock}", field="amount")
    if slot < timedelta(0):
        raise Invalid(f"{rule.code}: a visit's slot is not negative", field="slot")
    if rule.visit_slot:
        allowed += slot
    return settle(rule, Run(since=at, used=timedelta(0), allowed=allowed, deadline=None), clocks)


def pause(rule: Rule, run: Run, at: datetime, clocks: BusinessClocks) -> Run:
    """Stand the clock still.

    Raises:
        LimitConflict: it stands still already, or the limit is over.
        CalendarYearMissing: what has passed by then depends on a year that is not loaded.
    """
    if run.waits_for is not None:
        run = settle(rule, run, clocks)
    if run.deadline is None and run.waits_for is None:
        raise LimitConflict(f"{rule.code} is paused already")
    if run.deadline is not None and at >= run.deadline:
        raise LimitConflict(f"{rule.code} is over: what is late cannot be paused any more")
    used = min(run.allowed, run.used + clocks.elapsed(rule.clock, run.since, at))
    return replace(run, used=used, deadline=None, waits_for=None)


def resume(rule: Rule, run: Run, at: datetime, clocks: BusinessClocks) -> Run:
    """Let the clock run on; what is left of a working day ends with the whole day.

    Raises:
        LimitConflict: it is not paused.
    """
    if run.deadline is not None or run.waits_for is not None:
        raise LimitConflict(f"{rule.code} is not paused")
    return settle(rule, replace(run, since=at), clocks)


def stretch(rule: Rule, run: Run, allowed: timedelta, clocks: BusinessClocks) -> Run:
    """Allow another amount from the same start."""
    paused = run.deadline is None and run.waits_for is None
    run = replace(run, allowed=allowed, used=min(run.used, allowed))
    return run if paused else settle(rule, run, clocks)


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
    """The year that the deadline, or a step of the chain that might be due, waits for."""


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
        retry = now + CALENDAR_RETRY if run.waits_for is not None else None
        return Progress(passed=(), next_at=retry, calendar_missing=run.waits_for)
    passed: list[Passed] = []
    later: list[datetime] = []
    year = None
    for index, step in enumerate(rule.steps):
        if handled >> index & 1:
            continue
        try:
            at = _point(rule, run, step, deadline, clocks)
        except CalendarYearMissing as error:
            # No clock is faster than the wall's: before this it cannot be.
            earliest = deadline + (step.chain.after if step.chain else timedelta(0))
            if earliest <= now:
                year = _year(error)
            later.append(max(earliest, now + CALENDAR_RETRY))
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
