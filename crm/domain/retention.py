"""How long what is kept of people stays, and of which class it is (domain.md §6.4). Pure.

The classes are data (``crm/retention.yaml``); a record's class and its end follow from what is known of it.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from kernel.errors import ConfigurationError


class RetentionClass(StrEnum):
    """How long something stays."""

    ROUTINE = "ROUTINE"
    """A call like any other."""
    CALLBACK = "CALLBACK"
    CASE = "CASE"
    """Complaints, repairs, tickets with their files and calls; proofs of consent."""
    MAJOR = "MAJOR"
    """Legal hold."""
    CANCELLED = "CANCELLED"
    """What belongs to a contract that was cancelled."""
    AUDIT = "AUDIT"


class Since(StrEnum):
    """From when a class counts."""

    BEGUN = "begun"
    DELIVERED = "delivered"
    WARRANTY_END = "warranty_end"
    CANCELLED = "cancelled"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Span:
    """A length of the calendar: days, or months."""

    days: int = 0
    months: int = 0

    def after(self, day: date) -> date:
        """Return the day that lies so far after another; the last of a month stays in its month."""
        month = day.month - 1 + self.months
        year, month = day.year + month // 12, month % 12 + 1
        return date(year, month, min(day.day, monthrange(year, month)[1])) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """One class as configured."""

    since: Since
    keep: Span = Span()
    cap: Span = Span()


Policy = Mapping[RetentionClass, RetentionRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a record.

    Attributes:
        begun: the day it is of.
        closed: when a case was closed; ``None`` while it is open.
        is_case: a case, or something that belongs to one.
        is_callback: a call that we made to ask how things are.
        major: a major complaint.
        delivered: the hand-over of its project, or its completion where that is not known.
        running: its project is neither handed over nor ended.
        held: the manager holds it; ``None``: nobody has said anything, and a major one is held.
    """

    begun: date
    closed: date | None = None
    is_case: bool = False
    is_callback: bool = False
    major: bool = False
    delivered: date | None = None
    running: bool = False
    warranty_end: date | None = None
    cancelled: date | None = None
    held: bool | None = None


def class_of(record: Kept) -> RetentionClass:
    """Return the class of a record."""
    if record.held or (record.major and record.held is None):
        return RetentionClass.MAJOR
    if record.cancelled is not None and not record.major:
        return RetentionClass.CANCELLED
    if record.is_case:
        return RetentionClass.CASE
    return RetentionClass.CALLBACK if record.is_callback else RetentionClass.ROUTINE


def ends_on(record: Kept, policy: Policy) -> date | None:
    """Return the last day that a record is kept; ``None`` while that is not known: it stays."""
    kind = class_of(record)
    rule = policy[kind]
    if record.is_case and record.closed is None:
        return None
    match rule.since:
        case Since.HOLD:
            return None
        case Since.BEGUN:
            base = record.begun
        case Since.CANCELLED:
            base = max(record.cancelled or record.begun, record.closed or record.begun)
        case Since.DELIVERED:
            if record.running:
                return None
            base = max(record.delivered or record.begun, record.begun)
        case Since.WARRANTY_END:
            if record.running:
                return None
            latest = rule.cap.after(record.delivered or record.closed or record.begun)
            # A case may be younger than the warranty of its home.
            base = max(min(record.warranty_end or latest, latest), record.closed or record.begun)
    return rule.keep.after(base)


def has_ended(record: Kept, policy: Policy, today: date) -> bool:
    """Tell whether a record is not to be kept any more."""
    end = ends_on(record, policy)
    return end is not None and end < today


_SPAN = re.compile(r"(\d{1,4})([dmy])")
_FLOORS = {
    RetentionClass.ROUTINE: Span(days=30),
    RetentionClass.CANCELLED: Span(months=12),
    RetentionClass.AUDIT: Span(months=36),
}
"""Shorter than this no centre may keep it."""
_SOME_DAY = date(2024, 3, 1)


def parse_retention(text: str, source: str = "retention.yaml") -> Policy:
    """Read the classes.

    Raises:
        ConfigurationError: what is wrong, a line for each mistake with its place.
    """
    try:
        tree: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: not YAML") from error
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{source}: must be a mapping")
    problems = [f"{source}: {name}: no such class" for name in tree if name not in set(RetentionClass)]
    found: dict[RetentionClass, RetentionRule] = {}
    for kind in RetentionClass:
        rule = _rule(tree.get(kind.value), f"{source}: {kind}", problems)
        if rule is None:
            continue
        floor = _FLOORS.get(kind)
        if floor is not None and rule.keep.after(_SOME_DAY) < floor.after(_SOME_DAY):
            problems.append(f"{source}: {kind}.keep: shorter than it must be kept")
        found[kind] = rule
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


def _rule(value: Any, place: str, problems: list[str]) -> RetentionRule | None:
    if not isinstance(value, dict) or set(value) - {"from", "keep", "cap"}:
        problems.append(f"{place}: must say from, and keep, and perhaps cap")
        return None
    since = value.get("from")
    if since not in set(Since):
        problems.append(f"{place}.from: {since!r} is none of {', '.join(Since)}")
        return None
    wanted = {"keep"} if since != Since.HOLD else set()
    wanted |= {"cap"} if since == Since.WARRANTY_END else set()
    if set(value) - {"from"} != wanted:
        problems.append(f"{place}: with from: {since} it says {', '.join(sorted(wanted)) or 'nothing else'}")
        return None
    spans = {name: _span(value[name]) for name in wanted}
    problems += [
        f"{place}.{name}: no length such as 180d, 24m or 3y" for name, one in spans.items() if not one
    ]
    return RetentionRule(since=Since(since), keep=spans.get("keep") or Span(), cap=spans.get("cap") or Span())


def _span(value: Any) -> Span | None:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        return None
    number = int(found[1])
    return Span(days=number) if found[2] == "d" else Span(months=number * (12 if found[2] == "y" else 1))


@lru_cache(maxsize=1)
def shipped_retention() -> Policy:
    """Return the classes that come with the product."""
    return parse_retention((files("crm") / "retention.yaml").read_text(encoding="utf-8"))
