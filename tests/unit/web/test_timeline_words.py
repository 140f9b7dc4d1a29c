"""Callbacks on a customer's time line, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import Outcome, Verdict
from crm.timeline import TimelineEntry
from web.pages.timeline_words import CALLED_BACK, Teller

pytestmark = pytest.mark.unit


def told(result: str, **detail: Any) -> tuple[str, str, str]:
    entry = TimelineEntry(
        entry_id="0" * 26,
        at=datetime(2026, 3, 2, tzinfo=UTC),
        channel="callback",
        direction="out",
        ref="0" * 26,
        result=result,
        agent=None,
        queue=None,
        disposition=None,
        notes=None,
        detail=detail,
    )
    found = Teller({}, {}).tell(entry)
    return found.kind, found.about, found.result


def test_an_attempt_without_a_talk_says_that_nobody_was_reached_and_why() -> None:
    assert told("busy", attempt=True, kinds=["KG"], title="x") == ("回访未接通", "开工回访", "占线")
    assert told("answered", attempt=True, kinds=["KG"])[0] == "回访未完成"


def test_a_talk_says_about_what_it_was() -> None:
    assert told("dissatisfied", kinds=["KG", "YB"])[:2] == ("回访", "开工回访、隐蔽工程回访")
    # Those that were written down before kinds were.
    assert told("satisfied", title="中期回访")[1] == "中期回访"


def test_every_result_has_its_word() -> None:
    results = {*Outcome, *TalkEnding, *Verdict} - {TalkEnding.TO_AGENT}
    assert not [result for result in results if result.value not in CALLED_BACK]
