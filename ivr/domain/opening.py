"""Opening hours as a flow file writes them: ``mon-fri: [08:30-12:00, 13:30-18:00]``, ``holidays: closed``."""

import re
from datetime import time

from kernel.business_time import OpeningHours
from kernel.yaml_fields import Fields

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\s*-\s*([01]\d|2[0-4]):([0-5]\d)")

Span = tuple[time, time]


def read_schedule(fields: Fields) -> OpeningHours:
    """Read one schedule; mistakes are written down by ``fields``."""
    weekly: dict[int, tuple[Span, ...]] = {}
    closed = fields.choice("holidays", ("closed", "open"), "closed") == "closed"
    for name, line, _ in tuple(fields.items()):
        if name == "holidays":
            continue
        days = _days(name)
        if not days:
            fields.complain(line, f"“{name}” is no day: write mon … sun or a range such as mon-fri")
            continue
        spans = _spans(fields, name, line)
        for day in days:
            if day in weekly:
                fields.complain(line, f"{_DAYS[day]} has hours twice")
            weekly[day] = spans
    if not any(weekly.values()):
        fields.complain(fields.line, "the schedule is never open")
    return OpeningHours(weekly=weekly, closed_on_holidays=closed)


def _days(name: str) -> tuple[int, ...]:
    first, dash, last = name.partition("-")
    if first not in _DAYS or (dash and last not in _DAYS):
        return ()
    start, end = _DAYS.index(first), _DAYS.index(last or first)
    return tuple(range(start, end + 1))


def _spans(fields: Fields, name: str, line: int) -> tuple[Span, ...]:
    spans: list[Span] = []
    for word in fields.words(name):
        if word == "closed":
            continue
        span = _span(word)
        if span is None:
            fields.complain(
                line, f"“{word}” are no hours: write them as 08:30-18:00, the end after the start"
            )
        elif spans and span[0] < spans[-1][1]:
            fields.complain(line, f"hours {word} overlap the ones before")
        else:
            spans.append(span)
    return tuple(spans)


def _span(word: str) -> Span | None:
    found = _SPAN.fullmatch(word)
    if found is None:
        return None
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    if start_hour == 24 or (end_hour == 24 and end_minute):
        return None
    start = time(start_hour, start_minute)
    end = time.max if end_hour == 24 else time(end_hour, end_minute)
    return (start, end) if start < end else None
