"""The time line of a call in words: no code of ours reaches a person."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from telephony.views import TimelineEntry
from tests.support.web import call_view
from web.pages.calls import _happening

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        ("offered", {"direction": "in", "from": "13800138001", "to": "01065558800"}, "主叫"),
        ("menu", {"node": "main", "key": "1", "label": "投诉"}, "按键 1 · 投诉"),
        ("queued", {"position": "3"}, "第 3 位"),
        ("ring_ended", {"reason": "no_answer"}, "未接听"),
        ("left_queue", {"reason": "abandoned"}, "客户放弃"),
        ("left_queue", {"reason": "not_answered"}, "无人接听"),
        ("transferred", {"type": "blind", "to": "1002"}, "直接转 · 转给 1002"),
        ("transferred", {"type": "attended", "to": "1002", "consultation": "01K"}, "先咨询后转 · 转给 1002"),
        ("transferred", {"type": "joined", "to": "1002"}, "并入另一通电话 · 转给 1002"),
        (
            "gap",
            {"since": "2026-03-02T02:00:00+00:00", "until": "2026-03-02T02:00:05+00:00"},
            "从 10:00:00 · 到 10:00:05",
        ),
        (
            "ended",
            {"result": "ANSWERED", "reason": "pbx_restart", "by": "system"},
            "已接通 · 电话系统重启 · 系统先挂机",
        ),
        ("ended", {"result": "ANSWERED", "reason": "merged", "into": "01K"}, "已接通 · 并入另一通话"),
    ],
)
def test_details_are_words(kind: str, detail: Mapping[str, str], words: str) -> None:
    entry = TimelineEntry(seq=1, at=NOW, kind=kind, channel=None, agent=None, queue=None, detail=detail)
    found = _happening(entry, call_view(), {}, {}, ZoneInfo("Asia/Shanghai"))
    assert words in found.text
    assert not any(code in found.text for code in (*detail, "no_answer", "01K"))
