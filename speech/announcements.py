"""What the network's own voice says before anybody answers, read from what a recogniser wrote. Pure.

An announcement names the number that was called, and then what is the matter with it: «您拨打的用户 …
已关机», "the subscriber you dialed … is powered off". Both must be there, in this order and close to each
other: music, advertisements and what people say have words of it at most. Mandarin is compared by its sound,
without tones and without what recognisers and many people do not tell apart, since a recogniser of telephone
Mandarin errs by sound: 您不打低电话一关机 is 您拨打的电话已关机.

A number that is taken for dead is not called any more, so that takes more than the rest: every syllable as it
should be, or the same thing heard twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from speech.homophones import fuzzy_syllable


class Meaning(StrEnum):
    """What is the matter with a number."""

    EMPTY = "empty"
    SUSPENDED = "suspended"
    OFF = "off"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CONGESTION = "congestion"


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement that was understood.

    Attributes:
        sure: 0 to 1.
    """

    meaning: Meaning
    sure: float


DEAD = frozenset({Meaning.EMPTY, Meaning.SUSPENDED})
"""What keeps a number from being called again."""

_ALIKE = (
    DEAD,
    frozenset({Meaning.OFF, Meaning.UNREACHABLE}),
    *(frozenset({one}) for one in (Meaning.BUSY, Meaning.NO_ANSWER, Meaning.CONGESTION)),
)
"""Meanings that come to the same; two of different sorts in one announcement leave it unclear."""

PLAIN, NEAR = 0.85, 0.7
"""How sure a sentence makes that has every syllable, and one with a syllable beside it."""
AGAIN = 0.1
"""More for the same thing said again, or in the other language."""
MUMBLED = 0.15
"""Less where the recogniser itself was not sure."""
DOUBTFUL = 0.45
MOST = 0.98
NEEDED, NEEDED_DEAD = 0.65, 0.8

# Syllables as fuzzy_syllable has them: zh, ch, sh are z, c, s; -ng is -n.
_VERB = "(?:da|dai|jiao|bo|po)"
_NOUN = "(?:hao ma|[dj]ian hua(?: hao ma)?|(?:yon|you) [hf]u|sou ji(?: hao ma)?)"
_CALLED = (
    rf"(?:(?:nin|ni|lin|yin) (?:\w+ ){{0,3}}?{_VERB} (?:\w+ )?{_NOUN} "
    rf"|{_VERB} (?:de|di|ji|yi|te) {_NOUN} "
    r"|dui fan )"
)
_BETWEEN = r"(?:(?!qin |bu |bie |wo |wei )\w+ ){0,4}?"
"""What may stand between: 已, 已经, 暂时, 因欠费. What is asked for or denied there is no announcement."""

_MANDARIN: tuple[tuple[Meaning, float, str], ...] = (
    (Meaning.EMPTY, PLAIN, rf"{_CALLED}{_BETWEEN}(?:kon hao|bu cun zai) "),
    (Meaning.EMPTY, NEAR, r"mei you (?:ze|na) (?:ge )?(?:dian hua )?hao ma "),
    (Meaning.SUSPENDED, PLAIN, rf"{_CALLED}{_BETWEEN}(?:tin ji|zan tin fu wu) "),
    (Meaning.SUSPENDED, NEAR, rf"{_CALLED}{_BETWEEN}tin (?:xi|qi) "),
    (Meaning.OFF, PLAIN, rf"{_CALLED}{_BETWEEN}guan ji "),
    (Meaning.OFF, NEAR, rf"{_CALLED}{_BETWEEN}guan (?:xi|qi) "),
    (
        Meaning.UNREACHABLE,
        PLAIN,
        rf"{_CALLED}{_BETWEEN}(?:(?:wu|yu) fa|bu nen|bu ke) jie ton |{_CALLED}{_BETWEEN}b[ua] zai fu wu qu ",
    ),
    (Meaning.BUSY, PLAIN, rf"{_CALLED}{_BETWEEN}zen (?:zai ton hua|man) "),
    (
        Meaning.NO_ANSWER,
        PLAIN,
        rf"{_CALLED}{_BETWEEN}(?:wu ren|(?:wu|yu) fa|bu nen|bu fan bian) (?:jie|xie) tin "
        rf"|{_CALLED}{_BETWEEN}(?:mei you|wu ren|wu) yin da ",
    ),
    (Meaning.CONGESTION, PLAIN, r"(?:wan luo|xian lu)(?: zen| fan)? man "),
)

