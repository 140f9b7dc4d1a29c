"""Reads the rules of routing from YAML; every mistake is told with its line."""

from collections.abc import Collection
from datetime import time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from ivr.domain.routing import MAX_PRIORITY, OFFER, CaseRule, Known, QueueRule, RoutingRules
from kernel.business_time import SHANGHAI, HolidayClosing, OpeningHours, ServiceHours
from kernel.errors import Invalid
from kernel.yaml_fields import Fields
from kernel.yaml_tree import YamlRefused, read_yaml

MAX_TEXT = 20_000
MAX_QUEUES = 100
LEVELS = ("A", "B", "C")
CASES = ("complaint", "repair", "ticket")


class RoutingInvalid(Invalid):
    """The rules have mistakes: a line each."""

    code = "routing_rules_invalid"


def parse_routing(
    text: str,
    *,
    queues: Collection[str] | None = None,
    zone: ZoneInfo = SHANGHAI,
    closing: HolidayClosing = HolidayClosing.STATUTORY,
    version: int = 0,
) -> RoutingRules:
    """Read rules.

    Args:
        queues: those there are; ``None`` where nobody knows and names are not looked at.

    Raises:
        RoutingInvalid: with every mistake.
    """
    if len(text) > MAX_TEXT:
        raise RoutingInvalid(f"at most {MAX_TEXT} characters", field="text")
    wrong: list[tuple[int, str]] = []
    try:
        top = Fields(read_yaml(text), lambda line, what: wrong.append((line, what)), "the file")
    except YamlRefused as error:
        raise RoutingInvalid(f"line {error.line}: {error.message}", field="text") from error
    rules = _Reader(top, queues, zone, closing).rules(version)
    if wrong:
        lines = [f"line {line}: {what}" if line else what for line, what in sorted(wrong)]
        raise RoutingInvalid("\n".join(lines), field="text")
    return rules


class _Reader:
    def __init__(
        self, top: Fields, queues: Collection[str] | None, zone: ZoneInfo, closing: HolidayClosing
    ) -> None:
        self._top = top
        self._queues = queues
        self._zone = zone
        self._closing = closing

    def rules(self, version: int) -> RoutingRules:
        top = self._top
        levels = top.fields("levels")
        found_levels = {level: _priority(levels, level) for level in LEVELS}
        levels.done()
        repeat, last, skills = top.fields("repeat"), top.fields("last_agent"), top.fields("skills")
        announce, unrecorded = top.fields("announce"), top.fields("unrecorded")
        rules = RoutingRules(
            version=version,
            levels=found_levels,
            cases=self._cases(),
            repeat_complaints=repeat.number("complaints", 0, low=0, high=20),
            repeat_window=timedelta(days=repeat.number("days", 90, low=1, high=366)),
            repeat_priority=_priority(repeat, "priority"),
            last_agent_for=self._known(last),
            last_agent_window=timedelta(days=last.number("days", 14, low=1, high=366)),
            skill_by_language=self._words(skills, "languages"),
            skill_by_queue=self._words(skills, "queues", queues=True),
            first=top.seconds("first_seconds", timedelta(seconds=12), low=3, high=60),
            queues=self._queue_rules(),
            say_ahead=announce.flag("ahead", False),
            say_wait=announce.flag("wait", False),
            unrecorded_queues=self._unrecorded_queues(unrecorded),
            unrecorded_levels=_levels(unrecorded),
        )
        for fields in (repeat, last, skills, announce, unrecorded, top):
            fields.done()
        return rules

    def _unrecorded_queues(self, fields: Fields) -> frozenset[str]:
        names = fields.words("queues")
        for name in names:
            self._check(fields, "queues", name)
        return frozenset(names)

    def _cases(self) -> dict[str, CaseRule]:
        found: dict[str, CaseRule] = {}
        cases = self._top.fields("open_cases")
        for kind in CASES:
            if kind not in cases:
                cases.tree(kind)
                continue
            one = cases.fields(kind)
            priority, queue = _priority(one, "priority"), one.text("queue")
            self._check(one, "queue", queue)
            one.done()
            found[kind] = CaseRule(priority=priority, queue=queue)
        cases.done()
        return found

    def _known(self, last: Fields) -> frozenset[Known]:
        words = last.words("for")
        known = {one.value: one for one in Known}
        for word in words:
            if word not in known:
                last.complain(last.line_of("for"), f"“{word}” is none of {', '.join(sorted(known))}")
        return frozenset(known[word] for word in words if word in known)

    def _words(self, fields: Fields, name: str, *, queues: bool = False) -> dict[str, str]:
        inner = fields.fields(name)
        found: dict[str, str] = {}
        for key in [key for key, _, _ in inner.items()]:
            found[key] = inner.text(key)
            if len(found[key]) > 20:
                inner.complain(inner.line_of(key), f"{key}: a skill has at most 20 characters")
            if queues:
                self._check(inner, key, key)
        return found

    def _queue_rules(self) -> dict[str, QueueRule]:
        found: dict[str, QueueRule] = {}
        table = self._top.fields("queues")
        names = [name for name, _, _ in table.items()]
        if len(names) > MAX_QUEUES:
            table.complain(table.line, f"at most {MAX_QUEUES} queues")
        for name in names[:MAX_QUEUES]:
            one = table.fields(name)
            self._check(table, name, name)
            over, closed = one.text("over", OFFER), one.text("closed", OFFER)
            for field, target in (("over", over), ("closed", closed)):
                if target != OFFER:
                    self._check(one, field, target)
                if target == name:
                    one.complain(one.line_of(field), f"{field}: {name} would go to itself")
            waited = one.number("seconds", 0, low=0, high=3600)
            found[name] = QueueRule(
                hours=self._hours(one),
                closed=closed,
                waiting=one.number("waiting", 0, low=0, high=1000),
                longest=timedelta(seconds=waited) if waited else None,
                over=over,
            )
            one.done()
        return found

    def _hours(self, one: Fields) -> OpeningHours | None:
        spans, days = one.text("hours"), one.text("days", "1234567")
        if not spans:
            return None
        try:
            hours = ServiceHours.parse(spans, days, closing=self._closing, zone=self._zone)
        except Invalid as error:
            one.complain(one.line_of("hours"), error.message)
            return None
        whole = tuple((start, end if end > time.min else time.max) for start, end in hours.spans)
        weekly = dict.fromkeys(hours.weekdays, whole)
        return OpeningHours(weekly=weekly, closing=hours.closing, zone=hours.zone)

    def _check(self, fields: Fields, entry: str, queue: str) -> None:
        if queue and self._queues is not None and queue not in self._queues:
            there = ", ".join(sorted(self._queues))
            fields.complain(fields.line_of(entry), f"there is no queue “{queue[:40]}”; there are {there}")


def _levels(fields: Fields) -> frozenset[str]:
    names = fields.words("levels")
    for name in names:
        if name not in LEVELS:
            fields.complain(fields.line_of("levels"), f"“{name[:40]}” is none of {', '.join(LEVELS)}")
    return frozenset(names)


def _priority(fields: Fields, name: str) -> int:
    return fields.number(name, 0, low=0, high=MAX_PRIORITY)


@cache
def shipped_routing() -> str:
    """Return the text that comes with the product."""
    return files("ivr").joinpath("routing_rules.yaml").read_text(encoding="utf-8")
