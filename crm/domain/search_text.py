"""Text as the search sees it: one spelling for all, cut into tokens that both databases index alike.

Words and numbers (``[0-9a-z]+``) are found from their beginning. Everything else, Chinese above all, is
found by any piece of two or more characters; a piece that begins with a letter or a digit must begin a word,
so that 3号楼 does not find 13号楼. Pieces with a gap between them are looked for one by one, and all must be
there.

The databases only see tokens: pairs of neighbouring characters, and words. That a piece is really there is
then checked in the stored, normalised text, where :data:`WORD` marks the beginning of each word: what is
found depends on that check alone, so SQLite and PostgreSQL cannot differ.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from crm.domain.pinyin import readings
from crm.domain.simplified import SIMPLIFIED

WORD = "\x1f"
"""Stands before every word in stored text."""
FIELD = "\n"
"""Stands around every field in stored text."""
SPELT = "\x1e"
"""Stands around people's names and their readings: they are found, but are not what the thing is called."""

MAX_WORD = 40
"""Longer words are indexed by their beginning; the check reads all of them."""
SHORT = (2, 3)
"""Beginnings of words of these lengths are tokens themselves: so many words begin so that no index could
gather them in time."""
MAX_EXACT = 40
"""Longer titles cannot be asked for as a whole."""
MAX_TEXT = 20_000
"""Characters of one document that are searched."""
MAX_QUERY = 200
MAX_TERMS = 8
TAIL = 4
"""Digits at the end of a telephone number that are enough to look for it."""

HEAD = "\ue000"
EXACT = "\ue001"
PHONE = "\ue002"
AUDIENCE = "\ue003"
KIND = "\ue004"
PREFIX = "\ue005"
"""First characters of tokens with a meaning of their own; no text has them after :func:`normalise`."""

_ALNUM = re.compile(r"[0-9a-z]+")
_WORDY = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")
_WORD_START = re.compile(r"(?<![0-9a-z])(?=[0-9a-z])")
# The databases' tokenizers cut at ASCII punctuation; here it counts like any other character.
_ENCODED = {code: chr(0xE100 + code) for code in range(128) if not chr(code).isalnum()}


