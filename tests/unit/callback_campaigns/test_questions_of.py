"""A random callback asks about the work as far as it has come, and never of living in a site."""

import pytest

from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.questions_of import asked_as

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("stage", "before", "code"),
    [
        (50, None, "KG"),
        (60, None, "YB"),
        (70, None, "ZQ"),
        (85, None, "ZQ"),
        (90, None, "JG"),
        (99, None, "JG"),
        (-1, None, "LW"),
        (-3, 60, "LW"),
        (-2, 60, "YB"),
    ],
)
def test_RT_asks_the_questions_of_the_stage(stage: int, before: int | None, code: str) -> None:
    assert asked_as(CallbackType.RANDOM, stage, before) == code


def test_other_kinds_ask_their_own() -> None:
    assert asked_as(CallbackType.START, 70) is CallbackType.START
    assert asked_as(CallbackType.PERIODIC, 95) is CallbackType.PERIODIC
