"""Every answer of every item of domain.md §3: the key, what is stored, and whom it concerns."""

from decimal import Decimal

import pytest

from callback_campaigns.domain.questionnaire import Answer, Do, ItemKind, answer_by_key
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.questionnaire_plan import plan
from callback_campaigns.domain.questionnaire_verdict import Judgement, evaluate
from callback_campaigns.domain.terms import Channel, Verdict
from callback_campaigns.questionnaire_sets import SHIPPED, shipped
from crm.domain.customer import Level
from tests.support.questionnaire_table import A_ONLY, CASES, CORE, DECISIVE, OVERALL, POINTS

pytestmark = pytest.mark.unit


def judged(name: str, answer: Answer, *, level: Level = Level.B, facts: Facts | None = None) -> Judgement:
    """Return what one answer alone comes to."""
    return evaluate(shipped(name[:2]), {name: answer}, level=level, facts=facts)


def said(verdict: Judgement) -> str:
    """Return the effects in a line."""
    return " ".join(
        effect.do + (f":{effect.detail or effect.within}" if effect.detail or effect.within else "")
        for effect in verdict.effects
    )


@pytest.mark.parametrize(
    ("name", "key", "stored", "score", "bad", "departments", "severity", "effects"),
    CASES,
    ids=[f"{case[0]}-{case[1]}" for case in CASES],
)
def test_answer(
    name: str,
    key: str,
    stored: str,
    score: int | None,
    bad: bool,
    departments: str,
    severity: str,
    effects: str,
) -> None:
    item = shipped(name[:2]).item(name)
    assert item is not None
    answer = answer_by_key(item, key)
    assert answer.values == (stored,)

    verdict = judged(name, answer)

    assert (verdict.findings[0].score, verdict.findings[0].bad) == (score, bad)
    assert verdict.departments == tuple(departments.split())
    problems = [ticket for ticket in verdict.tickets if not ticket.care]
    assert " ".join(str(ticket.severity) for ticket in problems) == ("" if name == "JG1" else severity)
    assert said(verdict) == effects
    if item.weight == 0 or (score is None and not bad):
        assert verdict.verdict is None
    elif (bad and name in DECISIVE | OVERALL) or (score is not None and score < 60):
        assert (verdict.verdict, verdict.decided_by) == (Verdict.DISSATISFIED, (name,))
    elif score in {60, 75}:
        assert (verdict.verdict, verdict.decided_by) == (Verdict.NEUTRAL, (name,))
    else:
        assert (verdict.verdict, verdict.score) == (Verdict.SATISFIED, Decimal(100))


@pytest.mark.parametrize("code", SHIPPED)
def test_the_table_above_has_every_answer_of_the_set(code: str) -> None:
    written = {(case[0], case[1]) for case in CASES if case[0].startswith(code)}
    asked = {(item.id, option.key) for item in shipped(code).items for option in item.options}
    assert asked == written


@pytest.mark.parametrize("code", SHIPPED)
def test_marks_of_the_set(code: str) -> None:
    """★, the overall mark and the items of A level are those of the tables."""
    items = shipped(code).items
    assert {item.id for item in items if item.decisive} == {name for name in DECISIVE if name[:2] == code}
    assert {item.id for item in items if item.overall} == {name for name in OVERALL if name[:2] == code}
    assert {item.id for item in items if item.a_only} == {name for name in A_ONLY if name[:2] == code}


@pytest.mark.parametrize("name", ["KG10", "YB10", "ZQ12", "WG14", "BX7", "JG9", "LW2"])
def test_a_voice_answer_is_listened_to_by_a_specialist(name: str) -> None:
    item = shipped(name[:2]).item(name)
    assert item is not None and item.kind is ItemKind.FT and item.optional

    verdict = judged(name, Answer(voice="01J0000000000000000000000A"))

    assert [(effect.do, effect.to) for effect in verdict.effects] == [(Do.CLASSIFY, ("SPC",))]
    assert (verdict.verdict, verdict.departments) == (None, ())


@pytest.mark.parametrize(("code", "core"), CORE.items())
def test_core_list_of_ivr(code: str, core: str) -> None:
    facts: Facts = {"earlier_ticket": True}
    asked = plan(shipped(code), level=Level.C, channel=Channel.IVR, facts=facts)
    assert " ".join(item.id for item in asked) == core


@pytest.mark.parametrize(("point", "core"), POINTS.items())
def test_plan_points_of_finished_customers(point: str, core: str) -> None:
    facts: Facts = {"plan_point": point, "earlier_repair": True}
    asked = plan(shipped("JG"), level=Level.B, channel=Channel.IVR, facts=facts)
    assert " ".join(item.id for item in asked) == core
