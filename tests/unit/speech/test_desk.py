"""What lights up beside the talk, and what one key may do with it."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from speech.reading import read
from speech.rules import desk
from speech.rules.finder import find
from speech.rules.findings import RuleKind, Speaker
from speech.rules.suggest import Form, Said

pytestmark = pytest.mark.unit

BEIJING = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING)


def talk(*lines: tuple[str, str]) -> tuple[Said, ...]:
    said = []
    for number, (who, text) in enumerate(lines):
        reading = read(text)
        findings = find(reading, Speaker(who), NOW)
        said.append(Said(segment=f"{number:03}", speaker=Speaker(who), text=reading.text, findings=findings))
    return tuple(said)


def test_a_promised_visit_is_an_appointment() -> None:
    promised = talk(("customer", "我家卫生间漏水了"), ("agent", "我们安排师傅明天上午上门"))
    visit = desk.agreed_visit(promised, after=NOW)
    assert visit is not None and visit.because.segment == "001"
    assert visit.since == datetime(2026, 11, 24, 8, 0, tzinfo=BEIJING)
    assert visit.slot_until == datetime(2026, 11, 24, 12, 0, tzinfo=BEIJING)
    later = talk(("agent", "师傅明天上午上门"), ("customer", "明天下午三点我在家"))
    agreed = desk.agreed_visit(later, after=NOW)
    assert agreed is not None and agreed.since.hour == 15
    assert agreed.slot_until - agreed.since == desk.SLOT
    assert desk.agreed_visit(later, after=NOW + timedelta(days=3)) is None
    assert (
        desk.agreed_visit(
            talk(
                ("agent", "请问您什么时候方便"),
            )
        )
        is None
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("你好，我想咨询一下", (), id="nothing"),
        pytest.param("我家卫生间水龙头漏水", (Form.REPAIR, Form.COMPLAINT), id="broken"),
        pytest.param("卫生间又漏水了，再不来我就打12315", (Form.COMPLAINT, Form.REPAIR), id="threat"),
        pytest.param("你们工长态度太差了", (Form.COMPLAINT,), id="manner"),
    ],
)
def test_the_likelier_form_comes_first(text: str, wanted: tuple[Form, ...]) -> None:
    assert desk.forms(talk(("customer", text))) == wanted


def test_what_the_agent_says_of_it_opens_no_form() -> None:
    assert desk.forms(talk(("agent", "您是说卫生间漏水了吗"))) == ()


def test_the_gravest_lights_first_and_each_once() -> None:
    said = talk(
        ("customer", "我家卫生间漏水了"),
        ("customer", "卫生间又漏水了"),
        ("customer", "再不来我就找记者曝光"),
        ("customer", "别再给我打电话了"),
    )
    found = desk.lights(said)
    assert [one.kind for one in found][:2] == [RuleKind.THREAT, RuleKind.DO_NOT_CALL]
    assert all(one.grave for one in found[:2])
    topics = [one for one in found if one.kind is RuleKind.TOPIC]
    assert [one.because.segment for one in topics] == ["001"]
    refused = desk.no_more_calls(said)
    assert refused is not None and refused.segment == "003"
    assert desk.no_more_calls(talk(("agent", "我们不会再给您打电话"))) is None


def test_marks_do_not_overlap_and_stand_in_the_text() -> None:
    said = talk(("customer", "卫生间漏水漏到楼下了，我要打12315投诉，明天上午必须上门"))
    marks = desk.marks(said)["000"]
    assert {mark.kind for mark in marks} >= {RuleKind.THREAT, RuleKind.URGENCY}
    for before, after in pairwise(marks):
        assert before.end <= after.start
    assert all(said[0].text[mark.start : mark.end] for mark in marks)
