"""Whether somebody who was asked and answered in their own words is content. Pure.

What the rules find (a topic of complaints, a threat, something broken) speaks for a problem; so do the words
below. What is denied does not count, and what is said both ways is less certain. Nothing here decides: below
:data:`speech.rules.opinion.SURE` a person listens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from speech.reading import read
from speech.rules.clauses import Said, how
from speech.rules.finder import find
from speech.rules.findings import Finding, RuleKind, Speaker
from speech.rules.model import RuleSet
from speech.rules.patterns import Heard, Match, Phrases

SURE = 0.7
"""From here on it is taken for what it says."""
BADLY_HEARD = 0.5
"""A recogniser that is less certain of its words than this has probably misheard them."""
HEARD_ONLY = 0.75
"""How much a word that only sounds so is worth, or one of words that were probably misheard."""
BOTH_WAYS = 0.9
"""How certain a problem is beside a word of praise: «都挺好，就是卫生间漏水»."""
MAX_LABELS = 5

_STRONG = (
    "(不|不太|不是很|不怎么|很不|非常不|特别不)满意",
    "(太|很|真|特别|非常|这么|实在)(差|糟|烂|次|坑|慢|不负责)",
    "差劲",
    "失望",
    "气死",
    "生气",
    "气愤",
    "糟糕",
    "糟心",
    "闹心",
    "敷衍",
    "糊弄",
    "马虎",
    "后悔",
    "不负责任",
    "不守信用",
    "没人管",
    "没人理",
    "(质量|做工|手艺|服务|态度|材料|卫生|进度|活)…(差|不好|不行|不过关|有问题|粗糙|马虎)",
    "(没|没有|还没|一直没)(解决|处理|修好|弄好|装好|改好)",
    "解决不了",
    "意见(很|非常|特别)大",
    "有(很多|好多|不少|很大)(问题|意见)",
    "有(问题|意见)",
    "(要|想|去|我)投诉",
    "受不了",
)
_WEAK = (
    "不(太|怎么|是很)好",
    "不怎么样",
    "凑合",
    "马马虎虎",
    "不好",
    "不行",
    "一般般",
    "有点(慢|差|乱|脏|贵)",
)
_GOOD = (
    "满意",
    "(挺|很|非常|特别|都|蛮|还|真|比较)好",
    "(挺|很|还|都|真)不错",
    "不错",
    "(还|挺|都)可以",
    "放心",
    "认真",
    "(很|挺|非常|特别)负责",
    "好评",
    "点赞",
    "感谢",
    "谢谢",
    "辛苦",
    "(都|已经|全)(解决|处理|修好)",
    "没(有|什么|有什么|啥|有任何|)(意见|问题|要求|不满)",
    "没有了",
    "都好",
)
_PRAISE = Phrases(("满意", "放心", "好"))
"""Of these the denial is a complaint: «不是很满意»."""
_CALL = (
    "(给我|给咱|给我们|跟我|和我|与我)…(回电|打电话|打个电话|回个电话|回电话)",
    "(给我|跟我|和我)…(来电话|来个电话|联系|回话|通电话)",
    "联系(我|一下我)",
    "回(我个|我|个)电话",
    "(让|叫|请|要|找)(你们|)(经理|领导|负责人|主管|客服|老板)…(联系|打电话|回电|打个电话|说|谈)",
    "(让|叫|请|要|找)(你们|)(设计师|项目经理|工长|师傅)…(联系|打电话|回电|打个电话)",
    "(尽快|赶紧|马上|早点)(联系|回电|回复)",
)


class Opinion(StrEnum):
    """What somebody thinks."""

    SATISFIED = "satisfied"
    DISSATISFIED = "dissatisfied"
    CALL = "call"
    """They want to be called, and do not say that something is wrong."""
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was said comes to.

    Attributes:
        sure: 0 to 1.
        labels: what speaks for it, for people.
        class_code: class of the complaint in it (domain.md §4.3); ``None`` where none is named.
        severity: 1, or what the rules make of it (domain.md §1.3).
        wants_call: they want to be called, whatever else they say.
    """

    opinion: Opinion
    sure: float
    labels: tuple[str, ...] = ()
    class_code: int | None = None
    severity: int = 1
    wants_call: bool = False


@dataclass(frozen=True, slots=True)
class _Evidence:
    sure: float
    label: str


@lru_cache(maxsize=1)
def _phrases() -> tuple[Phrases, Phrases, Phrases, Phrases]:
    return (
        Phrases(_STRONG, ("不满意", "太差了", "失望")),
        Phrases(_WEAK),
        Phrases(_GOOD, ("满意", "没意见", "没问题")),
        Phrases(_CALL),
    )


