"""The words of campaigns: every code has one, in plain Chinese, and nothing refuses without advice."""

import re
from dataclasses import fields

import pytest

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState, CampaignStep, TasksFrom
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Outcome, Verdict
from callback_campaigns.pacing import Reason
from crm.domain.customer import Level
from web.pages import campaign_words as words

pytestmark = pytest.mark.unit

TABLES = (
    (CampaignMode, words.MODES),
    (CampaignMode, words.MODE_MEANS),
    (CampaignState, words.STATES),
    (CampaignState, words.TONES),
    (CampaignStep, words.STEPS),
    (CampaignStep, words.STEP_ASKS),
    (CampaignStep, words.STEP_SURE),
    (TasksFrom, words.SOURCES),
    (Level, words.LEVELS),
    (TaskStatus, words.TASKS),
    (Verdict, words.VERDICTS),
    (Outcome, words.OUTCOMES),
    (AttemptState, words.CALL_STATES),
    (RefusalCode, words.REFUSALS),
)


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_code_has_its_word(kind: type, table: dict[str, str]) -> None:
    assert {member.value for member in kind} == set(table)  # type: ignore[attr-defined]


def test_every_callback_by_telephone_has_its_name() -> None:
    assert set(words.KINDS) == {kind.value for kind in CallbackType} - {"VISIT"}


def test_every_decision_of_the_pacing_and_every_refusal_is_explained() -> None:
    known = {member.value for kind in (Reason, RefusalCode, CampaignMode) for member in kind}
    assert known <= set(words.DECISIONS)


def test_reasons_are_chinese_and_each_its_own() -> None:
    assert len(set(words.REFUSALS.values())) == len(RefusalCode)
    for text in words.REFUSALS.values():
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert not re.search(r"[A-Za-z_]", text)


def test_every_field_is_explained_and_advised() -> None:
    written = {one.name for one in fields(Campaign)} - {"campaign_id", "state", "version"}
    assert set(words.FIELDS) == written
    assert written - {"amd", "live_text", "record"} <= set(words.ADVICE)  # a tick cannot be wrong
