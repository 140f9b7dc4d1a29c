"""The company's own words put where the recogniser wrote others that sound the same. Pure.

A recogniser of Mandarin errs by sound: it writes 公地 for 工地, 张公长 for 张工长. Of words that sound the
same, the one that the company uses is the likelier. Character for character, so that times stay; what the
recogniser was sure of stays, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from speech.ports import Word
from speech.wire import Said

LEAST = 2
SURE = 0.93
"""So sure of a character, on average, and it stays."""

UNSURE = 0.6
"""Below, two characters need not have the same tones."""

FUZZY_FROM = 4
"""Words of so many characters may also differ in what many people do not tell apart."""

_SAME = str.maketrans("", "", "12345")


@dataclass(frozen=True, slots=True)
class _Phrase:
    text: str
    tones: tuple[str, ...]
    plain: tuple[str, ...]


class Homophones:
    """Puts phrases into what was heard.

    Args:
        phrases: those that are not wholly Chinese, or of one character, are left out.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._known = {phrase for phrase in phrases if len(phrase) >= LEAST and all(map(_is_han, phrase))}
        self._by_first: dict[str, list[_Phrase]] = {}
        for text in sorted(self._known, key=lambda one: (-len(one), one)):
            tones = _spoken(text)
            plain = tuple(map(_plain, tones))
            self._by_first.setdefault(_fuzzy(plain[0]), []).append(_Phrase(text, tones, plain))

    def put(self, said: Said) -> Said:
        """Return what was said with the phrases in it."""
        if not self._by_first:
            return said
        places = [index for index, character in enumerate(said.text) if _is_han(character)]
        spoken = "".join(said.text[place] for place in places)
        sure = _confidences(said.words, spoken)
        changed = list(spoken)
        here = 0
        while here < len(spoken):
            phrase = self._phrase_at(spoken, here, sure, places, said.text)
            if phrase is None:
                here += 1
            else:
                changed[here : here + len(phrase)] = phrase
                here += len(phrase)
        if "".join(changed) == spoken:
            return said
        text = list(said.text)
        for place, character in zip(places, changed, strict=True):
            text[place] = character
        return replace(said, text="".join(text), words=_rewritten(said.words, spoken, changed))

    def _phrase_at(
        self, spoken: str, here: int, sure: Sequence[float], places: Sequence[int], text: str
    ) -> str | None:
        firsts = {_fuzzy(_plain(one)) for one in _readings(spoken[here])}
        for first in sorted(firsts):
            for phrase in self._by_first.get(first, ()):
                end = here + len(phrase.text)
                if (
                    end > len(spoken)
                    or text[places[here] : places[end - 1] + 1].translate(_BLANKS) != spoken[here:end]
                ):
                    continue
                written = spoken[here:end]
                if written == phrase.text:
                    return phrase.text
                if written in self._known:
                    continue
                certain = sum(sure[here:end]) / len(phrase.text)
                if certain < SURE and _sounds(written, phrase, certain):
                    return phrase.text
        return None


_BLANKS = str.maketrans("", "", " \u3000")


def _sounds(written: str, phrase: _Phrase, certain: float) -> bool:
    readings = [_readings(character) for character in written]
    if len(written) >= FUZZY_FROM:
        wanted = map(_fuzzy, phrase.plain)
        return all(
            one in {_fuzzy(_plain(r)) for r in known} for one, known in zip(wanted, readings, strict=True)
        )
    if len(written) > LEAST or certain < UNSURE:
        return all(
            one in {_plain(r) for r in known} for one, known in zip(phrase.plain, readings, strict=True)
        )
    return all(one in known for one, known in zip(phrase.tones, readings, strict=True))


def _confidences(words: Sequence[Word], spoken: str) -> list[float]:
    """Return how sure it was of each Chinese character; not at all where it did not say."""
    found = [word.confidence or 0.0 for word in words for character in word.text if _is_han(character)]
    return found if len(found) == len(spoken) else [0.0] * len(spoken)


def _rewritten(words: tuple[Word, ...], spoken: str, changed: Sequence[str]) -> tuple[Word, ...]:
    if sum(1 for word in words for character in word.text if _is_han(character)) != len(spoken):
        return words
    rest = iter(changed)
    return tuple(
        replace(word, text="".join(next(rest) if _is_han(one) else one for one in word.text))
        for word in words
    )


def _is_han(character: str) -> bool:
    return "㐀" <= character <= "鿿"


def _plain(syllable: str) -> str:
    return syllable.translate(_SAME)


def _fuzzy(syllable: str) -> str:
    """Return the syllable without what many people do not tell apart: zh and z, -ng and -n."""
    for long, short in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(long):
            syllable = short + syllable[2:]
    return syllable[:-1] if syllable.endswith("ng") else syllable


@lru_cache(maxsize=8192)
def fuzzy_syllable(character: str) -> str:
    """Return how a character is usually read, without its tone and what many people do not tell apart."""
    from pypinyin import Style, lazy_pinyin

    return _fuzzy(_plain(lazy_pinyin(character, style=Style.TONE3, neutral_tone_with_five=True)[0]))


@lru_cache(maxsize=8192)
def _readings(character: str) -> frozenset[str]:
    from pypinyin import Style, pinyin

    return frozenset(pinyin(character, style=Style.TONE3, heteronym=True, neutral_tone_with_five=True)[0])


def _spoken(phrase: str) -> tuple[str, ...]:
    from pypinyin import Style, lazy_pinyin

    return tuple(lazy_pinyin(phrase, style=Style.TONE3, neutral_tone_with_five=True))
