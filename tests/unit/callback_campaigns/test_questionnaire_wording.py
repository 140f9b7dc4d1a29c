"""Prompts are worded anew, and nothing else in the text changes."""

import pytest

from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_wording import reworded
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire
from callback_campaigns.questionnaire_sets import SHIPPED, shipped, shipped_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("code", SHIPPED)
def test_every_prompt_of_the_shipped_sets_can_be_worded_anew(code: str) -> None:
    changes = {(item.id, "ask"): f"新的说法：{item.ask}" for item in shipped(code).items}
    text = reworded(shipped_text(code), changes)
    found = read_questionnaire(text)
    assert [item.ask for item in found.items] == list(changes.values())
    differing = [
        (old, new)
        for old, new in zip(shipped_text(code).splitlines(), text.splitlines(), strict=True)
        if old != new
    ]
    assert len(differing) == len(changes)
    assert all(new.strip().startswith("ask: ") for _, new in differing)


def test_a_prompt_that_was_not_there_is_added_and_taken_away_again() -> None:
    text = reworded(shipped_text("KG"), {("KG2", "ask_sms"): "交底清楚吗？", ("KG2", "keys"): " "})
    item = read_questionnaire(text).item("KG2")
    assert item is not None and item.ask_sms == "交底清楚吗？"
    assert reworded(text, {("KG2", "ask_sms"): ""}) == shipped_text("KG")


@pytest.mark.parametrize("words", ['他说"好": 吗？ #1', "- 一", "{problem}怎么样", "yes", "1", "a: b", "*"])
def test_any_words_come_back_as_they_were_written(words: str) -> None:
    item = read_questionnaire(reworded(shipped_text("KG"), {("KG2", "ask"): words})).item("KG2")
    assert item is not None and item.ask == words


def test_what_cannot_be_changed_line_by_line_is_refused() -> None:
    folded = shipped_text("KG").replace("ask: 现场保护和卫生，", "ask: >\n      现场保护和卫生，")
    with pytest.raises(QuestionnaireInvalid, match="KG8: ask shares its lines"):
        reworded(folded, {("KG8", "ask"): "新"})
    with pytest.raises(QuestionnaireInvalid, match="no such prompt"):
        reworded(shipped_text("KG"), {("KG99", "ask"): "新"})
