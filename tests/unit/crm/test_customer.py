"""How customers are addressed; stages."""

import pytest

from crm.domain.customer import Salutation, family_name, greeting
from crm.domain.project import STAGE_LABELS, Stage

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("王建军", "王"),
        ("欧阳雪", "欧阳"),
        ("欧阳", "欧"),
        ("司马相如", "司马"),
        ("Bob", ""),
        ("安居装饰公司", ""),
        ("", ""),
        ("王😀", ""),
    ],
)
def test_family_name(name: str, expected: str) -> None:
    assert family_name(name) == expected


def test_greeting_needs_name_and_title() -> None:
    assert greeting("王建军", Salutation.MR) == "王先生"
    assert greeting("王建军", None) == ""
    assert greeting("<b>x</b>", Salutation.MS) == ""


def test_every_stage_has_a_word_and_ranks_rise() -> None:
    assert set(STAGE_LABELS) == set(Stage)
    assert Stage.STARTED < Stage.CONCEALED < Stage.MIDTERM < Stage.COMPLETED < Stage.DELIVERED
