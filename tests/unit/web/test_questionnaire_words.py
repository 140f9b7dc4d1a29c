"""Mistakes in a questionnaire are told in the reader's language."""

import ast
import inspect
import re

import pytest

from callback_campaigns.domain import questionnaire_check, questionnaire_wording
from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire
from web.pages.questionnaires_words import EXPLAINED, explained

pytestmark = pytest.mark.unit


def test_every_code_of_a_mistake_is_explained() -> None:
    codes: set[str] = set()
    for module in (questionnaire_check, questionnaire_wording):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "Problem"
                and len(node.args) > 3
            ):
                code = node.args[3]
                assert isinstance(code, ast.Constant)
                codes.add(str(code.value))
    assert codes == set(EXPLAINED)


HEAD = "code: KG\ntitle: 开工\nspoken: 开工\nitems:\n"


@pytest.mark.parametrize(
    "text",
    [
        "code: [",
        "code: KG\ncode: KG",
        "just words",
        "code: kg\ntitle: " + "长" * 50 + "\nchannels: [ivr, fax]\nminutes: viele\nnobody: 1\nitems: 3",
        HEAD + "  kg1: {ask: 好吗, type: SAT3}\n  KG2: {type: SAT9}\n  KG3: {ask: 好吗}",
        HEAD
        + "  KG1: {ask: 好吗, type: SINGLE, answers: {0: {label: 好, value: G}, 2: {label: 坏, value: G}}}",
        HEAD + "  KG1: {ask: 好吗, type: SAT3, when: 明天, then: {3: [{do: ticket, within: 5min}, {to: X}]}}",
        HEAD + "  KG1: {ask: 好吗, type: SAT3, when: KG9 = 1, then: {9: [{do: fly}]}}",
        "x" * 40_000,
    ],
    ids=["broken", "twice", "words", "head", "items", "answers", "then", "facts", "long"],
)
def test_mistakes_in_how_it_is_written_are_told_in_chinese(text: str) -> None:
    with pytest.raises(QuestionnaireInvalid) as refused:
        read_questionnaire(text)
    for problem in refused.value.problems:
        shown = explained(problem)
        assert re.search("[\u4e00-\u9fff]{2}", shown.replace("好吗", "")), problem.message
        assert shown != problem.message, problem.message
