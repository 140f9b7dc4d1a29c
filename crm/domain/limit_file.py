"""Limit sets as YAML: read, with every mistake named by its place (``limits.yaml: TS.T1.amount: …``)."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import yaml

from crm.domain.limits import ChainStep, Policy, Rule, StepKind
from kernel.business_time import IN_DAYS, ClockKind
from kernel.errors import ConfigurationError

MAX_BYTES = 64 * 1024
CODES = (
    *("TS.T1", "TS.T2", "TS.T3", "TS.T4", "BX.R2", "BX.R3", "BX.R6", "BX.K0"),
    *("ES.REVIEW", "ES.VISIT", "TD.T1", "TD.T2", "FO.REPLY", "RQ.ANSWER"),
)
"""Every set has all of them: the services start each by its code."""
EVENTS = {
    "TS": ("registered", "accepted", "verified", "planned", "visit_over", "called_back"),
    "BX": ("registered", "notified", "contacted", "repaired", "costed", "called_back"),
    "ES": ("submitted", "reviewed", "visited"),
    "TD": ("opened", "in_hand", "solved"),
    "FO": ("received", "replied"),
    "RQ": ("received", "answered"),
}
"""What starts and stops limits, by the first part of the code, in the order in which it happens."""
OWERS = ("department", "specialist", "manager", "crew", "captain", "user")
_LENGTH = re.compile(r"(\d{1,4})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_TOP = ("set", "title", "source", "defaults", "rules")
_RULE = ("name", "clock", "amount", "start", "stop", "owes", "warn", "chain", "visit_slot")
_CHAIN = ("do", "after", "clock", "points")


class _Reader:
    """Reads a tree and collects what is wrong with it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.problems: list[str] = []

    def wrong(self, place: str, text: str) -> None:
        self.problems.append(f"{self._source}: {place}: {text}" if place else f"{self._source}: {text}")

    def fields(self, value: Any, place: str, known: Iterable[str]) -> Mapping[str, Any]:
        """Return ``value`` if it is a mapping, naming the fields that are not ``known``."""
        if not isinstance(value, dict):
            self.wrong(place, "must be a mapping")
            return {}
        for name in value:
            if name not in known:
                self.wrong(_join(place, name), f"no such field{_hint(str(name), known)}")
        return value

    def text(self, value: Any, place: str, *, longest: int = 60) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.wrong(place, f"must be a text of 1 to {longest} characters")
            return ""
        return value.strip()

    def choice(self, value: Any, place: str, choices: Iterable[str]) -> str:
        if not isinstance(value, str) or value not in choices:
            self.wrong(place, f"{value!r} is none of {', '.join(choices)}")
            return next(iter(choices))
        return value

    def length(self, value: Any, place: str, clock: ClockKind) -> timedelta:
        found = _LENGTH.fullmatch(value) if isinstance(value, str) else None
        if found is None or int(found[1]) == 0:
            self.wrong(place, f"{value!r} is no length, such as 90m, 24h or 2d")
            return timedelta(hours=1)
        if (found[2] == "d") != (clock in IN_DAYS):
            said = "whole days, such as 2d" if clock in IN_DAYS else "hours or minutes, such as 24h"
            self.wrong(place, f"{value!r}: the clock {clock} counts {said}")
        return int(found[1]) * _UNITS[found[2]]


