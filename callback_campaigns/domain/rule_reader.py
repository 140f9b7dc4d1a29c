"""Rule files as YAML: read, with every mistake named by its place (``planning.yaml: types.KG.offset: …``)."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import yaml

from callback_campaigns.domain.windows import Span
from kernel.business_time import BusinessClocks, ClockKind
from kernel.errors import ConfigurationError

MAX_BYTES = 64 * 1024
E = TypeVar("E", bound=StrEnum)
_LENGTH = re.compile(r"(\d{1,4})(m|h|d|wd|mo|y)")
_SPAN = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
CLOCK_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}
_LONGEST = {"m": 600, "h": 1000, "d": 3700, "wd": 250, "mo": 120, "y": 10}


@dataclass(frozen=True, slots=True)
class Length:
    """A length as people write it; on which clock it runs follows from its unit."""

    amount: int
    unit: str

    @property
    def is_of_clock(self) -> bool:
        """Whether it is hours or minutes, not days of a calendar."""
        return self.unit in CLOCK_UNITS

    @property
    def fixed(self) -> timedelta:
        """Its length where that is the same whenever it begins: minutes, hours and days."""
        return self.amount * CLOCK_UNITS.get(self.unit, timedelta(days=1))

    def day_after(self, day: date) -> date:
        """Return the day that lies so many days, months or years after ``day``."""
        match self.unit:
            case "mo":
                return add_months(day, self.amount)
            case "y":
                return add_months(day, 12 * self.amount)
            case _:
                return day + timedelta(days=self.amount)

    def end(self, since: datetime, day: date, clocks: BusinessClocks) -> datetime:
        """Return when it has passed since an event at ``since``, on the site's ``day``.

        Days of the calendar end when the last one does. Raises CalendarYearMissing as the clocks do.
        """
        if self.is_of_clock:
            return since + self.fixed
        zone = clocks.hours.zone
        midnight = datetime.combine(day, time.min, zone)
        if self.unit == "wd":
            return clocks.add(ClockKind.WD, midnight, timedelta(days=self.amount))
        after = self.day_after(day) + timedelta(days=1)
        return datetime.combine(after, time.min, zone).astimezone(since.tzinfo)


def add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or that month's last one."""
    at = day.year * 12 + day.month - 1 + months
    year, month = divmod(at, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


class RuleReader:
    """Reads a tree and collects what is wrong with it; every method gives something to go on with."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.problems: list[str] = []

    def wrong(self, place: str, text: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self._source}: {place}: {text}" if place else f"{self._source}: {text}")

    def check(self) -> None:
        """Raises ConfigurationError with a line for each mistake."""
        if self.problems:
            raise ConfigurationError("\n".join(self.problems))

    def tree(self, text: str) -> Any:
        """Return what the YAML says. Raises ConfigurationError when it is none."""
        if len(text.encode()) > MAX_BYTES:
            self.wrong("", f"larger than {MAX_BYTES // 1024} KB")
            self.check()
        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            self.wrong(f"line {mark.line + 1}" if mark else "", "not YAML")
            self.check()

    def fields(self, value: Any, place: str, known: Iterable[str] | None) -> Mapping[str, Any]:
        """Return a mapping, naming the fields that are not ``known``; ``None``: any name will do."""
        if not isinstance(value, dict):
            self.wrong(place, "must be a mapping")
            return {}
        names = None if known is None else list(known)
        for name in value:
            if not isinstance(name, str):
                self.wrong(place, f"{name!r} is no name")
            elif names is not None and name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                self.wrong(f"{place}.{name}" if place else name, f"no such field{hint}")
        return {name: item for name, item in value.items() if isinstance(name, str)}

    def text(self, value: Any, place: str, *, longest: int = 60) -> str:
        """Return a text of one line."""
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.wrong(place, f"must be a text of 1 to {longest} characters")
            return ""
        return value.strip()

    def flag(self, value: Any, place: str) -> bool:
        """Return true or false."""
        if not isinstance(value, bool):
            self.wrong(place, "must be true or false")
        return value is True

    def number(self, value: Any, place: str, least: int, most: int) -> int:
        """Return a whole number."""
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.wrong(place, f"must be a whole number from {least} to {most}")
            return least
        return value

    def choice(self, value: Any, place: str, kind: type[E]) -> E:
        """Return one of an enumeration's values."""
        try:
            return kind(value)
        except ValueError:
            self.wrong(place, f"{value!r} is none of {', '.join(kind)}")
            return next(iter(kind))

    def length(self, value: Any, place: str, units: str = "m h d wd mo y") -> Length:
        """Return a length in one of ``units``."""
        found = _LENGTH.fullmatch(value) if isinstance(value, str) else None
        allowed = units.split()
        if found is None or found[2] not in allowed or int(found[1]) > _LONGEST[found[2]]:
            said = ", ".join(f"{_LONGEST[unit]}{unit}" for unit in allowed)
            self.wrong(place, f"{value!r} is no length; at most {said}")
            return Length(1, allowed[0])
        return Length(int(found[1]), found[2])

    def spans(self, value: Any, place: str) -> tuple[Span, ...]:
        """Return parts of a day, such as ``["09:30-12:00"]``, in order and apart."""
        if not isinstance(value, list) or not 1 <= len(value) <= 8:
            self.wrong(place, 'must be a list of 1 to 8 hours, such as ["09:30-12:00"]')
            return ()
        spans: list[Span] = []
        for number, item in enumerate(value):
            found = _SPAN.fullmatch(item) if isinstance(item, str) else None
            try:
                if found is None:
                    raise ValueError
                span = Span(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))
            except ValueError:
                self.wrong(f"{place}[{number}]", f"{item!r} are no hours, such as 09:30-12:00")
                continue
            if spans and span.start < spans[-1].end:
                self.wrong(f"{place}[{number}]", "must come after the one before")
            spans.append(span)
        return tuple(spans)
