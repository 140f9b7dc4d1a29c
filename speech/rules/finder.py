"""Looks for everything that the rules know in what one person said."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from speech.reading import Reading
from speech.rules.clauses import Said, how
from speech.rules.findings import Finding, Findings, Speaker, When
from speech.rules.model import NeedsTime, Rule, RuleSet, shipped_rules
from speech.rules.patterns import CLAUSE_END, Heard
from speech.rules.when import whens

MAX_TEXT = 2_000
"""Characters of one utterance that are looked at; nobody says more without a breath."""
MAX_OF_A_RULE = 3
MAX_FINDINGS = 60
TIME_NEAR = 14
"""Characters between words and the time that belongs to them."""
ONLY_HEARD = 0.75
"""How much a word that only sounds so is worth."""


def find(reading: Reading, speaker: Speaker, at: datetime, rules: RuleSet | None = None) -> Findings:
    """Return what the rules find, in the order of the text. Never fails.

    What is denied, feared or over is no finding; the agent's own words are not taken for the customer's.

    Args:
        at: when it was said, in the site's time.
        rules: those that come with the product otherwise.
    """
    known = rules or shipped_rules()
    text = reading.text[:MAX_TEXT]
    found = _all(known, text, speaker, at)
    corrected = known.lexicon.corrected(text)
    if corrected != text:
        sure = {one.rule for one in found}
        found += [
            replace(one, confidence=round(one.confidence * ONLY_HEARD, 3))
            for one in _all(known, corrected, speaker, at)
            if one.rule not in sure
        ]
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.rule)))[:MAX_FINDINGS]


def _all(rules: RuleSet, text: str, speaker: Speaker, at: datetime) -> list[Finding]:
    heard = Heard(text)
    times = whens(text, at)
    found: list[Finding] = []
    for rule in rules.rules:
        if rule.who is None or rule.who is speaker:
            found += _of_rule(rule, text, heard, speaker, times)
    return found


def _of_rule(rule: Rule, text: str, heard: Heard, speaker: Speaker, times: Sequence[When]) -> list[Finding]:
    matches = rule.find.matches(text, heard)
    if not matches or rule.against.matches(text, heard):
        return []
    found: list[Finding] = []
    for match in matches:
        if not _counts(rule, text, match.start, match.end):
            continue
        time = _time(text, match.start, match.end, times) if rule.time is not NeedsTime.NO else None
        if time is None and rule.time is NeedsTime.MUST:
            continue
        one = Finding(
            rule=rule.id,
            kind=rule.kind,
            value=rule.value,
            label=rule.label,
            start=match.start,
            end=match.end,
            confidence=round(rule.confidence * (ONLY_HEARD if match.heard else 1.0), 3),
            speaker=speaker,
            when=time,
        )
        found.append(_with_time(one) if time else one)
        if len(found) == MAX_OF_A_RULE:
            break
    return found


def _counts(rule: Rule, text: str, start: int, end: int) -> bool:
    said = how(text, start, end, bare_not=rule.bare_not)
    if said is Said.SUPPOSED:
        return rule.supposed_too or rule.never_denied
    return said is Said.SO or rule.never_denied or (said is Said.OVER and not rule.bare_not)


def _time(text: str, start: int, end: int, times: Sequence[When]) -> When | None:
    """Return the time nearest to the words in the same clause."""
    near: list[tuple[int, When]] = []
    for time in times:
        between = text[time.end : start] if time.end <= start else text[end : time.start]
        if len(between) <= TIME_NEAR and not set(between) & set(
            CLAUSE_END.replace("，", "").replace(",", "")
        ):
            near.append((len(between), time))
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _with_time(one: Finding) -> Finding:
    assert one.when is not None
    return replace(one, start=min(one.start, one.when.start), end=max(one.end, one.when.end))