def _join(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


@lru_cache(maxsize=32)
def parse_policy(text: str, source: str = "limits.yaml", *, complete: bool = True) -> Policy:
    """Read a limit set.

    Args:
        source: name of the file, for the messages.
        complete: it must have every code; not asked of versions that an older release has stored.

    Raises:
        ConfigurationError: what is wrong, a line for each mistake with its place.
    """
    reader = _Reader(source)
    policy = _policy(reader, _tree(reader, text), complete=complete)
    if reader.problems or policy is None:
        raise ConfigurationError("\n".join(reader.problems))
    return policy


def _tree(reader: _Reader, text: str) -> Any:
    if len(text.encode()) > MAX_BYTES:
        reader.wrong("", f"larger than {MAX_BYTES // 1024} KB")
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else ""
        reader.wrong(where, "not YAML")
        return None


def _policy(reader: _Reader, tree: Any, *, complete: bool) -> Policy | None:
    if reader.problems:
        return None
    top = reader.fields(tree, "", _TOP)
    name = top.get("set")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", name):
        reader.wrong("set", "must be a name of 1 to 16 letters, digits, - and _")
        name = "?"
    title = reader.text(top.get("title"), "title")
    defaults = reader.fields(top.get("defaults", {}), "defaults", ("warn", "chain"))
    given = reader.fields(top.get("rules"), "rules", CODES)
    rules = {}
    for code in CODES:
        if code in given:
            rules[code] = _rule(reader, code, given[code], defaults)
        elif complete:
            reader.wrong(code, "is missing; every set has all limits")
    return Policy(set_name=name, title=title, rules=rules)


def _rule(reader: _Reader, code: str, value: Any, defaults: Mapping[str, Any]) -> Rule:
    fields = reader.fields(value, code, _RULE)
    events = EVENTS[code.split(".", maxsplit=1)[0]]
    clock = ClockKind(reader.choice(fields.get("clock"), f"{code}.clock", tuple(ClockKind)))
    start = reader.choice(fields.get("start"), f"{code}.start", events)
    stop = reader.choice(fields.get("stop"), f"{code}.stop", events)
    if start in events and stop in events and events.index(stop) <= events.index(start):
        reader.wrong(f"{code}.stop", f"{stop} does not come after {start}")
    slot = fields.get("visit_slot", False)
    if not isinstance(slot, bool) or (slot and clock is not ClockKind.NAT):
        reader.wrong(f"{code}.visit_slot", "must be true or false, and only on the clock NAT")
    warn = fields.get("warn", defaults.get("warn", [50, 80]))
    chain = fields.get("chain", defaults.get("chain", []))
    return Rule(
        code=code,
        name=reader.text(fields.get("name"), f"{code}.name"),
        clock=clock,
        amount=reader.length(fields.get("amount"), f"{code}.amount", clock),
        start=start,
        stop=stop,
        owes=reader.choice(fields.get("owes"), f"{code}.owes", OWERS),
        warn=_warn(reader, warn, f"{code}.warn"),
        chain=_chain(reader, chain, f"{code}.chain"),
        visit_slot=slot is True,
    )


def _warn(reader: _Reader, value: Any, place: str) -> tuple[int, ...]:
    def fits(point: Any) -> bool:
        return isinstance(point, int) and not isinstance(point, bool) and 0 < point < 100

    if not isinstance(value, list) or len(value) > 8 or not all(map(fits, value)):
        reader.wrong(place, "must be a list of percents from 1 to 99")
        return ()
    if sorted(set(value)) != value:
        reader.wrong(place, "must rise from one point to the next")
    return tuple(value)


def _chain(reader: _Reader, value: Any, place: str) -> tuple[ChainStep, ...]:
    if not isinstance(value, list) or len(value) > 8:
        reader.wrong(place, "must be a list of at most 8 steps")
        return ()
    steps = []
    for at, step in enumerate(value):
        here = f"{place}[{at}]"
        fields = reader.fields(step, here, _CHAIN)
        clock = ClockKind(reader.choice(fields.get("clock"), f"{here}.clock", tuple(ClockKind)))
        points = fields.get("points", 0)
        if not isinstance(points, int) or isinstance(points, bool) or not -100 <= points <= 0:
            reader.wrong(f"{here}.points", "must be a whole number from -100 to 0")
            points = 0
        steps.append(
            ChainStep(
                do=StepKind(reader.choice(fields.get("do"), f"{here}.do", ("red", "escalate"))),
                after=reader.length(fields.get("after"), f"{here}.after", clock),
                clock=clock,
                points=points,
            )
        )
    if len({step.do for step in steps}) != len(steps):
        reader.wrong(place, "each step once")
    return tuple(steps)
