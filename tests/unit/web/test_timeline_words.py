"""The customer's time line in words: every channel in its own, none in codes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crm.notices.domain import MessageState
from crm.timeline import Channel, TimelineEntry
from web.pages.timeline_words import KINDS, RESULTS, Teller

pytestmark = pytest.mark.unit

TELLER = Teller({"repair": "报修"}, {"call_back": "需回电"})


def entry(channel: str, result: str | None, direction: str = "out", **more: Any) -> TimelineEntry:
    values: dict[str, Any] = {"agent": None, "queue": None, "disposition": None, "notes": None, "detail": {}}
    return TimelineEntry(
        entry_id="1",
        at=datetime(2026, 3, 2, 2, 0, tzinfo=UTC),
        channel=channel,
        direction=direction,
        ref="R1",
        result=result,
        **values | more,
    )


def test_a_message_names_its_way_its_text_its_state_and_its_case() -> None:
    detail = {"channel": "sms", "template": "visit.booked", "case_id": "C1", "no": "BX1"}
    told = TELLER.tell(entry("message", "failed", detail=detail))
    assert (told.kind, told.about, told.result, told.tone) == ("短信", "上门预约", "没有发出", "brick")
    assert (told.case_id, told.no, told.link) == ("C1", "BX1", "")


def test_a_message_of_another_version_stands_for_itself() -> None:
    told = TELLER.tell(entry("message", "read", detail={"channel": "fax", "template": "new.text"}))
    assert (told.kind, told.about, told.result) == ("fax", "new.text", "read")
    assert TELLER.tell(entry("message", "sent")).kind == "发给客户"


def test_a_call_leads_to_its_page() -> None:
    told = TELLER.tell(entry("call", "ANSWERED", "in", queue="repair", disposition="call_back"))
    assert (told.kind, told.result, told.queue, told.disposition) == ("呼入", "已接通", "报修", "需回电")
    assert told.link == "/calls/R1"


@pytest.mark.parametrize(
    ("channel", "result", "detail", "said"),
    [
        ("case", "closed", {"no": "TS1", "kind": "complaint", "summary": "漏水"}, ("投诉", "漏水", "已结案")),
        ("callback", "dissatisfied", {"no": "TS1"}, ("回访", "", "不满意")),
        ("visit", "not_home", {"no": "BX1"}, ("上门", "", "客户不在家")),
        (
            "payment",
            "payment_posted",
            {"contract_no": "HT1", "amount": "10.00"},
            ("收付款", "HT1 10.00", "已入账"),
        ),
    ],
)
def test_what_else_happened(channel: str, result: str, detail: dict[str, str], said: tuple[str, ...]) -> None:
    told = TELLER.tell(entry(channel, result, detail=detail))
    assert (told.kind, told.about, told.result) == said
    assert told.case_id == ("R1" if channel == "case" else "")


def test_every_channel_and_every_state_of_a_message_has_words() -> None:
    assert set(RESULTS) == set(Channel)
    assert set(KINDS) | {"call"} == set(Channel)
    assert set(RESULTS["message"]) == set(MessageState)
