"""What matters is found where it is said, and not where it is denied, feared, asked or over."""

from datetime import datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
import yaml

from crm.domain.complaint import SUBCLASSES, ComplaintClass
from speech.reading import read
from speech.rules.finder import find
from speech.rules.findings import Finding, RuleKind, Speaker
from speech.rules.model import RulesInvalid, parse_rules, shipped_rules, shipped_text
from speech.rules.patterns import PhraseInvalid, expression
from speech.rules.when import whens
from speech.trade_words import TRADE_WORDS
from tests.bench.reading import scored, utterances

pytestmark = pytest.mark.unit

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 22, 10, 0, tzinfo=ZONE)  # a Sunday
ONE = "language: zh\nrules:\n  - {id: a.b, kind: topic, value: v, label: L, phrases: [漏水]}\n"


def said(text: str, speaker: Speaker = Speaker.CUSTOMER) -> tuple[Finding, ...]:
    return find(read(text), speaker, AT)


def rules_of(text: str, speaker: Speaker = Speaker.CUSTOMER) -> set[str]:
    return {one.rule for one in said(text, speaker)}


def test_topics_are_classes_of_complaints() -> None:
    known = {f"{code.value}.{sub}" for code in ComplaintClass for sub in SUBCLASSES[code]}
    assert {rule.value for rule in shipped_rules().rules if rule.kind is RuleKind.TOPIC} <= known


def test_items_are_those_of_the_warranty() -> None:
    terms = yaml.safe_load((files("crm") / "warranty_terms.yaml").read_text(encoding="utf-8"))
    known = {item["code"] for item in terms["items"]}
    assert {rule.value for rule in shipped_rules().rules if rule.kind is RuleKind.ITEM} <= known


@pytest.mark.parametrize(
    "text",
    [
        "没有漏水",
        "不是漏水",
        "现在不漏水了",
        "要是漏水怎么办",
        "我就怕漏水",
        "漏水已经修好了",
        "会不会漏水",
        "我朋友家漏水",
        "漏水倒没有",
    ],
)
def test_what_is_not_so_is_not_found(text: str) -> None:
    assert "topic.waterproof" not in rules_of(text)


@pytest.mark.parametrize(
    "text", ["卫生间漏水了", "没人管漏水", "漏水修好了又漏", "漏水没有人修", "装完以后漏水", "卫生间楼水了"]
)
def test_what_is_so_is_found(text: str) -> None:
    assert "topic.waterproof" in rules_of(text)


def test_a_word_that_only_sounds_so_is_worth_less() -> None:
    (sure,) = [one for one in said("瓷砖空鼓了") if one.rule == "topic.tile"]
    (heard,) = [one for one in said("这砖控股了") if one.rule == "topic.tile"]
    assert heard.confidence < sure.confidence


def test_the_agent_speaks_for_the_company_not_for_the_customer() -> None:
    assert rules_of("您是要退款对吗卫生间漏水了您要曝光", Speaker.AGENT) == set()
    assert "promise.visit" not in rules_of("明天上门", Speaker.CUSTOMER)


def test_threats_count_with_an_if_and_not_with_a_not() -> None:
    assert "threat.regulator" in rules_of("如果今天不解决我就打一二三一五")
    assert "threat.media" not in rules_of("我也不想找媒体")
    assert "threat.regulator" not in rules_of("我电话是一三九零零一一二三四五")


def test_a_promise_names_the_day() -> None:
    found = [
        one for one in said("师傅明天上午九点半上门给您看一下", Speaker.AGENT) if one.kind is RuleKind.PROMISE
    ]
    assert found[0].speaker is Speaker.AGENT and found[0].when is not None
    assert found[0].when.since == datetime(2026, 11, 23, 9, 30, tzinfo=ZONE) and found[0].when.exact


def test_findings_point_into_the_text_and_to_what_was_said() -> None:
    reading = read("我 在 三号楼 卫生间 漏水")
    (one,) = [one for one in find(reading, Speaker.CUSTOMER, AT) if one.rule == "topic.waterproof"]
    assert reading.text[one.start : one.end] == "漏水"
    start, end = reading.raw_range(one.start, one.end)
    assert reading.raw[start:end] == "漏水"


