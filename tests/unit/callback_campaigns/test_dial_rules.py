"""The rules of dialling that come with the product, and what is said of mistakes in one's own."""

from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from callback_campaigns.domain.dial_rules import parse_dialling
from callback_campaigns.domain.frequency import FrequencyRules, Rate
from callback_campaigns.domain.retry import RetryPolicy
from callback_campaigns.domain.windows import CallingRules
from kernel.errors import ConfigurationError, NotFound
from kernel.holidays import WorkCalendar

pytestmark = pytest.mark.unit

TEXT = (files("callback_campaigns") / "rules" / "dialling.yaml").read_text(encoding="utf-8")
RULES = parse_dialling(TEXT)


def test_the_file_says_what_the_code_says_without_one() -> None:
    assert RULES.calling == CallingRules()
    assert RULES.frequency == FrequencyRules()
    ours = RetryPolicy()
    assert (RULES.retry.days, RULES.retry.per_day, RULES.retry.apart) == (3, 2, ours.apart)
    assert (RULES.retry.parts, RULES.retry.ceiling) == (ours.parts, ours.ceiling)
    read = RULES.retry.rules
    assert {key: rule for key, rule in read.items() if rule.again} == {
        key: rule for key, rule in ours.rules.items() if rule.again
    }


@pytest.mark.parametrize(
    ("carrier", "number", "served"),
    [
        ("tencent", "+869912345678", False),  # Ürümqi
        ("tencent", "+868916123456", False),  # Lhasa
        ("tencent", "+861088886666", True),
        ("tencent", "+8613999000000", True),
        ("own", "+869912345678", True),
    ],
)
def test_regions_that_a_carrier_does_not_serve(carrier: str, number: str, served: bool) -> None:
    assert RULES.carriers[carrier].serves(number) is served


def test_a_file_from_before_there_were_calls_from_cases_has_the_usual_limits_for_them() -> None:
    before = "\n".join(line for line in TEXT.splitlines() if not line.startswith("cases:"))
    assert before != TEXT.rstrip()
    assert parse_dialling(before).frequency.cases == FrequencyRules().cases
    other = TEXT.replace("cases: [3 in 30m, 8 in 24h]", "cases: [2 in 1h]")
    assert parse_dialling(other).frequency.cases == (Rate(2, timedelta(hours=1)),)


def test_rules_for_a_carrier() -> None:
    rules = RULES.rules("alibaba", WorkCalendar())
    assert rules.carrier.name == "alibaba"
    assert rules.windows.rules == CallingRules()
    with pytest.raises(NotFound):
        RULES.rules("nobody", WorkCalendar())


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("14:00-19:30", "11:00-19:30", "windows.routine[1]: must come after"),
        ("14:00-19:30", "14:00-25:30", "windows.routine[1]: '14:00-25:30' are no hours"),
        ("14:00-19:30", "14:00-13:30", "windows.routine[1]: '14:00-13:30' are no hours"),
        ('["08:30-20:30"]', "[]", "windows.wished: must be a list"),
        ("[1, 2, 3, 4, 5, 6]", "[0, 8]", "windows.weekdays: must be a list of days"),
        ("closing: period", "closing: sometimes", "windows.closing: 'sometimes' is none of"),
        ("reserve: 5m", "reserve: 5h", "windows.reserve: '5h' is no length"),
        ("per_day: 2", "per_day: 9", "attempts.per_day: must be a whole number from 1 to 4"),
        ('afternoon: "12:00"', 'afternoon: "24:00"', "attempts.parts.afternoon: '24:00' is no time"),
        ('morning: "00:00"', 'morning: "06:00"', "the first part begins at 00:00"),
        ('evening: "17:00"', 'evening: "11:00"', "attempts.parts.evening: must come after"),
        ("    busy: {after: 2h}\n", "", "attempts.outcomes.busy: is missing"),
        ("busy: {after: 2h}", "busy: {after: 0m}", "attempts.outcomes.busy.after: at least a minute"),
        ("machine: {after: 4h}", "maschine: {after: 4h}", "did you mean machine?"),
        ("surveys: 3 in 30d", "surveys: 3 per month", "surveys: '3 per month' is no rate"),
        ("[1 in 30m, 3 in 24h]", "[0 in 30m]", "numbers[0]: '0 in 30m' is no rate"),
        ("[1 in 30m, 3 in 24h]", "7", "numbers: must be a list"),
        ("concurrent: 1", "concurrent: 0", "carriers.tencent.concurrent: must be a whole number"),
        ('"+86901"', '"010"', "carriers.tencent.blocked: must be a list of beginnings"),
        ("carriers:", "carriers: {}\ncarrier:", "carriers: between 1 and 32"),
        ("  own: {}", "  3: {}", "carriers: 3 is no name"),
    ],
)
def test_each_mistake_is_named_by_its_place(was: str, becomes: str, message: str) -> None:
    assert was in TEXT
    text = TEXT.split("carriers:")[0] + becomes if was == "carriers:" else TEXT.replace(was, becomes, 1)
    with pytest.raises(ConfigurationError) as error:
        parse_dialling(text, "mine.yaml")
    assert f"mine.yaml: {message}" in str(error.value) or message in str(error.value)


@pytest.mark.parametrize("text", ["x" * 70_000, "[unclosed", "3", ""])
def test_what_is_no_rule_file_at_all(text: Any) -> None:
    with pytest.raises(ConfigurationError):
        parse_dialling(text)
