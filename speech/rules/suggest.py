"""From what was found to what a form might hold: proposals, each with the words it comes from. Pure.

Nothing is filled in by itself: whoever listens accepts a proposal, and what they typed stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from speech.rules.findings import Finding, RuleKind, Speaker

MAX_CONTENT = 300
MAX_QUOTE = 80
MAX_SUGGESTIONS = 9
"""As many as there are keys for."""
LEAST = 0.5
"""Confidence below which nothing is proposed."""
_URGENCY_RANK = ("urgent", "emergency")


class Form(StrEnum):
    """Which form is open."""

    COMPLAINT = "complaint"
    REPAIR = "repair"


class Mode(StrEnum):
    """How a proposal goes into its field."""

    SET = "set"
    """Chosen, unless somebody chose already."""
    ADD = "add"
    """Put behind what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person said in one go, and what was found in it."""

    segment: str
    speaker: Speaker
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """The words a proposal comes from: ``start`` to ``end`` of a segment's text."""

    segment: str
    speaker: Speaker
    text: str
    start: int
    end: int

    @property
    def quote(self) -> str:
        """The words with a little around them."""
        return (
            self.text if len(self.text) <= MAX_QUOTE else f"…{self.text[self.start : self.end][:MAX_QUOTE]}…"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A proposal for one field.

    Attributes:
        field: name of the field of the form, such as ``lines.0.kind``.
        value: what would stand in it.
        label: the same for people.
        rules: the rules it comes from.
    """

    field: str
    value: str
    label: str
    mode: Mode
    because: Because
    confidence: float
    rules: tuple[str, ...] = ()


def suggest(said: Sequence[Said], form: Form) -> tuple[Suggestion, ...]:
    """Return proposals for a form, in the order of its fields, at most :data:`MAX_SUGGESTIONS`."""
    every = [(one, finding) for one in said for finding in one.findings if finding.confidence >= LEAST]
    by_kind: Mapping[RuleKind, list[tuple[Said, Finding]]] = defaultdict(list)
    for one, finding in every:
        by_kind[finding.kind].append((one, finding))
    if form is Form.COMPLAINT:
        found = [
            *_content(by_kind[RuleKind.TOPIC]),
            *_wishes(by_kind[RuleKind.WISH], "demand"),
            *_times(by_kind[RuleKind.APPOINTMENT], "content", "客户方便的时间：{}"),
            *_urgency(by_kind[RuleKind.URGENCY]),
            *_topics(by_kind[RuleKind.TOPIC]),
            *_severity(by_kind),
        ]
    else:
        found = [
            *_content(by_kind[RuleKind.ITEM] + by_kind[RuleKind.TOPIC]),
            *_best(by_kind[RuleKind.PLACE], "place", 1),
            *_best(by_kind[RuleKind.ITEM], "item", 1),
            *_urgency(by_kind[RuleKind.URGENCY]),
            *_severity(by_kind),
            *_times(by_kind[RuleKind.APPOINTMENT], "content", "客户方便的时间：{}"),
            *_wishes(by_kind[RuleKind.WISH], "content", "客户要求：{}"),
        ]
    return tuple(found[:MAX_SUGGESTIONS])


def topics(said: Iterable[Said]) -> tuple[str, ...]:
    """Return the classes of complaints that are spoken of, the clearest first."""
    found = [(one, finding) for one in said for finding in one.findings if finding.kind is RuleKind.TOPIC]
    return tuple(value for value, _ in _ranked(found))


def _ranked(found: Sequence[tuple[Said, Finding]]) -> list[tuple[str, list[tuple[Said, Finding]]]]:
    """Return findings by value: what is said oftenest and clearest first, among equals what came first."""
    by_value: dict[str, list[tuple[Said, Finding]]] = {}
    for one, finding in found:
        by_value.setdefault(finding.value, []).append((one, finding))
    return sorted(by_value.items(), key=lambda pair: -sum(finding.confidence for _, finding in pair[1]))


def _because(one: Said, finding: Finding) -> Because:
    return Because(
        segment=one.segment, speaker=one.speaker, text=one.text, start=finding.start, end=finding.end
    )


def _made(
    name: str, value: str, label: str, found: Sequence[tuple[Said, Finding]], mode: Mode = Mode.SET
) -> Suggestion:
    one, finding = max(found, key=lambda pair: pair[1].confidence)
    return Suggestion(
        field=name,
        value=value,
        label=label,
        mode=mode,
        because=_because(one, finding),
        confidence=finding.confidence,
        rules=tuple(dict.fromkeys(each.rule for _, each in found)),
    )


def _best(found: Sequence[tuple[Said, Finding]], name: str, most: int) -> list[Suggestion]:
    return [_made(name, value, of[0][1].label, of) for value, of in _ranked(found)[:most]]


def _topics(found: Sequence[tuple[Said, Finding]]) -> list[Suggestion]:
    """Propose a line for each of the two clearest topics."""
    return [
        _made(f"lines.{place}.kind", value, of[0][1].label, of)
        for place, (value, of) in enumerate(_ranked(found)[:2])
    ]


def _content(found: Sequence[tuple[Said, Finding]]) -> list[Suggestion]:
    """Propose the customer's own sentences that speak of the matter."""
    if not found:
        return []
    sentences = list(dict.fromkeys(one.text.strip(" 。，") for one, _ in found))
    text = ""
    for sentence in sentences:
        if len(text) + len(sentence) + 1 > MAX_CONTENT:
            break
        text += ("；" if text else "") + sentence
    text = text or sentences[0][:MAX_CONTENT]
    return [_made("content", text, text, found, Mode.ADD)]


def _wishes(found: Sequence[tuple[Said, Finding]], name: str, frame: str = "{}") -> list[Suggestion]:
    ranked = _ranked(found)
    if not ranked:
        return []
    text = frame.format("、".join(value for value, _ in ranked[:4]))
    return [_made(name, text, text, found, Mode.ADD)]


def _times(found: Sequence[tuple[Said, Finding]], name: str, frame: str) -> list[Suggestion]:
    """Propose the last time that was spoken of: the one that was agreed."""
    with_time = [pair for pair in found if pair[1].when is not None]
    if not with_time:
        return []
    one, finding = with_time[-1]
    when = finding.when
    assert when is not None
    day = f"{when.since.month}月{when.since.day}日"
    hours = f"{when.since:%H:%M}" if when.exact else f"{when.since:%H:%M}–{when.until:%H:%M}"
    text = frame.format(f"{day} {hours}")
    return [_made(name, text, text, [(one, finding)], Mode.ADD)]


def _urgency(found: Sequence[tuple[Said, Finding]]) -> list[Suggestion]:
    known = [pair for pair in found if pair[1].value in _URGENCY_RANK]
    if not known:
        return []
    most = max(known, key=lambda pair: _URGENCY_RANK.index(pair[1].value))[1].value
    of = [pair for pair in known if pair[1].value == most]
    return [_made("urgency", most, of[0][1].label, of)]


def _severity(by_kind: Mapping[RuleKind, list[tuple[Said, Finding]]]) -> list[Suggestion]:
    """Propose what domain.md §1.3 says: press, regulator or several customers 3; danger or repeated 2."""
    grave = by_kind[RuleKind.THREAT] + [one for one in by_kind[RuleKind.SEVERITY] if one[1].value == "3"]
    serious = [one for one in by_kind[RuleKind.SEVERITY] if one[1].value == "2"]
    serious += [one for one in by_kind[RuleKind.URGENCY] if one[1].value == "emergency"]
    for level, of in (("3", grave), ("2", serious)):
        if of:
            return [_made("severity", level, of[0][1].label, of)]
    return []
