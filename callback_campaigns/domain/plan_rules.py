"""The rules of planning as data: which event makes which callback, when, by whom (domain.md §1.1).

``callback_campaigns/rules/planning.yaml`` has the ones that come with the product; a site may load others.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any

from callback_campaigns.domain.rule_reader import Length, RuleReader
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Gate
from crm.domain.case import Severity
from crm.domain.customer import Level
from crm.domain.project import Stage

MAX_POINTS = 24


class TriggerKind(StrEnum):
    """What may make a callback due."""

    STAGE = "stage"
    CASE_RESOLVED = "case_resolved"
    PROJECT_ENDED = "project_ended"
    FORM_MISSING = "form_missing"
    MANUAL = "manual"


class CaseOf(StrEnum):
    """The kinds of case whose customers are asked."""

    COMPLAINT = "complaint"
    REPAIR = "repair"


class Before(StrEnum):
    """Days that a plan point may lie before."""

    WARRANTY_END = "warranty_end"


@dataclass(frozen=True, slots=True)
class When:
    """The event that makes a callback due."""

    kind: TriggerKind
    stage: int | None = None
    case: CaseOf | None = None


@dataclass(frozen=True, slots=True)
class PlanPoint:
    """One of several callbacks after one event; ``before`` counts back from that day instead.

    Attributes:
        every: month and day of each year; then ``offset`` is for how long after the event.
        levels: whose customers it is for.
    """

    code: str
    offset: Length
    before: Before | None = None
    every: tuple[int, int] | None = None
    levels: frozenset[Level] = frozenset(Level)

    def days(self, since: date) -> Iterator[date]:
        """Yield the days of a yearly point, those of the event's own year after it."""
        assert self.every is not None
        last = self.offset.day_after(since)
        for year in range(since.year, last.year + 1):
            day = date(year, *self.every)
            if since < day <= last:
                yield day


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRule:
    """A type of callback.

    Attributes:
        window: how long after the event the callback counts as in time.
        first_attempt: how long after the event somebody must have tried.
        sampling: the share of the tasks that is made, 0 to 1.
        longest: how long its longest questionnaire takes.
        people_from_severity: of a case as severe as this only people ask, whatever ``channel`` says.
        warn_at_stage: whoever registers that stage while it is open is warned.
    """

    kind: CallbackType
    name: str
    category: Category
    when: When
    offset: Length
    window: Length
    longest: timedelta
    first_attempt: Mapping[Level, Length]
    channel: Mapping[Level, Channel]
    people_from_severity: int | None
    levels: frozenset[Level]
    sampling: Fraction
    gate: Gate
    points: tuple[PlanPoint, ...]
    warn_at_stage: int | None
    enabled: bool

    def channel_for(self, level: Level, severity: int | None) -> Channel:
        """Return how a customer is asked, of a case that is so severe."""
        channel, least = self.channel[level], self.people_from_severity
        if channel is Channel.IVR and least is not None and severity is not None and severity >= least:
            return Channel.AGENT
        return channel


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """A whole plan.

    Attributes:
        stores: by store, the types in which it differs.
        too_old: events that are written down later than this make no callback.
    """

    title: str
    types: Mapping[CallbackType, TypeRule]
    stores: Mapping[str, Mapping[CallbackType, TypeRule]]
    merge_within: timedelta
    merge_longest: timedelta
    too_old: timedelta

    def of(self, kind: CallbackType, store: str | None) -> TypeRule:
        """Return the rule of a type for a store."""
        return self.stores.get(store or "", {}).get(kind, self.types[kind])

    def longest(self, kinds: Iterable[CallbackType]) -> timedelta:
        """Return how long a call about any of these types may take, whichever store it is for."""
        wanted = set(kinds)
        rules = (self.types, *self.stores.values())
        found = (rule.longest for some in rules for kind, rule in some.items() if kind in wanted)
        return max(found, default=timedelta(0))

    def triggered(self, when: When, store: str | None) -> tuple[TypeRule, ...]:
        """Return the rules that an event sets going."""
        found = (self.of(kind, store) for kind in self.types)
        return tuple(rule for rule in found if rule.when == when)


_TOP = ("title", "merge", "too_old", "types", "stores")
_TYPE = (
    *("name", "category", "trigger", "offset", "window", "longest", "first_attempt", "channel", "levels"),
    *("people_from_severity", "sampling", "gate", "points", "warn_at_stage", "enabled"),
)
_DEFAULTS: Mapping[str, Any] = {
    "offset": "0d",
    "first_attempt": {"A": "24h", "B": "3wd", "C": "3wd"},
    "channel": {"A": "agent", "B": "ivr", "C": "ivr"},
    "people_from_severity": None,
    "levels": ["A", "B", "C"],
    "sampling": 100,
    "gate": "none",
    "points": [],
    "warn_at_stage": None,
    "enabled": True,
}


