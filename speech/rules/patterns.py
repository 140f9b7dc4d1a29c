"""Phrases as managers write them, and how they match.

A phrase is words as they are said. ``…`` stands for up to six other characters of the same clause, ``(a|b)``
for one of several words; ``(a|)`` for a word that may be missing. Nothing else has a meaning, so that no
phrase can match without end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

MAX_PHRASE = 200
MAX_GAPS = 3
MAX_GROUPS = 5
MAX_ALTERNATIVES = 40
GAP = 6
CLAUSE_END = "，。！？；,!?;…"

_PART = re.compile(r"…|\(([^()]*)\)|([()|])|[^…()|]+")
_HAN = re.compile("([\u4e00-\u9fff]+)|.", re.DOTALL)
_SOUNDS = (("zh", "z"), ("ch", "c"), ("sh", "s"))


class PhraseInvalid(ValueError):
    """The phrase cannot be used; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a phrase matches; ``heard`` if it only sounds so."""

    start: int
    end: int
    heard: bool = False


def expression(phrase: str) -> str:
    """Return the regular expression of a phrase.

    Raises:
        PhraseInvalid: empty, too long, too many gaps or groups, or brackets that do not match.
    """
    plain = phrase.strip()
    if not plain or len(plain) > MAX_PHRASE:
        raise PhraseInvalid(f"“{plain[:20]}”: a phrase has 1 to {MAX_PHRASE} characters")
    if not plain.isprintable():
        raise PhraseInvalid("a phrase holds a control character: take it out")
    parts: list[str] = []
    gaps = groups = 0
    for found in _PART.finditer(plain):
        piece = found.group()
        if piece == "…":
            gaps += 1
            parts.append(f"[^{CLAUSE_END}]{{0,{GAP}}}?")
        elif found.group(1) is not None:
            groups += 1
            words = found.group(1).split("|")
            if len(words) < 2 or len(words) > MAX_ALTERNATIVES:
                raise PhraseInvalid(f"“{plain}”: brackets hold 2 to {MAX_ALTERNATIVES} words with | between")
            parts.append("(?:" + "|".join(re.escape(word) for word in words) + ")")
        elif found.group(2) is not None:
            raise PhraseInvalid(f"“{plain}”: write alternatives as (a|b); brackets do not nest")
        else:
            # A number is a whole number: 12345 is not found in a telephone number.
            before = r"(?<![0-9])" if piece[0].isdigit() else ""
            after = r"(?![0-9])" if piece[-1].isdigit() else ""
            parts.append(f"{before}{re.escape(piece)}{after}")
    if gaps > MAX_GAPS or groups > MAX_GROUPS:
        raise PhraseInvalid(f"“{plain}”: at most {MAX_GAPS} gaps … and {MAX_GROUPS} groups (a|b)")
    if plain.startswith("…") or plain.endswith("…") or re.fullmatch("".join(parts), ""):
        raise PhraseInvalid(f"“{plain}”: a phrase begins and ends with a word")
    return "".join(parts)


class Phrases:
    """Several phrases, and words that may also be recognised by their sound.

    Raises:
        PhraseInvalid: one of them cannot be used.
    """

    def __init__(self, phrases: Sequence[str], sounds: Sequence[str] = ()) -> None:
        self._pattern = re.compile("|".join(expression(one) for one in phrases)) if phrases else None
        self._sounds = tuple(re.compile(re.escape(_heard_word(one))) for one in sounds)

    def matches(self, text: str, heard: "Heard") -> list[Match]:
        """Return where they match, the words themselves first, without overlaps."""
        found = [Match(m.start(), m.end()) for m in self._pattern.finditer(text)] if self._pattern else []
        for pattern in self._sounds:
            for match in pattern.finditer(heard.sound):
                start, end = heard.place(match.start()), heard.place(match.end() - 1)
                if all(end <= one.start or start >= one.end for one in found):
                    found.append(Match(start, end, heard=True))
        return sorted(found, key=lambda one: one.start)


class Heard:
    """A text as it sounds: syllables without tones, in the loose way of the South. Worked out when needed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sound: str | None = None
        self._starts: dict[int, int] = {}

    @property
    def sound(self) -> str:
        """Syllables between bars: ``|lou|sui|``."""
        if self._sound is None:
            parts, at = ["|"], 1
            self._starts[0] = 0
            for place, syllable in enumerate(_syllables(self._text)):
                parts.append(f"{syllable}|")
                at += len(syllable) + 1
                self._starts[at - 1] = place + 1
            self._sound = "".join(parts)
        return self._sound

    def place(self, bar: int) -> int:
        """Return which character begins after the bar at this place of :attr:`sound`."""
        return self._starts[bar]


def _syllables(text: str) -> list[str]:
    found: list[str] = []
    for run in _HAN.finditer(text):
        if run.group(1):
            found += lazy_pinyin(run.group(1), style=Style.NORMAL)
        else:
            found.append(run.group())
    return [loose(one) for one in found]


def loose(syllable: str) -> str:
    """Return a syllable as it sounds to careless ears: zh like z, ing like in."""
    for strict, loose in _SOUNDS:
        if syllable.startswith(strict):
            syllable = loose + syllable[2:]
    if syllable.endswith(("ing", "eng")):
        syllable = syllable[:-1]
    return syllable.replace("|", " ")


@lru_cache(maxsize=2048)
def _heard_word(word: str) -> str:
    if not 2 <= len(word) <= 12 or not all("\u4e00" <= char <= "\u9fff" for char in word):
        raise PhraseInvalid(f"“{word[:20]}”: what is found by its sound has 2 to 12 Chinese characters")
    return "|" + "".join(f"{one}|" for one in _syllables(word))
