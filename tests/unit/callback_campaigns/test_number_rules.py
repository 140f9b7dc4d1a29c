"""Which numbers agents call from pages, by the list of the site; and that every refusal has its words."""

import re
from pathlib import Path

import pydantic
import pytest

from app.setting_sections import NumberCallSettings
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.number_calls import NumberRules
from kernel.phone import Phone

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).parents[3] / "web" / "static" / "js" / "dial.js"
OF_TASKS_AND_CAMPAIGNS = {
    RefusalCode.TASK_NOT_READY,
    RefusalCode.TASK_CHANGED,
    RefusalCode.NO_CONSENT,
    RefusalCode.STOPPED,
    RefusalCode.FROZEN,
    RefusalCode.COMPLAINT_WAITS,
    RefusalCode.EXHAUSTED,
    RefusalCode.QUESTIONNAIRE_TOO_LONG,
    RefusalCode.TASK_FREQUENCY,
    RefusalCode.SURVEY_QUOTA,
    RefusalCode.CAMPAIGN_STOPPED,
    RefusalCode.PAUSED,
    RefusalCode.NO_AGENTS,
    RefusalCode.ABANDONMENT,
}
"""What never stands against a call that an agent asks for from a page."""
AWAY = {RefusalCode.LINK_DOWN, RefusalCode.STALE_STATE}
"""Told as «the telephone system is not in reach»."""


@pytest.mark.parametrize(
    ("number", "refused"),
    [
        pytest.param("16812345678", True, id="costs extra"),
        pytest.param("+8616812345678", True, id="however it is written"),
        pytest.param("13816812345", False, id="only at the beginning"),
        pytest.param("057112345678", True, id="a landline with its area code"),
        pytest.param("01065551234", False, id="another landline"),
    ],
)
def test_a_number_that_begins_so_is_not_called(number: str, refused: bool) -> None:
    rules = NumberRules(refused_prefixes=("168", "0571"))
    assert rules.refuses(Phone.parse(number)) is refused


def test_without_a_list_nothing_is_refused() -> None:
    assert not NumberRules().refuses(Phone.parse("16812345678"))


@pytest.mark.parametrize("prefix", ["", "+86", "abc", "1" * 12], ids=["empty", "country", "words", "long"])
def test_what_is_no_beginning_of_a_number_is_no_setting(prefix: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        NumberCallSettings.model_validate({"refused_prefixes": [prefix]})


def test_every_rule_that_may_stand_against_a_call_has_words_on_the_page() -> None:
    (block,) = re.findall(r"const rules = \{(.*?)\n\};", SCRIPT.read_text("utf-8"), re.DOTALL)
    worded = set(re.findall(r"^  (\w+): ", block, re.MULTILINE))
    assert worded == {code.value for code in set(RefusalCode) - OF_TASKS_AND_CAMPAIGNS - AWAY}
