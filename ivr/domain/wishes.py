"""What a caller said, against what the options of a menu are asked for by. Pure.

A recogniser of Mandarin errs by sound (头速 for 投诉), so words are compared by how they sound, without their
tones: each phrase of each option is laid along what was said where it fits best, and what is left over lowers
the confidence. How sure one may be depends on the rest as well: words of two options in one sentence are a
question to the caller, not an answer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

SURE = 0.85
"""At least so sure, and the caller is taken at their word."""

MAYBE = 0.66
"""At least so sure, and the caller is asked whether it is so; less, and nothing was understood."""

UNCLEAR = 0.35
"""A recogniser less sure of its own words than this is never taken at them: the caller is asked."""

MAX_SAID = 200
"""Characters of what was said that are looked at: who tells a story goes to a person."""

LEAST_PHRASE, LONGEST_PHRASE = 2, 20
MAX_PHRASES = 120
"""Most phrases of one option."""

_HINT = 0.92
_BOTH = 0.78
_CLEARLY = 0.15
"""What fits so much worse does not count beside what fits best."""
_NOT = re.compile(r"(?:不是|不要|不想|不用|不需要|没有|没|别|不)(?:我)?(?:想|要|去|再)*$")
_ASKS = re.compile(r"(?:能不能|可不可以|要不要|是不是|可以不可以)$")
_SAYS_NO = re.compile(r"^(?:嗯|哦|啊|[\s，,。])*(?:不是的?|不对|错了|不|没有)(?:啊|呀|了)?[\s，,。！]*")
_YES = ("shi", "dui", "en", "ng", "hao", "xing", "keyi", "meicuo", "queding", "queren", "zhengque", "m")
_NO = ("bushi", "budui", "buyao", "buxing", "buhao", "cuole", "cuo", "meiyou", "fei", "bu")
_LONGEST_ANSWER = 8
_LEAST_ECHO, _ECHO, _LONGEST_PROMPT = 7, 0.85, 500


class PhraseRefused(ValueError):
    """A phrase that nobody can be understood by; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one option is asked for by.

    Attributes:
        says: words that name it: «投诉».
        hints: words that point to it while nothing else is named: «态度太差».
        over: options that do not count beside this one: who asks how a repair is going wants no new one.
    """

    says: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Understood:
    """What was understood.

    Attributes:
        option: the menu's key.
        confidence: 0 to 1.
        phrase: the phrase that fitted best.
    """

    option: str
    confidence: float
    phrase: str

    @property
    def sure(self) -> bool:
        """Whether the caller is taken at their word."""
        return self.confidence >= SURE


@dataclass(frozen=True, slots=True)
class _Phrase:
    option: str
    text: str
    sounds: tuple[str, ...]
    says: bool


@dataclass(frozen=True, slots=True)
class _Fit:
    phrase: _Phrase
    score: float
    first: int
    last: int

    @property
    def weight(self) -> float:
        return self.score * (1.0 if self.phrase.says else _HINT)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The wishes of one menu, by key.

    Raises:
        PhraseRefused: a phrase is too short, too long or not wholly Chinese.
    """

    options: Mapping[str, Wish]
    _phrases: tuple[_Phrase, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = tuple(
            _Phrase(option, text, phrase_sounds(text), says)
            for option, wish in self.options.items()
            for says, texts in ((True, wish.says), (False, wish.hints))
            for text in texts
        )
        object.__setattr__(self, "_phrases", found)

    def understand(self, said: str, confidence: float | None = None) -> Understood | None:
        """Return which option was asked for; ``None`` where nothing was understood.

        Args:
            confidence: how sure the recogniser is of the words; ``None`` if it does not say.
        """
        best: dict[str, list[_Fit]] = {}
        for fit in self._fits(said[: 2 * MAX_SAID]):
            best.setdefault(fit.phrase.option, []).append(fit)
        for option in tuple(best):
            for other in self.options[option].over if option in best and _named(best[option]) else ():
                best.pop(other, None)
        if not best:
            return None
        ranked = sorted(best.items(), key=lambda item: _rank(item[1]), reverse=True)
        option, fits = ranked[0]
        top = max(fits, key=lambda fit: (fit.weight, len(fit.phrase.sounds)))
        sure = top.weight
        for one, more in ranked[1:]:
            if max(fit.weight for fit in more) < top.weight - _CLEARLY:
                continue
            if option in self.options[one].over:
                # Only hinted at, but it would win: that is what the caller is asked about.
                option, top, sure = one, max(more, key=lambda fit: fit.weight), min(sure, _BOTH)
            elif _named(fits) == _named(more):
                sure = min(sure, _BOTH)
        if confidence is not None and confidence < UNCLEAR:
            sure = min(sure, _BOTH)
        return Understood(option, round(sure, 2), top.phrase.text) if sure >= MAYBE else None

    def _fits(self, said: str) -> Iterable[_Fit]:
        """Phrases in the text, but for those denied and those that are part of a longer one's place."""
        text = _han(said)[:MAX_SAID]
        if not text:
            return ()
        heard, clauses = _readings(text), _clauses(said)
        found = []
        for phrase in self._phrases:
            laid = _lay(phrase.sounds, heard)
            if laid is not None and laid[0] * (1.0 if phrase.says else _HINT) >= MAYBE:
                fit = _Fit(phrase, *laid)
                begin = max(start for start in clauses if start <= fit.first)
                if not _denied(text[begin : fit.first]):
                    found.append(fit)
        return [fit for fit in found if not any(_within(fit, other) for other in found)]


def answer(said: str) -> bool | None:
    """Return whether the caller said yes or no; ``None`` for anything else."""
    heard = ["shi" if one == "si" else one for one in sounds(_han(said)[:MAX_SAID])]
    if not heard or len(heard) > _LONGEST_ANSWER:
        return None
    if _has(heard, "meicuo"):
        return True
    if any(_has(heard, no) for no in _NO):
        return False
    return True if any(_has(heard, yes) for yes in _YES) else None


def after_no(said: str) -> str:
    """Return what follows a no: «不是，我要报修»."""
    return _SAYS_NO.sub("", said)


def repeats(said: str, prompt: str) -> bool:
    """Whether what was heard is a good part of a prompt: a telephone that brings our own words back."""
    heard = sounds(_han(said)[:MAX_SAID])
    laid = _lay(heard, _readings(_han(prompt)[:_LONGEST_PROMPT])) if len(heard) >= _LEAST_ECHO else None
    return laid is not None and laid[0] >= _ECHO


def phrase_sounds(text: str) -> tuple[str, ...]:
    """Return how a phrase sounds. Raises PhraseRefused."""
    if not LEAST_PHRASE <= len(text) <= LONGEST_PHRASE:
        raise PhraseRefused(f"“{text[:40]}” has {len(text)} characters: {LEAST_PHRASE} to {LONGEST_PHRASE}")
    if _han(text) != text:
        raise PhraseRefused(
            f"“{text}” is not wholly Chinese: write it as it is spoken, without digits or marks"
        )
    return sounds(text)


@lru_cache(maxsize=4096)
def sounds(text: str) -> tuple[str, ...]:
    """Return the syllables of a Chinese text without their tones."""
    from pypinyin import Style, lazy_pinyin

    return tuple(lazy_pinyin(text, style=Style.NORMAL, v_to_u=False))


@lru_cache(maxsize=1024)
def _readings(text: str) -> tuple[frozenset[str], ...]:
    """Return every way that each character may be read: a recogniser that errs picks the wrong one (金都)."""
    from pypinyin import Style, pinyin

    return tuple(map(frozenset, pinyin(text, style=Style.NORMAL, heteronym=True)))


def _clauses(said: str) -> list[int]:
    """Return where in the Chinese characters of a text something was said anew."""
    found, count = [0], 0
    for one in said:
        if _han(one):
            count += 1
        elif found[-1] != count:
            found.append(count)
    return found


def _han(text: str) -> str:
    return "".join(one for one in text if "㐀" <= one <= "鿿")


def _named(fits: Sequence[_Fit]) -> bool:
    return any(fit.phrase.says and fit.score >= SURE for fit in fits)


def _rank(fits: Sequence[_Fit]) -> tuple[bool, float, int]:
    return _named(fits), max(fit.weight for fit in fits), sum(len(fit.phrase.sounds) for fit in fits)


def _within(fit: _Fit, other: _Fit) -> bool:
    """Whether a phrase is only part of another one that fits as well: 进度 of 投诉进度 is no 投诉."""
    longer = other.last - other.first > fit.last - fit.first
    return longer and other.first <= fit.first and fit.last <= other.last and other.score >= fit.score - 0.1


def _denied(before: str) -> bool:
    before = before[-6:]
    return _NOT.search(before) is not None and _ASKS.search(before) is None


def _has(heard: Sequence[str], word: str) -> bool:
    """Whether syllables in a row make the word."""
    for first in range(len(heard)):
        made = ""
        for syllable in heard[first : first + 3]:
            made += syllable
            if made == word:
                return True
    return False


def _lay(phrase: Sequence[str], heard: Sequence[frozenset[str]]) -> tuple[float, int, int] | None:
    """Lay a phrase along what was heard; return how well it fits, and from where to where.

    One syllable in three may be wrong; one of what was heard may stand between.
    """
    most = len(phrase) * (1 - MAYBE)
    # cost and first place of the cheapest way to have said the phrase so far up to each place
    row: list[tuple[float, int]] = [(0.0, place) for place in range(len(heard) + 1)]
    for wanted in phrase:
        following = [(row[0][0] + 1.0, row[0][1])]
        for place, syllables in enumerate(heard):
            put = (row[place][0] + min(unlike(wanted, one) for one in syllables), row[place][1])
            left_out = (row[place + 1][0] + 1.0, row[place + 1][1])
            between = (following[place][0] + 0.6, following[place][1])
            following.append(min(put, left_out, between))
        row = following
        if min(cost for cost, _ in row) > most:
            return None
    cost, first, last = min((cost, first, place) for place, (cost, first) in enumerate(row))
    return (1.0 - cost / len(phrase), first, last) if cost <= most and last > first else None


_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_SAME = ({"zh", "z"}, {"ch", "c"}, {"sh", "s"}, {"n", "l"})
"""Beginnings that many people do not tell apart."""
_NEAR = ({"f", "h"}, {"j", "q"}, {"z", "c"}, {"b", "p"}, {"d", "t"}, {"g", "k"}, {"zh", "ch"}, {"zh", "j"})
_NEAR_TOO = ({"ch", "q"}, {"sh", "x"}, {"l", "r"}, {"s", "x"})


_NEAR_ENDS = ({"ao", "ou"}, {"uo", "ou"}, {"ou", "u"}, {"uo", "o"}, {"e", "uo"}, {"i", "ei"}, {"un", "en"})


@lru_cache(maxsize=65536)
def unlike(one: str, other: str) -> float:
    """Return how much two syllables differ: 0 the same, 0.1 what many do not tell apart, 1 quite another."""
    if one == other:
        return 0.0
    (first, rest), (second, end) = _parts(one), _parts(other)
    same_begin = first == second
    same_end = rest == end
    like_begin = same_begin or {first, second} in _SAME
    like_end = same_end or rest.removesuffix("g") == end.removesuffix("g")
    if like_begin and like_end:
        return 0.1
    if same_end and {first, second} in (*_NEAR, *_NEAR_TOO):
        return 0.4
    if like_begin and first and ({rest, end} in _NEAR_ENDS or rest[-1:] == end[-1:]):
        return 0.5
    return 0.7 if same_end and rest else 1.1


def _parts(syllable: str) -> tuple[str, str]:
    for initial in _INITIALS:
        if syllable.startswith(initial):
            return initial, syllable[len(initial) :]
    return "", syllable