@lru_cache(maxsize=16)
def parse_plan(text: str, source: str = "planning.yaml") -> PlanRules:
    """Read a plan.

    Raises:
        ConfigurationError: what is wrong, a line for each mistake with its place.
    """
    reader = RuleReader(source)
    top = reader.fields(reader.tree(text), "", _TOP)
    merge = reader.fields(top.get("merge"), "merge", ("within", "longest"))
    given = reader.fields(top.get("types"), "types", CallbackType)
    types = {}
    for kind in CallbackType:
        if kind.value in given:
            types[kind] = _type(reader, kind, given[kind.value], f"types.{kind}")
        else:
            reader.wrong(f"types.{kind}", "is missing; every plan has all types")
    stores = {}
    for store, differences in reader.fields(top.get("stores", {}), "stores", None).items():
        place = f"stores.{store}"
        stores[store] = {
            CallbackType(name): _type(
                reader, CallbackType(name), _over(given.get(name), fields), f"{place}.{name}"
            )
            for name, fields in reader.fields(differences, place, CallbackType).items()
            if name in list(CallbackType)
        }
    plan = PlanRules(
        title=reader.text(top.get("title"), "title"),
        types=types,
        stores=stores,
        merge_within=reader.length(merge.get("within"), "merge.within", "h d").fixed,
        merge_longest=reader.length(merge.get("longest"), "merge.longest", "m").fixed,
        too_old=reader.length(top.get("too_old"), "too_old", "d").fixed,
    )
    reader.check()
    return plan


def _over(base: Any, differences: Any) -> Any:
    both = isinstance(base, dict) and isinstance(differences, dict)
    return {**base, **differences} if both else differences


def _type(reader: RuleReader, kind: CallbackType, value: Any, place: str) -> TypeRule:
    fields = {**_DEFAULTS, **reader.fields(value, place, _TYPE)}
    first, channel = (
        reader.fields(fields[name], f"{place}.{name}", Level) for name in ("first_attempt", "channel")
    )
    warn, severe = fields["warn_at_stage"], fields["people_from_severity"]
    return TypeRule(
        kind=kind,
        name=reader.text(fields.get("name"), f"{place}.name"),
        category=reader.choice(fields.get("category"), f"{place}.category", Category),
        when=_when(reader, fields.get("trigger"), f"{place}.trigger"),
        offset=reader.length(fields["offset"], f"{place}.offset", "m h d wd mo y"),
        window=reader.length(fields.get("window"), f"{place}.window", "h d wd"),
        longest=reader.length(fields.get("longest"), f"{place}.longest", "m").fixed,
        first_attempt={
            level: reader.length(first.get(level), f"{place}.first_attempt.{level}", "h d wd")
            for level in Level
        },
        channel={
            level: reader.choice(channel.get(level), f"{place}.channel.{level}", Channel) for level in Level
        },
        people_from_severity=None
        if severe is None
        else reader.number(
            severe, f"{place}.people_from_severity", int(Severity.GENERAL), int(Severity.MAJOR)
        ),
        levels=_levels(reader, fields["levels"], f"{place}.levels"),
        sampling=Fraction(reader.number(fields["sampling"], f"{place}.sampling", 0, 100), 100),
        gate=reader.choice(fields["gate"], f"{place}.gate", Gate),
        points=_points(reader, fields["points"], f"{place}.points"),
        warn_at_stage=None if warn is None else _stage(reader, warn, f"{place}.warn_at_stage"),
        enabled=reader.flag(fields["enabled"], f"{place}.enabled"),
    )


def _when(reader: RuleReader, value: Any, place: str) -> When:
    fields = reader.fields(value, place, ("event", "stage", "case"))
    kind = reader.choice(fields.get("event"), f"{place}.event", TriggerKind)
    if ("stage" in fields) != (kind is TriggerKind.STAGE):
        reader.wrong(f"{place}.stage", "goes with the event stage, and with no other")
    if ("case" in fields) != (kind is TriggerKind.CASE_RESOLVED):
        reader.wrong(f"{place}.case", "goes with the event case_resolved, and with no other")
    stage = _stage(reader, fields["stage"], f"{place}.stage") if "stage" in fields else None
    case = reader.choice(fields["case"], f"{place}.case", CaseOf) if "case" in fields else None
    return When(kind, stage, case)


def _stage(reader: RuleReader, value: Any, place: str) -> int:
    try:
        return int(Stage(value))
    except ValueError:
        reader.wrong(place, f"{value!r} is no stage of a project")
        return int(Stage.STARTED)


def _levels(reader: RuleReader, value: Any, place: str) -> frozenset[Level]:
    if not isinstance(value, list) or not all(level in list(Level) for level in value):
        reader.wrong(place, "must be a list of A, B and C")
        return frozenset(Level)
    return frozenset(Level(level) for level in value)


def _month_day(reader: RuleReader, value: Any, place: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"2001-{value}")  # not a leap year: the day is there every year
    except ValueError:
        reader.wrong(place, f"{value!r} is no day of every year, such as 06-01")
        return 1, 1
    return day.month, day.day


def _points(reader: RuleReader, value: Any, place: str) -> tuple[PlanPoint, ...]:
    if not isinstance(value, list) or len(value) > MAX_POINTS:
        reader.wrong(place, f"must be a list of at most {MAX_POINTS} points")
        return ()
    points = []
    for number, item in enumerate(value):
        here = f"{place}[{number}]"
        fields = reader.fields(item, here, ("code", "offset", "before", "every", "until", "levels"))
        before, every = fields.get("before"), fields.get("every")
        length = "offset" if every is None else "until"
        if (before is not None or "offset" in fields) if every is not None else "until" in fields:
            reader.wrong(here, "either offset, or every with until")
        points.append(
            PlanPoint(
                code=reader.text(fields.get("code"), f"{here}.code", longest=8 if every is None else 4),
                offset=reader.length(fields.get(length), f"{here}.{length}", "d mo y"),
                before=None if before is None else reader.choice(before, f"{here}.before", Before),
                every=None if every is None else _month_day(reader, every, f"{here}.every"),
                levels=_levels(reader, fields.get("levels", list(Level)), f"{here}.levels"),
            )
        )
    if len({point.code for point in points}) != len(points):
        reader.wrong(place, "each code once")
    return tuple(points)
