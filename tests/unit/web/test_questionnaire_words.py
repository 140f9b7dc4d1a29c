"""Mistakes in a questionnaire are told in the reader's language."""

import ast
import inspect

import pytest

from callback_campaigns.domain import questionnaire_check, questionnaire_wording
from web.pages.questionnaires_words import EXPLAINED

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