def judge(text: str, at: datetime, rules: RuleSet | None = None, *, heard: float | None = None) -> Judged:
    """Return what an answer in somebody's own words comes to. Never fails.

    Args:
        at: when it was said, in the site's time.
        heard: how certain the recogniser is of its words, from 0 to 1.
    """
    reading = read(text)
    found = find(reading, Speaker.CUSTOMER, at, rules)
    said = reading.text
    sound = Heard(said)
    strong, weak, good, call = _phrases()
    bad = [one for one in (_of(finding) for finding in found) if one is not None]
    spans = strong.matches(said, sound)
    bad += _so(said, spans, 0.9)
    bad += _so(said, [one for one in weak.matches(said, sound) if not _in(one, spans)], 0.6)
    praise, denied = _praise(said, good.matches(said, sound), spans)
    bad += denied
    calls = _so(said, call.matches(said, sound), 0.85, wish=True)
    opinion, sure, why = _weigh(bad, praise, calls)
    if heard is not None and heard < BADLY_HEARD:
        sure *= HEARD_ONLY
    topics = [one for one in found if one.kind is RuleKind.TOPIC]
    return Judged(
        opinion=opinion,
        sure=round(sure, 2),
        labels=tuple(dict.fromkeys(one.label for one in why))[:MAX_LABELS],
        class_code=_class_of(topics) if opinion is Opinion.DISSATISFIED else None,
        severity=max((_severity(one) for one in found), default=1),
        wants_call=bool(calls),
    )


def _weigh(
    bad: Sequence[_Evidence], praise: Sequence[_Evidence], calls: Sequence[_Evidence]
) -> tuple[Opinion, float, Sequence[_Evidence]]:
    if bad:
        sure = max(one.sure for one in bad)
        return Opinion.DISSATISFIED, sure * (BOTH_WAYS if praise else 1.0), bad
    if calls:
        return Opinion.CALL, max(one.sure for one in calls), calls
    if praise:
        return Opinion.SATISFIED, max(one.sure for one in praise), praise
    return Opinion.UNCLEAR, 0.0, ()


def _of(finding: Finding) -> _Evidence | None:
    """Return what a finding says against the company."""
    match finding.kind:
        case RuleKind.TOPIC | RuleKind.THREAT | RuleKind.ITEM | RuleKind.SEVERITY:
            return _Evidence(finding.confidence, finding.label)
        case RuleKind.URGENCY if finding.value == "emergency":
            return _Evidence(finding.confidence, finding.label)
        case _:
            return None


def _so(text: str, matches: Sequence[Match], sure: float, *, wish: bool = False) -> list[_Evidence]:
    """Return the matches that are meant as they are said; a wish is one as a question, too."""
    meant = {Said.SO, Said.SUPPOSED} if wish else {Said.SO}
    return [
        _Evidence(sure * (HEARD_ONLY if one.heard else 1.0), text[one.start : one.end])
        for one in matches
        if how(text, one.start, one.end, bare_not=not wish) in meant
    ]


def _praise(
    text: str, matches: Sequence[Match], spans: Sequence[Match]
) -> tuple[list[_Evidence], list[_Evidence]]:
    """Return the words of praise, and those that are denied, which is a complaint."""
    good: list[_Evidence] = []
    denied: list[_Evidence] = []
    for one in matches:
        if _in(one, spans):
            continue
        words = text[one.start : one.end]
        sure = 0.9 * (HEARD_ONLY if one.heard else 1.0)
        if words.startswith("没") or how(text, one.start, one.end, bare_not=True) is not Said.DENIED:
            good.append(_Evidence(sure, words))
        elif _PRAISE.matches(words, Heard(words)):
            denied.append(_Evidence(sure * 0.9, f"不{words}"))
    return good, denied


def _in(one: Match, spans: Sequence[Match]) -> bool:
    return any(span.start <= one.start and one.end <= span.end for span in spans)


def _class_of(topics: Sequence[Finding]) -> int | None:
    """Return the class of the clearest topic."""
    best = max(topics, key=lambda one: one.confidence, default=None)
    code = best.value.partition(".")[0] if best is not None else ""
    return int(code) if code.isdigit() else None


def _severity(finding: Finding) -> int:
    if finding.kind is RuleKind.THREAT:
        return 2
    return int(finding.value) if finding.kind is RuleKind.SEVERITY and finding.value.isdigit() else 1
