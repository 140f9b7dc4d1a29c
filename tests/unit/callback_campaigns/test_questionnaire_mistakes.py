"""Every mistake in a questionnaire is named, with its line and its item."""

from pathlib import Path

import pytest

from callback_campaigns.domain.questionnaire import DEPARTMENTS, RATED, Do, ItemKind
from callback_campaigns.domain.questionnaire_conditions import FACTS, BadCondition, Facts, parse_condition
from callback_campaigns.domain.questionnaire_frame import PLACEHOLDERS
from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire

pytestmark = pytest.mark.unit

GOOD = """\
code: KG
title: 开工回访
ivr: [KG1, KG2]
items:
  KG1:
    type: YN
    decisive: true
    ask: 材料到了吗？
    keys: 到了请按1，没到请按2。
    answers:
      1: {value: came, label: 到了, score: 100}
      2: {value: missing, label: 没到, bad: true, then: {do: ticket, to: MAT}}
  KG2:
    type: SAT3
    when: KG1 = came
    ask: 您满意吗？
"""


def mistakes(text: str) -> list[str]:
    """Return what is wrong with a text."""
    with pytest.raises(QuestionnaireInvalid) as caught:
        read_questionnaire(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_small_questionnaire_without_mistakes() -> None:
    found = read_questionnaire(GOOD)
    assert [(item.id, len(item.options), item.line) for item in found.items] == [
        ("KG1", 2, 5),
        ("KG2", 3, 13),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("code: KG", "code: kg", "line 1: “kg” is no code: two capital letters"),
        ("code: KG", "code: KG\ncolour: red", "line 2: the questionnaire has no “colour”"),
        ("title: 开工回访", "title:", "title"),
        ("ivr: [KG1, KG2]", "ivr: [KG2]", "line 5: KG1: it is decisive, so it must stand in ivr"),
        ("ivr: [KG1, KG2]", "ivr: [KG1, KG9]", "KG9: ivr names it, but there is no such item"),
        ("ivr: [KG1, KG2]", "ivr: [KG1, KG1]", "KG1: ivr names it twice"),
        ("ivr: [KG1, KG2]", "ivr: [KG1, KG2]\nchannels: [agent]", "ivr is not among channels"),
        ("ivr: [KG1, KG2]\n", "", "ivr is missing"),
        ("type: YN", "type: YESNO", "line 6: KG1: type must be one of"),
        ("    ask: 材料到了吗？\n", "", "line 5: KG1: ask is missing"),
        ("ask: 材料", "ask: 请{谁}材料", "line 5: KG1: “{谁}” is not filled in"),
        ("，没到请按2", "", "line 5: KG1: key 2 has a meaning, but keys does not tell it"),
        ("没到请按2", "没到请按2，其他请按3", "line 5: KG1: keys tells of key 3, which means nothing"),
        ("bad: true, ", "", "line 5: KG1: it is decisive, but none of its answers is bad"),
        ("to: MAT", "to: XYZ", "line 12: KG1: to knows no “XYZ”"),
        (", to: MAT", "", "line 12: KG1: ticket needs a department in «to»"),
        ("do: ticket", "do: dance", "line 12: KG1: do must be one of"),
        ("score: 100", "score: 101", "line 11: KG1: score must be a whole number from 0 to 100"),
        ("value: missing", "value: came", "two answers are stored as “came”"),
        ("value: missing", "value: 没到", "line 12: KG1: value “没到” may have small letters"),
        ("      2: {", "      0: {", "“0” is no key"),
        ("      2: {", "      1: {", "line 12: KG1: entry 1 appears twice (first in line 11)"),
        ("when: KG1 = came", "when: KG7 = came", "KG2: “KG7 = came” asks for KG7, which is not asked before"),
        ("when: KG1 = came", "when: KG1 = gone", "“KG1 = gone” asks for KG1, which is never answered “gone”"),
        ("when: KG1 = came", "when: weather = good", "line 15: KG2: when: nobody knows “weather”"),
        ("  KG2:", "  YB2:", "YB2: ids of this questionnaire begin with KG"),
        (
            "type: SAT3",
            "type: SAT3\n    closing: true",
            "closing is for items that only level A",
        ),
        ("type: YN", "type: YN\n    overall: true", "the overall mark is of type R5, SAT3 or G4"),
        ("type: YN", "type: YN\n    agent_type: G4", "only SAT3 is asked otherwise by people"),
        ("type: YN", "type: YN\n    level: A", "only level A is asked, so it cannot stand in ivr"),
        ("材料到了吗？", "材料" * 160, "ask has 320 characters, at most 300 may stand"),
        ("code: KG", "code: &x KG", "anchors and aliases are not used here"),
        ("  KG2:", " - KG2:", "not YAML"),
    ],
)
def test_mistake(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert any(expected in told for told in mistakes(GOOD.replace(old, new, 1))), mistakes(
        GOOD.replace(old, new, 1)
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_text() -> None:
    text = GOOD.replace("to: MAT", "to: XYZ").replace("when: KG1 = came", "when: moon")
    told = mistakes(text)
    assert len(told) == 3 and told == sorted(told, key=lambda line: int(line.split()[1].rstrip(":")))


def test_more_than_seven_questions_by_keys_are_too_many() -> None:
    items = "".join(f"  KG{n}:\n    type: SAT3\n    ask: 您满意吗？\n" for n in range(1, 9))
    ivr = ", ".join(f"KG{n}" for n in range(1, 9))
    told = mistakes(f"code: KG\ntitle: 回访\nivr: [{ivr}]\nitems:\n{items}")
    assert told == ["ivr has 8 questions without condition, at most 7"]


@pytest.mark.parametrize(
    "text", ["", "earlier_ticket =", "not level", "severity = high", "level > A", "KG1 > x", "a or b"]
)
def test_conditions_that_cannot_be_read(text: str) -> None:
    with pytest.raises(BadCondition):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("earlier_ticket", True),
        ("not earlier_ticket", False),
        ("not earlier_repair", True),
        ("severity >= 2", True),
        ("severity < 2", False),
        ("days_since_start > 5", False),
        ("plan_point = m3|m6", True),
        ("plan_point != m3|m6", False),
        ("marketing_consent = unknown", True),
        ("KG1 = came", True),
        ("KG1 != came", False),
        ("KG2 = came", False),
        ("earlier_ticket and severity = 2 and KG1 = came", True),
        ("earlier_ticket and severity = 3", False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    facts: Facts = {"earlier_ticket": True, "severity": 2, "plan_point": "m6"}
    assert parse_condition(text).holds(facts, {"KG1": ("came",)}) is holds


def test_the_document_names_every_word_that_may_be_written() -> None:
    document = (Path(__file__).parents[3] / "docs" / "questionnaires.md").read_text(encoding="utf-8")
    words = [*Do, *FACTS, *RATED, *(f"{{{name}}}" for name in PLACEHOLDERS)]
    assert [word for word in words if f"`{word}`" not in document] == []
    assert [code for code in DEPARTMENTS if code not in document] == []
    assert [kind for kind in ItemKind if kind not in document] == []
