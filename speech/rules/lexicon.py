"""Words of the trade in a text where the recogniser wrote others that sound the same.

A telephone's sound and a small model make 公长 of 工长. What sounds like a word of the trade, and is no word
of its own, is taken for it: in the text that rules look at, never in what people read. Each character stands
for one, so that places in both texts are the same. Two characters must have the tones as well: too many pairs
sound alike without them.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

from pypinyin import Style, pinyin
from pypinyin.constants import PHRASES_DICT

from speech.rules.patterns import loose

_HAN = re.compile("([\u4e00-\u9fff]+)|.", re.DOTALL)
SHORTEST, LONGEST = 2, 6
STRICT = 2
"""Characters of a word that must have the tones too."""
MOST_READINGS = 4
"""Readings of a character that are looked at."""
MOST_COMBINED = 64


class Lexicon:
    """Words by their sound.

    Args:
        words: 2 to 6 Chinese characters each; others are left out.
    """

    def __init__(self, words: Iterable[str]) -> None:
        fit = sorted({word for word in words if SHORTEST <= len(word) <= LONGEST and _is_han(word)})
        self._words = frozenset(fit)
        self._by_sound: dict[tuple[str, ...], str] = {}
        for word in fit:
            style = Style.TONE3 if len(word) == STRICT else Style.NORMAL
            usual = pinyin(word, style=style)
            sound = tuple(one[0] if len(word) == STRICT else loose(one[0]) for one in usual)
            self._by_sound.setdefault(sound, word)
        self._lengths = sorted({len(word) for word in fit}, reverse=True)

    def corrected(self, text: str) -> str:
        """Return the text with words of the trade in the place of what only sounds like them."""
        if not self._words:
            return text
        sounds = {True: _as_read(text), False: [_loosely(char) for char in text]}
        parts: list[str] = []
        at = 0
        while at < len(text):
            found = self._at(text, sounds, at)
            parts.append(found or text[at])
            at += len(found) if found else 1
        return "".join(parts)

    def _at(self, text: str, sounds: dict[bool, list[tuple[str, ...]]], at: int) -> str:
        for length in self._lengths:
            if at + length > len(text):
                continue
            own = text[at : at + length]
            if own in self._words:
                return own
            if own in PHRASES_DICT:
                continue  # a word of its own
            heard = sounds[length == STRICT][at : at + length]
            for combined, sound in enumerate(product(*heard)):
                if combined == MOST_COMBINED:
                    break
                if sound in self._by_sound:
                    return self._by_sound[sound]
        return ""


def _is_han(word: str) -> bool:
    return all("\u4e00" <= char <= "\u9fff" for char in word)


def _as_read(text: str) -> list[tuple[str, ...]]:
    """Return how each character sounds where it stands, with its tone; one without a sound is itself."""
    found: list[tuple[str, ...]] = []
    for run in _HAN.finditer(text):
        if run.group(1):
            found += [(one[0],) for one in pinyin(run.group(1), style=Style.TONE3)]
        else:
            found.append((run.group(),))
    return found


@lru_cache(maxsize=10_000)
def _loosely(char: str) -> tuple[str, ...]:
    """Return the ways in which a character may sound, loosely."""
    if not _is_han(char):
        return (char,)
    given = pinyin(char, style=Style.NORMAL, heteronym=True)[0][:MOST_READINGS]
    return tuple(dict.fromkeys(loose(one) for one in given))