_YOURS = (
    r"(?:number|subscriber|phone|telephone|mobile|user|line|customer)s? "
    r"(?:that |which )?you (?:have |are |ve |re )?(?:just )?(?:\w+ )"
)
_ENGLISH: tuple[tuple[Meaning, float, str], ...] = (
    (Meaning.EMPTY, PLAIN, rf"{_YOURS}(?:does not|doesn t|do not|don t|not|did not) exist"),
    (
        Meaning.SUSPENDED,
        PLAIN,
        rf"(?:service of the )?{_YOURS}(?:is|has|was)(?: been)?(?: temporarily)? "
        r"(?:out of service(?! area)|not in service(?! area)|suspended)",
    ),
    (Meaning.OFF, PLAIN, rf"{_YOURS}(?:is|has|was)(?: been)? (?:power|powered|switched|turned) ?off"),
    (
        Meaning.UNREACHABLE,
        PLAIN,
        rf"{_YOURS}(?:can ?not|could not|can t) be (?:connected|reached)"
        rf"|{_YOURS}(?:is|was)(?: temporarily| currently)? "
        r"(?:not reachable|unreachable|not available|unavailable)"
        rf"|{_YOURS}is (?:not in|out of|outside)(?: of)?(?: the)? service area",
    ),
    (Meaning.BUSY, PLAIN, rf"{_YOURS}is (?:now |currently )?(?:busy|engaged)"),
    (
        Meaning.NO_ANSWER,
        PLAIN,
        rf"{_YOURS}(?:is not|does not|doesn t|did not|has not) answer|no answer from the {_YOURS}",
    ),
    (Meaning.CONGESTION, PLAIN, r"network is (?:now |currently )?(?:busy|congested)"),
)
_SAID: tuple[tuple[Meaning, float, re.Pattern[str]], ...] = tuple(
    (meaning, sure, re.compile(pattern))
    for rules in (_MANDARIN, _ENGLISH)
    for meaning, sure, pattern in rules
)
_WORD = re.compile(r"[a-z]+|\d|[㐀-鿿]")
MAX_TEXT = 600


def understand(pieces: Sequence[tuple[str, float | None]], *, announced: bool = False) -> Announced | None:
    """Return what an announcement means; ``None`` where that is not clear, or it is none.

    Args:
        pieces: what was heard so far, in order: the text, and how sure the recogniser was of it.
        announced: the tones that stand before an announcement were heard.
    """
    text = spelled("，".join(piece for piece, _ in pieces)[-MAX_TEXT:])
    found: dict[Meaning, list[float]] = {}
    for meaning, sure, pattern in _SAID:
        for _ in pattern.finditer(text):
            found.setdefault(meaning, []).append(sure)
    if not found:
        return None
    sorts = {index for index, sort in enumerate(_ALIKE) if sort & found.keys()}
    if len(sorts) > 1:
        return None
    meaning = max(found, key=lambda one: (max(found[one]), one is Meaning.EMPTY))
    times = sum(len(each) for each in found.values()) + announced
    sure = max(found[meaning]) + AGAIN * min(2, times - 1)
    known = [confidence for _, confidence in pieces if confidence is not None]
    if known and max(known) < DOUBTFUL:
        sure -= MUMBLED
    sure = round(min(MOST, sure), 2)
    return Announced(meaning, sure) if sure >= (NEEDED_DEAD if meaning in DEAD else NEEDED) else None


def spelled(text: str) -> str:
    """Return a text as words and syllables, each followed by a blank."""
    found = []
    for match in _WORD.finditer(text.lower()):
        word = match[0]
        found.append(fuzzy_syllable(word) if "㐀" <= word <= "鿿" else word)
    return "".join(f"{word} " for word in found)