class _Characters(dict[int, str]):
    """Character → what it is searched as, filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _normal(chr(code))
        return found


def _normal(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Co", "Zs", "Zl", "Zp"}:
        return " "
    if category == "Cf":  # invisible: joiners, direction marks
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(
        SIMPLIFIED.get(part, part) for part in folded if not unicodedata.category(part).startswith("M")
    )


_CHARACTERS = _Characters()


def normalise(text: str) -> str:
    """Return the text in one spelling: full-width, case, accents and traditional characters are levelled.

    Character by character, so that a part of a text is normalised as it is within the whole.
    """
    return " ".join(text.translate(_CHARACTERS).split())


def positions(text: str) -> tuple[str, list[int]]:
    """Return the text normalised but for its gaps, and for each of its characters where it came from."""
    pieces: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        piece = _CHARACTERS[ord(character)]
        pieces.append(piece)
        origin += [index] * len(piece)
    return "".join(pieces), origin


def marked(text: str) -> str:
    """Return normalised text with :data:`WORD` before every word."""
    return _WORD_START.sub(WORD, text)


def _encoded(token: str) -> str:
    return token.translate(_ENCODED)


def _tokens(chunk: str) -> Iterator[str]:
    """Yield the tokens of a piece without gaps: words, and every other pair of neighbours."""
    for match in _ALNUM.finditer(chunk):
        word = match[0][:MAX_WORD]
        yield word
        for length in SHORT:
            if len(word) >= length:
                yield PREFIX + word[:length]
    for first, second in pairwise(_encoded(chunk)):
        if first not in _WORDY or second not in _WORDY:
            yield first + second


def tokens_of(stored: str) -> Iterator[str]:
    """Yield the tokens of stored text, which is normalised, marked and in fields."""
    for field in _fields(stored):
        for chunk in field.split(" "):
            yield from _tokens(chunk)


# What is stored


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredText:
    """The searched text of a document.

    Attributes:
        head: title, numbers, names and how names are spelt.
        body: everything else.
        phones: national numbers, each between blanks.
        audience: whose it is, each between blanks.
    """

    kind: str
    head: str
    body: str
    phones: str
    audience: str

    def tokens(self) -> list[str]:
        """Return every token once, in a stable order; those of the head begin with :data:`HEAD`."""
        found = dict.fromkeys([KIND + _encoded(self.kind)])
        for field in _fields(self.head):
            for chunk in field.split(" "):
                found.update(dict.fromkeys(HEAD + token for token in _tokens(chunk)))
        for field in self.head.split(SPELT, 1)[0].split(FIELD):
            if 0 < len(plain := field.replace(WORD, "")) <= MAX_EXACT:
                found[EXACT + _encoded(plain)] = None
        found.update(dict.fromkeys(tokens_of(self.body)))
        for phone in self.phones.split():
            found[PHONE + phone[-TAIL:]] = None
        for one in self.audience.split():
            found[AUDIENCE + _encoded(one)] = None
        return list(found)


def _fields(stored: str) -> Iterator[str]:
    for field in re.split(f"[{FIELD}{SPELT}]", stored):
        if field:
            yield field.replace(WORD, "")


def stored_text(
    *,
    kind: str,
    title: str,
    numbers: Iterable[str],
    names: Iterable[str],
    texts: Iterable[str],
    phones: Iterable[str],
    audience: Iterable[str],
) -> StoredText:
    """Return the searched text of a document; ``phones`` are digits as dialled inside the country."""
    names = tuple(names)
    heads = dict.fromkeys(normalise(text) for text in (title, *numbers))
    head = FIELD + "".join(marked(text) + FIELD for text in heads if text)
    spelt = dict.fromkeys(normalise(name) for name in names)
    spelt |= dict.fromkeys(spelling for name in names for spelling in readings(name))
    if spelt := {text: None for text in spelt if text and text not in heads}:
        head += SPELT + "".join(marked(text) + SPELT for text in spelt)
    left, bodies = MAX_TEXT, []
    for text in texts:
        if left <= 0:
            break
        cut = normalise(text[:left])[:left]
        left -= len(cut)
        if cut:
            bodies.append(marked(cut))
    return StoredText(
        kind=kind,
        head=head,
        body=FIELD.join(bodies),
        phones=_between_blanks(phones),
        audience=_between_blanks(audience),
    )


def _between_blanks(items: Iterable[str]) -> str:
    kept = dict.fromkeys("".join(item.split()) for item in items)
    text = " ".join(item for item in kept if item)
    return f" {text} " if text else ""


# What is asked


@dataclass(frozen=True, slots=True)
class Token:
    """A token that must be there; ``prefix``: one that begins so."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """One piece of a query.

    Attributes:
        text: normalised.
        tail: it may be the end of a telephone number.
    """

    text: str
    tail: bool = False

    @property
    def marked(self) -> str:
        """As it stands in stored text."""
        return marked(self.text)

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens that everything which has this piece has too.

        A single character that begins a word says nothing; the check looks at it.
        """
        exact = [Token(a + b) for a, b in pairwise(_encoded(self.text)) if not _both(a, b)]
        for match in _ALNUM.finditer(self.text):
            ends = match.end() == len(self.text)
            word = match[0][:MAX_WORD]
            if not ends:
                exact.append(Token(word))
            elif len(word) in SHORT:
                exact.append(Token(PREFIX + word))
            elif len(word) > max(SHORT):
                exact.append(Token(word, prefix=len(match[0]) <= MAX_WORD))
        return tuple(dict.fromkeys(exact))


def _both(first: str, second: str) -> bool:
    return first in _WORDY and second in _WORDY


def terms_of(query: str) -> tuple[Term, ...]:
    """Cut a normalised query at its gaps, each piece once; a lone punctuation mark is none."""
    pieces = dict.fromkeys(piece for piece in query.split() if len(piece) > 1 or piece.isalnum())
    return tuple(
        Term(piece, tail=piece.isascii() and piece.isdigit() and len(piece) >= TAIL) for piece in pieces
    )


def exact_token(query: str) -> Token | None:
    """Return the token of a thing that is called just so, ``None`` where that is too long."""
    return Token(EXACT + _encoded(query)) if 0 < len(query) <= MAX_EXACT else None


def audience_token(name: str) -> Token:
    """Return the token of everything that a group may see."""
    return Token(AUDIENCE + _encoded(name))


def kind_token(kind: str) -> Token:
    """Return the token of everything of a kind."""
    return Token(KIND + _encoded(kind))


def marks(text: str, terms: Iterable[Term]) -> tuple[tuple[int, int], ...]:
    """Return where the terms stand in the original text: pairs of start and end, in order, apart."""
    flat, origin = positions(text)
    spans: list[tuple[int, int]] = []
    for term in terms:
        start = flat.find(term.text)
        while start >= 0:
            inside = start > 0 and _both(flat[start - 1], flat[start])
            if not inside:
                spans.append((origin[start], origin[start + len(term.text) - 1] + 1))
            start = flat.find(term.text, start + 1)
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)
