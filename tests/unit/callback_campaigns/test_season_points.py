"""When a season starts customers of level A are asked whether anything leaks (domain.md §3.7, JG2)."""

from datetime import date
from importlib.resources import files

import pytest

from callback_campaigns.domain import planning
from callback_campaigns.domain.plan_rules import parse_plan
from callback_campaigns.domain.questionnaire_plan import plan
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.questionnaire_sets import shipped
from callback_campaigns.talk_facts import plan_point
from crm.domain.customer import Level
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit

TEXT = (files("callback_campaigns") / "rules" / "planning.yaml").read_text(encoding="utf-8")
JG = parse_plan(TEXT).types[CallbackType.FINISHED]
DELIVERED = date(2026, 4, 10)


def test_JG2_level_A_also_has_a_point_at_each_season_s_start_to_the_end_of_year_5() -> None:
    season = {
        code: day
        for code, day in planning.days_of(JG, DELIVERED, (), Level.A).items()
        if plan_point(code) == "season"
    }
    assert season == {f"S{year % 100}06": date(year, 6, 1) for year in range(2026, 2031)}
    assert all(len(code) <= 8 for code in season), "the column is that wide"


@pytest.mark.parametrize("level", [Level.B, Level.C])
def test_other_levels_have_none(level: Level) -> None:
    points = planning.days_of(JG, DELIVERED, (), level)
    assert "season" not in {plan_point(code) for code in points}


def test_nobody_is_called_twice_where_another_point_is_near() -> None:
    days = planning.days_of(JG, date(2026, 3, 2), (), Level.A)
    assert days["M3"] == date(2026, 6, 2)
    assert "S2606" not in days and "S2706" in days


def test_it_comes_in_its_turn_and_asks_for_leaks_only() -> None:
    after = date(2026, 5, 10)  # M1
    assert planning.next_point(JG, DELIVERED, (), after=after, level=Level.A) == ("S2606", date(2026, 6, 1))
    assert planning.next_point(JG, DELIVERED, (), after=after, level=Level.B) == ("M3", date(2026, 7, 10))
    asked = plan(shipped("JG"), level=Level.A, channel=Channel.AGENT, facts={"plan_point": "season"})
    assert [item.id for item in asked] == ["JG9", "JG2"]


@pytest.mark.parametrize(
    ("point", "wrong"),
    [
        ('{code: S, every: "02-29", until: 5y}', "no day of every year"),
        ('{code: S, every: "06-01", offset: 1y, until: 5y}', "either offset, or every with until"),
        ("{code: S, offset: 1y, until: 5y}", "either offset, or every with until"),
        ('{code: S, every: "06-01", until: 5y, levels: [D]}', "must be a list of A, B and C"),
    ],
)
def test_a_point_that_cannot_be_is_named(point: str, wrong: str) -> None:
    text = TEXT.replace('{code: S, every: "06-01", until: 5y, levels: [A]}', point)
    with pytest.raises(ConfigurationError, match=wrong):
        parse_plan(text)
