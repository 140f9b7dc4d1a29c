"""The rules of dialling as data (``callback_campaigns/rules/dialling.yaml``; domain.md §6.1, CB-7)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from callback_campaigns.domain.frequency import CarrierRules, FrequencyRules, Rate
from callback_campaigns.domain.refusal import DialRules
from callback_campaigns.domain.retry import DayPart, RetryPolicy, RetryRule
from callback_campaigns.domain.rule_reader import RuleReader
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.domain.windows import CallingRules, CallingWindows
from kernel.business_time import SHANGHAI, HolidayClosing
from kernel.errors import NotFound
from kernel.holidays import WorkCalendar

MAX_CARRIERS = 32
SHORTEST_GAP = timedelta(minutes=1)
_RATE = re.compile(r"(\d{1,3}) in (\d{1,3}[mhd])")
_PREFIX = re.compile(r"\+\d{2,10}")
_TIME = re.compile(r"(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFile:
    """Everything that the file says."""

    title: str
    calling: CallingRules
    retry: RetryPolicy
    frequency: FrequencyRules
    carriers: Mapping[str, CarrierRules]

    def rules(self, carrier: str, calendar: WorkCalendar, zone: ZoneInfo = SHANGHAI) -> DialRules:
        """Return the rules for calls through a carrier.

        Raises:
            NotFound: the file knows no such carrier.
        """
        found = self.carriers.get(carrier)
        if found is None:
            raise NotFound(f"no rules for the carrier {carrier[:40]}", field="carrier")
        return DialRules(
            windows=CallingWindows(self.calling, calendar, zone),
            retry=self.retry,
            frequency=self.frequency,
            carrier=found,
        )


@lru_cache(maxsize=16)
def parse_dialling(text: str, source: str = "dialling.yaml", zone: ZoneInfo = SHANGHAI) -> DialFile:
    """Read the rules.

    Raises:
        ConfigurationError: what is wrong, a line for each mistake with its place.
    """
    reader = RuleReader(source)
    known = ("title", "windows", "attempts", "numbers", "cases", "surveys", "carriers")
    top = reader.fields(reader.tree(text), "", known)
    rates = _rates(reader, top.get("numbers"), "numbers")
    of_cases = _rates(reader, top["cases"], "cases") if "cases" in top else FrequencyRules().cases
    found = DialFile(
        title=reader.text(top.get("title"), "title"),
        calling=_calling(reader, top.get("windows")),
        retry=_retry(reader, top.get("attempts"), zone),
        frequency=FrequencyRules(
            number=rates, cases=of_cases, surveys=_rate(reader, top.get("surveys"), "surveys")
        ),
        carriers=_carriers(reader, top.get("carriers")),
    )
    reader.check()
    return found


def _calling(reader: RuleReader, value: Any) -> CallingRules:
    known = ("routine", "wished", "requested", "weekdays", "closing", "reserve")
    fields = reader.fields(value, "windows", known)
    days = fields.get("weekdays")
    if not isinstance(days, list) or not days or not all(day in range(1, 8) for day in days):
        reader.wrong("windows.weekdays", "must be a list of days, 1 for Monday to 7")
        days = [1]
    return CallingRules(
        routine=reader.spans(fields.get("routine"), "windows.routine"),
        wished=reader.spans(fields.get("wished"), "windows.wished"),
        requested=reader.spans(fields.get("requested"), "windows.requested"),
        weekdays=frozenset(day - 1 for day in days),
        closing=reader.choice(fields.get("closing"), "windows.closing", HolidayClosing),
        reserve=reader.length(fields.get("reserve"), "windows.reserve", "m").fixed,
    )


def _retry(reader: RuleReader, value: Any, zone: ZoneInfo) -> RetryPolicy:
    known = ("days", "per_day", "apart", "ceiling", "ivr_attempts", "parts", "outcomes")
    fields = reader.fields(value, "attempts", known)
    given = reader.fields(fields.get("outcomes"), "attempts.outcomes", Outcome)
    rules = {}
    for outcome in Outcome:
        place = f"attempts.outcomes.{outcome}"
        if outcome.value not in given:
            reader.wrong(place, "is missing; every outcome has a rule")
            continue
        one = reader.fields(given[outcome.value], place, ("after", "counts", "again"))
        rules[outcome] = RetryRule(
            after=reader.length(one.get("after", "2h"), f"{place}.after", "m h d").fixed,
            counts=reader.flag(one.get("counts", True), f"{place}.counts"),
            again=reader.flag(one.get("again", True), f"{place}.again"),
        )
        if rules[outcome].after < SHORTEST_GAP:
            reader.wrong(f"{place}.after", "at least a minute")
    return RetryPolicy(
        rules=rules,
        days=reader.number(fields.get("days"), "attempts.days", 1, 10),
        per_day=reader.number(fields.get("per_day"), "attempts.per_day", 1, 4),
        apart=reader.length(fields.get("apart"), "attempts.apart", "m h").fixed,
        ceiling=reader.number(fields.get("ceiling"), "attempts.ceiling", 1, 40),
        ivr_attempts=reader.number(fields.get("ivr_attempts"), "attempts.ivr_attempts", 1, 10),
        parts=_parts(reader, fields.get("parts")),
        zone=zone,
    )


def _parts(reader: RuleReader, value: Any) -> tuple[DayPart, ...]:
    parts: list[DayPart] = []
    for name, text in reader.fields(value, "attempts.parts", None).items():
        found = _TIME.fullmatch(text) if isinstance(text, str) else None
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            reader.wrong(f"attempts.parts.{name}", f"{text!r} is no time, such as 12:00")
            continue
        since = time(int(found[1]), int(found[2]))
        if parts and since <= parts[-1].since:
            reader.wrong(f"attempts.parts.{name}", "must come after the one before")
        parts.append(DayPart(name, since))
    if not parts or parts[0].since != time.min:
        reader.wrong("attempts.parts", "the first part begins at 00:00")
    return tuple(parts)


def _carriers(reader: RuleReader, value: Any) -> Mapping[str, CarrierRules]:
    given = reader.fields(value, "carriers", None)
    if not 1 <= len(given) <= MAX_CARRIERS:
        reader.wrong("carriers", f"between 1 and {MAX_CARRIERS}")
    carriers = {}
    for name, item in given.items():
        place = f"carriers.{name}"
        fields = reader.fields(item, place, ("hours", "rates", "concurrent", "blocked"))
        blocked = fields.get("blocked", [])
        fits = isinstance(blocked, list) and all(
            isinstance(prefix, str) and _PREFIX.fullmatch(prefix) for prefix in blocked
        )
        if not fits:
            reader.wrong(f"{place}.blocked", 'must be a list of beginnings of numbers, such as "+86991"')
            blocked = []
        concurrent = fields.get("concurrent")
        carriers[name] = CarrierRules(
            name=name,
            rates=_rates(reader, fields.get("rates", []), f"{place}.rates"),
            hours=reader.spans(fields["hours"], f"{place}.hours") if "hours" in fields else None,
            blocked_prefixes=tuple(blocked),
            concurrent=None
            if concurrent is None
            else reader.number(concurrent, f"{place}.concurrent", 1, 10_000),
        )
    return carriers


def _rates(reader: RuleReader, value: Any, place: str) -> tuple[Rate, ...]:
    if not isinstance(value, list) or len(value) > 8:
        reader.wrong(place, "must be a list of at most 8 rates, such as 3 in 24h")
        return ()
    return tuple(_rate(reader, item, f"{place}[{number}]") for number, item in enumerate(value))


def _rate(reader: RuleReader, value: Any, place: str) -> Rate:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    length = reader.length(found[2], place, "m h d").fixed if found else timedelta(0)
    if found is None or int(found[1]) == 0 or not length:
        reader.wrong(place, f"{value!r} is no rate, such as 3 in 24h")
        return Rate(1, timedelta(days=1))
    return Rate(int(found[1]), length)
