"""What a customer's words are about, and how urgent it is: a suggestion, never a decision (domain.md §1.15).

The words and their weights are data (``crm/classification.yaml``), as are the times in which each class is
answered. Nothing here is ever applied by itself: the person at the telephone chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from crm.domain.group import GroupRule

MAX_TEXT = 2000
NEGATION = ("没有", "没", "不是", "未", "不", "无")
"""Before a hazard's word they take it back: «没有漏电»."""


class Nature(StrEnum):
    """What the customer wants (domain.md §1.15)."""

    CONSULTATION = "consultation"
    ORDER = "order"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    REPAIR = "repair"


class Urgency(StrEnum):
    """How soon somebody must act."""

    NORMAL = "normal"
    URGENT = "urgent"
    EMERGENCY = "emergency"
    """Danger by water, electricity or gas."""


NATURE_LABELS = {
    Nature.CONSULTATION: "咨询",
    Nature.ORDER: "业务办理",
    Nature.COMPLAINT: "投诉",
    Nature.SUGGESTION: "建议",
    Nature.REPAIR: "报修",
}
URGENCY_LABELS = {Urgency.NORMAL: "一般", Urgency.URGENT: "紧急", Urgency.EMERGENCY: "特急"}


@dataclass(frozen=True, slots=True)
class Word:
    """A word and how much it says."""

    text: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """A danger: one of ``words``, or one of ``all_of`` together with one of ``with_any``; none if denied."""

    code: str
    label: str
    words: Sequence[str] = ()
    all_of: Sequence[str] = ()
    with_any: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """In which time a class is answered and solved, by the company's standard."""

    answer: timedelta
    solve: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The words and norms in force.

    Attributes:
        order: natures from the one that wins a tie to the one that loses it.
        group: when complaints of several customers are one of a group.
    """

    order: Sequence[Nature]
    natures: Mapping[Nature, Sequence[Word]]
    hazards: Sequence[Hazard]
    urgent: Sequence[str]
    norms: Mapping[tuple[Nature, Urgency], Norm]
    group: GroupRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What the words look like.

    Attributes:
        found: the words that speak for the nature.
        hazards: codes of the dangers that were named, with ``hazard_words`` as they were said.
        sure: the words speak clearly for one nature.
    """

    nature: Nature
    urgency: Urgency
    found: tuple[str, ...]
    hazards: tuple[str, ...]
    hazard_words: tuple[str, ...]
    sure: bool
    norm: Norm


def classify(text: str, tables: Tables) -> Suggestion:
    """Return what ``text`` looks like; one that says nothing is a consultation, a danger alone
    a repair.

    Longer words count before shorter ones inside them: «维修费» is not «维修».
    """
    said = "".join(text[:MAX_TEXT].casefold().split())
    scores: dict[Nature, int] = dict.fromkeys(tables.order, 0)
    words: dict[Nature, list[str]] = {nature: [] for nature in tables.order}
    for nature in tables.order:
        for word in _found(said, tables.natures.get(nature, ())):
            scores[nature] += word.weight
            words[nature].append(word.text)
    ranked = sorted(tables.order, key=lambda nature: -scores[nature])
    best, next_best = ranked[0], ranked[1]
    dangers = [(hazard.code, word) for hazard in tables.hazards for word in _named(said, hazard)]
    if scores[best] == 0:
        best = Nature.REPAIR if dangers else Nature.CONSULTATION
    urgency = Urgency.NORMAL
    if dangers:
        urgency = Urgency.EMERGENCY
    elif any(_affirmed(said, word) for word in tables.urgent):
        urgency = Urgency.URGENT
    return Suggestion(
        nature=best,
        urgency=urgency,
        found=tuple(words.get(best, ())),
        hazards=tuple(dict.fromkeys(code for code, _ in dangers)),
        hazard_words=tuple(dict.fromkeys(word for _, word in dangers)),
        sure=scores[best] >= 2 and scores[best] > scores[next_best],
        norm=tables.norms[best, urgency],
    )


def _found(said: str, words: Sequence[Word]) -> list[Word]:
    """Return the words that are said, the longest first; a shorter one inside a longer is not counted."""
    taken = [False] * len(said)
    found: list[Word] = []
    for word in sorted(words, key=lambda word: -len(word.text)):
        start = said.find(word.text)
        while start >= 0:
            end = start + len(word.text)
            if not any(taken[start:end]):
                taken[start:end] = [True] * len(word.text)
                found.append(word)
                break
            start = said.find(word.text, start + 1)
    return found


def _named(said: str, hazard: Hazard) -> list[str]:
    found = [word for word in hazard.words if _affirmed(said, word)]
    if not found and any(word in said for word in hazard.all_of):
        found = [word for word in hazard.with_any if _affirmed(said, word)]
    return found


def _affirmed(said: str, word: str) -> bool:
    start = said.find(word)
    while start >= 0:
        before = said[max(0, start - 2) : start]
        if not before.endswith(NEGATION):
            return True
        start = said.find(word, start + 1)
    return False