@pytest.mark.parametrize(
    ("text", "since", "until", "exact"),
    [
        ("明天上午9点", (23, 9, 0), (23, 9, 0), True),
        ("明天下午", (23, 13, 0), (23, 18, 0), False),
        ("后天", (24, 8, 0), (24, 18, 0), False),
        ("下午3点半", (22, 15, 30), (22, 15, 30), True),
        ("3点一刻", (22, 15, 15), (22, 15, 15), True),
        ("周三上午10点", (25, 10, 0), (25, 10, 0), True),
        ("下周二", (24, 8, 0), (24, 18, 0), False),
        ("11月25号下午2点", (25, 14, 0), (25, 14, 0), True),
        ("25号", (25, 8, 0), (25, 18, 0), False),
        ("24小时内", (22, 10, 0), (23, 10, 0), False),
        ("3个工作日内", (22, 10, 0), (25, 10, 0), False),
        ("两天之内", (22, 10, 0), (24, 10, 0), False),
        ("今晚8点", (22, 20, 0), (22, 20, 0), True),
        ("月底前", (28, 8, 0), (30, 18, 0), False),
        ("下周末", (28, 8, 0), (29, 18, 0), False),
    ],
)
def test_times(text: str, since: tuple[int, int, int], until: tuple[int, int, int], exact: bool) -> None:
    (found,) = whens(text, AT)
    assert (found.since.day, found.since.hour, found.since.minute) == since
    assert (found.until.day, found.until.hour, found.until.minute) == until
    assert found.exact is exact and (found.start, found.end) == (0, len(text))


def test_days_of_past_and_doors_are_no_times() -> None:
    assert whens("3号楼2单元", AT) == () and whens("9号线", AT) == () and whens("2月30号", AT) == ()


def test_the_labelled_sentences_are_understood() -> None:
    """A fence, not the measurement: ``python -m tests.bench reading`` has the figures."""
    held = scored([one for one in utterances() if one.part == "held"])
    assert len(utterances()) >= 150
    assert held.precision() >= 0.85 and held.recall() >= 0.75


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("rules: []", "at least one rule"),
        (ONE.replace("kind: topic", "kind: sort"), "kind must be one of"),
        (ONE.replace("phrases: [漏水]", "phrases: []"), "needs phrases"),
        (ONE.replace("漏水", '"(a|b"'), "write alternatives as"),
        (ONE.replace("漏水", "…漏水"), "begins and ends with a word"),
        (ONE.replace("漏水", '"(|漏)"'), "begins and ends with a word"),
        (ONE.replace("id: a.b", "id: A B"), "id: up to"),
        (ONE + ONE.split("rules:\n")[1], "stands twice"),
        (ONE.replace("label: L", "label: L, colour: red"), "has no “colour”"),
        (ONE.replace("phrases: [漏水]", "sounds: [abc]"), "Chinese characters"),
        (ONE.replace("漏水", "x" * 201), "1 to 200 characters"),
        ("rules: &a [*a]", "anchors"),
    ],
)
def test_a_mistake_in_the_rules_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(RulesInvalid, match="rules") as refused:
        parse_rules(text)
    assert problem in str(refused.value)


def test_a_phrase_is_no_regular_expression() -> None:
    assert parse_rules(ONE.replace("漏水", "a.b")).rules[0].find is not None
    assert expression("a+b…c(d|e)") == r"a\+b[^，。！？；,!?;…]{0,6}?c(?:d|e)"
    with pytest.raises(PhraseInvalid):
        expression("a\x00b")


def test_a_text_of_noise_is_bounded() -> None:
    for noise in ("漏水" * 20_000, "没有" * 20_000, "明天" * 20_000, "(((" * 1_000):
        assert len(said(noise)) <= 60


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("公长要求我另外付钱我不同意", "topic.private_charge"),
        ("木地班起拱了", "topic.carpentry"),
        ("维生间的门关不上", "place.bathroom"),
        ("家里甲全太高了", "topic.smell"),
    ],
)
def test_words_of_the_trade_are_known_by_their_sound(text: str, rule: str) -> None:
    found = {one.rule: one.confidence for one in said(text)}
    assert 0.5 <= found[rule] < 0.8


def test_a_word_of_its_own_is_left_alone() -> None:
    lexicon = shipped_rules().lexicon
    for text in ("我们公司的公章", "早上的露水", "目的是什么", "今天风光很好", "ABC 123", ""):
        assert lexicon.corrected(text) == text
    assert lexicon.corrected("公长没来") == "工长没来"
    assert len(lexicon.corrected("公长" * 500)) == 1000


def test_words_of_the_trade_stand_in_one_place_and_rules_know_them() -> None:
    own = yaml.safe_load(shipped_text())["words"]
    assert len(own) > 20
    assert not set(own) & set(TRADE_WORDS)
    assert "兼理" not in TRADE_WORDS and shipped_rules().lexicon.corrected("兼理没来") == "监理没来"
    # A company's own rules know them as well, whatever words it names.
    rule = "rules: [{id: topic.x, kind: topic, value: x, label: x, phrases: [工期]}]"
    assert parse_rules(f"language: zh\nwords: []\n{rule}").lexicon.corrected("公长没来") == "工长没来"
    assert parse_rules(f"language: en\nwords: []\n{rule}").lexicon.corrected("公长没来") == "公长没来"
