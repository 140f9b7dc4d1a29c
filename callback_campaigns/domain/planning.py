"""From an event to callback tasks (domain.md §1.1, §1.2 CB-1, CB-9, CB-11, §3.7).

The same event gives the same keys, so that a plan may be made again after any failure. What is not planned is
said with its reason, so that coverage can be counted against what was asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from callback_campaigns.domain.plan_rules import Before, PlanRules, TypeRule, When
from callback_campaigns.domain.task import Hold, Task, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Origin, is_frozen_by
from callback_campaigns.domain.windows import CallingWindows, CallWish, Occasion, Span
from crm.domain.customer import Level
from crm.domain.follow_up import SCALE, place
from crm.domain.freeze import FreezeScope
from kernel.business_time import BusinessClocks
from kernel.errors import Invalid

ASKED_ANYWAY = timedelta(days=14)
"""So near another point a yearly one is left out: that one asks the same, and nobody is called twice."""


class Skipped(StrEnum):
    """Why an event made no callback of a type."""

    DISABLED = "disabled"
    STOPPED = "stopped"
    """Callbacks of this type are stopped for the project (CB-9)."""
    LEVEL = "level"
    SAMPLED_OUT = "sampled_out"
    KNOWN = "known"
    """It has its task already."""
    TOO_OLD = "too_old"
    NO_POINT = "no_point"
    """Every point of the plan is past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event that may make callbacks due.

    Attributes:
        ref: names the event for ever: the stage event's id, the case with its round.
        at: when it was written down.
        on: the site's day on which it happened.
    """

    when: When
    ref: str
    at: datetime
    on: date
    customer_id: str
    project_id: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What is known of customer and project.

    Attributes:
        stopped: types that are stopped for the project (CB-9).
        freezes: the customer's freezes in force (CB-3).
        suspended: the work stands still.
        known_keys: keys that have a task already.
        open_types: types of which the project has an open task, for the warning.
        warranty_ends: days on which items of the home's warranty end, the last one last.
        point_after: the day of the plan's point that is over.
        severity: of the case that the callback is about.
    """

    store: str | None = None
    level: Level = Level.B
    preferred: Span | None = None
    stopped: frozenset[CallbackType] = frozenset()
    freezes: frozenset[FreezeScope] = frozenset()
    suspended: bool = False
    known_keys: frozenset[str] = frozenset()
    open_types: frozenset[CallbackType] = frozenset()
    warranty_ends: tuple[date, ...] = ()
    point_after: date | None = None
    severity: int | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The clocks that a plan is made by."""

    windows: CallingWindows = field(default_factory=CallingWindows)
    clocks: BusinessClocks = field(default_factory=BusinessClocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A task to make.

    Attributes:
        first_by: until when somebody must have tried (domain.md §3.0, first attempt).
    """

    task: Task
    first_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an event comes to.

    Attributes:
        warnings: types whose callback is still open though the work went on.
    """

    tasks: tuple[Planned, ...] = ()
    skipped: Mapping[CallbackType, Skipped] = field(default_factory=dict)
    warnings: tuple[CallbackType, ...] = ()


def plan(
    rules: PlanRules,
    trigger: Trigger,
    context: PlanContext,
    calendar: Calendar,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> Plan:
    """Return the callbacks that an event makes due.

    Raises:
        CalendarYearMissing: the answer depends on a year whose holidays are not loaded; nothing is planned.
    """
    tasks, skipped = [], {}
    for rule in rules.triggered(trigger.when, context.store):
        made = _plan_type(rules, rule, trigger, context, calendar, now, new_id)
        if isinstance(made, Skipped):
            skipped[rule.kind] = made
        else:
            tasks.append(made)
    warnings = tuple(
        kind
        for kind in rules.types
        if trigger.when.stage is not None
        and rules.of(kind, context.store).warn_at_stage == trigger.when.stage
        and kind in context.open_types
    )
    return Plan(tasks=tuple(tasks), skipped=skipped, warnings=warnings)


def key_of(kind: CallbackType, trigger: Trigger, point: str = "") -> str:
    """Return the key of a task: the same event, type and point always give the same."""
    about = trigger.project_id or trigger.customer_id
    return ":".join((kind.value, about, trigger.ref, *([point] if point else [])))


def is_sampled(key: str, rule: TypeRule) -> bool:
    """Tell whether a task is among those that are made; follows from its key alone, so anybody may check."""
    return place(key) < rule.sampling * SCALE


def next_point(
    rule: TypeRule, since: date, warranty_ends: Sequence[date], *, after: date, level: Level | None = None
) -> tuple[str, date] | None:
    """Return the first point of a plan that lies after a day, with its day; ``None`` when all are past.

    A project has one current task of a type (CB-1): the next point is planned when the one before is over.
    """
    days = [(day, code) for code, day in days_of(rule, since, warranty_ends, level).items() if day > after]
    if not days:
        return None
    day, code = min(days)
    return code, day


def owes_form_call(*, warranty_issued: bool, form_received: bool) -> bool:
    """Tell whether a finished project is owed one call more: warranty done, no feedback form (CB-11)."""
    return warranty_issued and not form_received


class NextAction(StrEnum):
    """What an agent decides about the next callback when one is finished (domain.md §1.1, G1)."""

    SET = "set"
    NONE = "none"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSetting:
    """The decision; SET needs type and day, REPEAT the day, NONE neither."""

    action: NextAction
    kind: CallbackType | None = None
    on: date | None = None


def next_of(
    task: Task,
    setting: NextSetting,
    rules: PlanRules,
    context: PlanContext,
    calendar: Calendar,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> Planned | None:
    """Return the next callback that an agent set when finishing one, ``None`` for none.

    Raises:
        Invalid: names the field that is missing, too much, or past.
        CalendarYearMissing: the day's year is not loaded.
    """
    action, kind, on = setting.action, setting.kind, setting.on
    if action is NextAction.NONE:
        if kind is not None or on is not None:
            raise Invalid("leave type and day empty when there is no next callback", field="next_type")
        return None
    if action is NextAction.REPEAT:
        if kind is not None and kind is not task.kind:
            raise Invalid("repeating asks the same again", field="next_type")
        kind = task.kind
    if kind is None:
        raise Invalid("say which callback is next", field="next_type")
    if on is None:
        raise Invalid("say on which day", field="next_on")
    if on < calendar.windows.day_of(now):
        raise Invalid("the day has passed", field="next_on")
    trigger = Trigger(
        when=When(rules.of(kind, context.store).when.kind),
        ref=f"next:{task.task_id}",
        at=now,
        on=on,
        customer_id=task.customer_id,
        project_id=task.project_id,
        case_id=task.case_id,
    )
    rule = rules.of(kind, context.store)
    made = _task(
        rule,
        trigger,
        context,
        calendar,
        due_on=on,
        key=key_of(kind, trigger),
        point="",
        now=now,
        new_id=new_id,
    )
    return _from(made, Origin.NEXT_OF, task)


def by_hand(
    rules: PlanRules,
    kind: CallbackType,
    trigger: Trigger,
    context: PlanContext,
    calendar: Calendar,
    *,
    now: datetime,
    new_id: Callable[[], str],
    origin: Origin = Origin.MANUAL,
) -> Planned:
    """Return a callback that somebody plans for a day, ``trigger.on``; sampling does not ask.

    Raises:
        Invalid: the day has passed.
        CalendarYearMissing: the day's year is not loaded.
    """
    if trigger.on < calendar.windows.day_of(now):
        raise Invalid("the day has passed", field="on")
    rule, key = rules.of(kind, context.store), key_of(kind, trigger)
    made = _task(
        rule, trigger, context, calendar, due_on=trigger.on, key=key, point="", now=now, new_id=new_id
    )
    return _from(made, origin, None)


def wish_for(task: Task, rule: TypeRule, preferred: Span | None) -> CallWish:
    """Return what a call about the task asks of the hours."""
    return CallWish(occasion=task.occasion, level=task.level, preferred=preferred, longest=rule.longest)


def _plan_type(
    rules: PlanRules,
    rule: TypeRule,
    trigger: Trigger,
    context: PlanContext,
    calendar: Calendar,
    now: datetime,
    new_id: Callable[[], str],
) -> Planned | Skipped:
    if not rule.enabled:
        return Skipped.DISABLED
    if rule.kind in context.stopped:
        return Skipped.STOPPED
    if context.level not in rule.levels:
        return Skipped.LEVEL
    today = calendar.windows.day_of(now)
    point, due_on = "", rule.offset.day_after(trigger.on)
    if rule.points:
        yesterday = today - timedelta(days=1)
        after = max(yesterday, context.point_after or yesterday)
        found = next_point(rule, trigger.on, context.warranty_ends, after=after, level=context.level)
        if found is None:
            return Skipped.NO_POINT
        point, due_on = found
    elif today - trigger.on > rules.too_old:
        return Skipped.TOO_OLD
    key = key_of(rule.kind, trigger, point)
    if key in context.known_keys:
        return Skipped.KNOWN
    if not is_sampled(key, rule):
        return Skipped.SAMPLED_OUT
    return _task(
        rule, trigger, context, calendar, due_on=due_on, key=key, point=point, now=now, new_id=new_id
    )


def _task(
    rule: TypeRule,
    trigger: Trigger,
    context: PlanContext,
    calendar: Calendar,
    *,
    due_on: date,
    key: str,
    point: str,
    now: datetime,
    new_id: Callable[[], str],
) -> Planned:
    case = rule.category is Category.CASE
    wish = CallWish(
        occasion=Occasion.REQUESTED if case else Occasion.ROUTINE,
        level=context.level,
        preferred=context.preferred,
        longest=rule.longest,
    )
    since = trigger.at + rule.offset.fixed if rule.offset.is_of_clock else _midnight(due_on, calendar)
    earliest = max(since, now if case else _midnight(calendar.windows.day_of(now), calendar), trigger.at)
    if point and not calendar.windows.calendar.knows(due_on.year):
        # Points lie years ahead; the hour is found when it comes, by a calendar that is loaded by then.
        due = earliest
    else:
        # Where the customer's hours and ours never meet, the task waits for whoever sees it refused.
        due = calendar.windows.opens(earliest, wish) or earliest
    holds = set()
    if any(is_frozen_by(rule.category, scope) for scope in context.freezes):
        holds.add(Hold.CUSTOMER)
    if context.suspended and rule.category is Category.SITE:
        holds.add(Hold.PROJECT)
    task = Task(
        task_id=new_id(),
        key=key,
        kind=rule.kind,
        category=rule.category,
        customer_id=trigger.customer_id,
        project_id=trigger.project_id,
        case_id=trigger.case_id,
        status=TaskStatus.FROZEN if holds else TaskStatus.PLANNED,
        due_at=due,
        window_end=_end_of(rule, trigger, due_on if point else trigger.on, calendar),
        point=point,
        level=context.level,
        channel=rule.channel_for(context.level, context.severity),
        origin=Origin.AUTO_EVENT,
        origin_ref=trigger.ref,
        holds=frozenset(holds),
    )
    first = rule.first_attempt[context.level]
    begins = (
        trigger.at if trigger.on == calendar.windows.day_of(trigger.at) else _midnight(trigger.on, calendar)
    )
    first_by = due if point else first.end(begins, trigger.on, calendar.clocks)
    return Planned(task=task, first_by=max(first_by, due))


def _end_of(rule: TypeRule, trigger: Trigger, day: date, calendar: Calendar) -> datetime:
    since = trigger.at if rule.window.is_of_clock else _midnight(day, calendar)
    return rule.window.end(since, day, calendar.clocks)


def _from(made: Planned, origin: Origin, task: Task | None) -> Planned:
    changed = replace(made.task, origin=origin, previous_id=task.task_id if task else None)
    return Planned(task=changed, first_by=made.first_by)


def days_of(
    rule: TypeRule, since: date, warranty_ends: Sequence[date], level: Level | None = None
) -> dict[str, date]:
    """Return the points of a plan whose days are known, each with its day: of all levels, or of one.

    A point before the end of a warranty comes for each item that ends (domain.md §3.7): the last one has the
    point's own code, those before it year and month of the end besides.
    """
    days: dict[str, date] = {}
    yearly: dict[str, date] = {}
    for point in rule.points:
        if level is not None and level not in point.levels:
            continue
        if point.every is not None:
            # A season begins every year; year and month tell one from the other.
            yearly |= {f"{point.code}{day:%y%m}": day for day in point.days(since)}
        elif point.before is None:
            days[point.code] = point.offset.day_after(since)
        elif point.before is Before.WARRANTY_END and warranty_ends:
            *earlier, last = sorted(warranty_ends)
            days[point.code] = last - point.offset.fixed
            for end in reversed(earlier):
                days[f"{point.code}-{end:%y%m}"] = end - point.offset.fixed
    near = {
        code
        for code, day in yearly.items()
        if any(abs(day - other) <= ASKED_ANYWAY for other in days.values())
    }
    return days | {code: day for code, day in yearly.items() if code not in near}


def _midnight(day: date, calendar: Calendar) -> datetime:
    return calendar.windows.midnight(day)
