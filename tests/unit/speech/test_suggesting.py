"""What is proposed for the forms beside a call, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from speech.rules.editing import Wording, reworded
from speech.rules.findings import Speaker
from speech.rules.model import RuleSet, parse_rules, shipped_rules, shipped_text
from speech.rules.suggest import Form, Mode
from speech.suggesting import MAX_CALLS, MAX_SAID, Final, Suggester

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # ten in the morning there
CUSTOMER, AGENT = Speaker.CUSTOMER, Speaker.AGENT
COMPLAINT = (
    (AGENT, "您好请问有什么可以帮您"),
    (CUSTOMER, "我家 卫生间 漏水 了 楼下 邻居 找上来 了"),
    (CUSTOMER, "这是我第三次打电话了你们工长还私下跟我要钱"),
    (AGENT, "您是要退款吗"),
    (CUSTOMER, "不是要退款我要你们重做再不来我就打一二三一五"),
    (AGENT, "师傅明天上午九点上门给您看一下"),
    (CUSTOMER, "行明天上午九点我在家"),
)


def final(n: int, speaker: Speaker, text: str, call: str = "call") -> Final:
    return Final(call_id=call, segment=f"{n:03}", speaker=speaker, text=text, at=AT)


async def rules() -> RuleSet:
    return shipped_rules()


async def told(lines: Sequence[tuple[Speaker, str]] = COMPLAINT) -> Suggester:
    suggester = Suggester(rules, zone=ZoneInfo("Asia/Shanghai"))
    for n, (speaker, text) in enumerate(lines):
        await suggester.hear(final(n, speaker, text))
    return suggester


async def test_a_complaint_form_is_proposed_field_by_field() -> None:
    found = {one.field: one for one in await (await told()).suggestions("call", Form.COMPLAINT)}
    assert found["lines.0.kind"].value in {"1.waterproof", "9.private_charge"}
    assert {found["lines.0.kind"].value, found["lines.1.kind"].value} >= {"1.waterproof"}
    assert found["demand"].value == "返工重做" and found["demand"].mode is Mode.ADD
    assert found["severity"].value == "3" and "threat.regulator" in found["severity"].rules
    assert found["urgency"].value == "urgent"


async def test_every_proposal_points_to_the_words_it_comes_from() -> None:
    for form in Form:
        for one in await (await told()).suggestions("call", form):
            because = one.because
            assert 0 <= because.start < because.end <= len(because.text)
            assert because.speaker is CUSTOMER or one.field == "content"
    (place,) = [one for one in await (await told()).suggestions("call", Form.REPAIR) if one.field == "place"]
    assert place.value == "卫生间"
    assert place.because.text[place.because.start : place.because.end] == "卫生间"


async def test_the_time_that_was_agreed_is_proposed_in_the_sites_hours() -> None:
    found = await (await told()).suggestions("call", Form.REPAIR)
    assert "客户方便的时间：11月23日 09:00" in {one.value for one in found}


async def test_of_small_talk_nothing_is_proposed() -> None:
    suggester = await told([(AGENT, "您好"), (CUSTOMER, "你好我想问一下你们公司在哪里")])
    assert await suggester.suggestions("call", Form.COMPLAINT) == ()
    assert await suggester.suggestions("another", Form.REPAIR) == ()


async def test_a_card_number_said_in_two_goes_is_in_no_proposal() -> None:
    suggester = await told(
        [(CUSTOMER, "我要退款卡号是六二二二零二一二"), (CUSTOMER, "三四五六七八九四"), (CUSTOMER, "我要退款")]
    )
    text = "".join(one.text for one in await suggester.said("call"))
    assert "62220212" not in text and "六二二二" not in text


async def test_a_text_heard_twice_counts_once() -> None:
    suggester = await told()
    before = await suggester.said("call")
    assert not await suggester.hear(final(1, CUSTOMER, "我家卫生间漏水了"))
    assert await suggester.said("call") == before


async def test_memory_is_bounded() -> None:
    suggester = Suggester(rules, zone=ZoneInfo("Asia/Shanghai"))
    for n in range(MAX_CALLS + 5):
        await suggester.hear(final(0, CUSTOMER, "好", call=f"c{n}"))
    assert await suggester.said("c0") == () and len(await suggester.said(f"c{MAX_CALLS + 4}")) == 1
    for n in range(MAX_SAID + 5):
        await suggester.hear(final(n, CUSTOMER, "好"))
    assert len(await suggester.said("call")) == MAX_SAID


class Stored:
    """A transcript that was there before."""

    async def finals(self, call_id: str) -> Sequence[Final]:
        return [final(0, CUSTOMER, "阳台渗水了", call_id)]


async def test_what_was_said_before_this_process_listened_counts_too() -> None:
    suggester = Suggester(rules, zone=ZoneInfo("Asia/Shanghai"), transcript=Stored())
    await suggester.hear(final(1, CUSTOMER, "你们快点派人来修", "call"))
    assert [one.segment for one in await suggester.said("call")] == ["000", "001"]
    assert "阳台" in {one.value for one in await suggester.suggestions("call", Form.REPAIR)}


def test_one_rule_in_other_words_leaves_all_else_as_it_is() -> None:
    text = shipped_text()
    rule = next(one for one in shipped_rules().rules if one.id == "place.kitchen")
    new = reworded(
        text,
        rule,
        Wording(label="厨房", phrases=["厨房", '灶"间', "no"], sounds=["厨房"], unless=[], confidence=70),
    )
    changed = parse_rules(new)
    assert [one.id for one in changed.rules] == [one.id for one in shipped_rules().rules]
    mine = next(one for one in changed.rules if one.id == "place.kitchen")
    assert mine.phrases == ("厨房", '灶"间', "no") and mine.confidence == 0.7 and mine.who is CUSTOMER
    others = [one for one in changed.rules if one.id != "place.kitchen"]
    assert others == [one for one in shipped_rules().rules if one.id != "place.kitchen"]
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in new.splitlines() if line.lstrip().startswith("#")] == comments


def test_every_shipped_rule_can_be_written_anew() -> None:
    text = shipped_text()
    for rule in shipped_rules().rules[::9]:
        same = Wording(
            label=rule.label,
            phrases=rule.phrases,
            sounds=rule.sounds,
            unless=rule.unless,
            confidence=round(rule.confidence * 100),
        )
        assert parse_rules(reworded(text, rule, same)) == shipped_rules()
