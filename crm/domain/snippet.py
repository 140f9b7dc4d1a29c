"""The piece of a found text that shows why it was found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crm.domain.search_text import Term, marks

BEFORE = 24
LENGTH = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """Text with hits; ``marks`` are pairs of start and end in it, in order and apart."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The text cut at the hits: pairs of a piece and whether it is one."""
        found, at = [], 0
        for start, end in self.marks:
            found += [(self.text[at:start], False), (self.text[start:end], True)]
            at = end
        found.append((self.text[at:], False))
        return tuple(piece for piece in found if piece[0])


def shown(text: str, terms: Sequence[Term]) -> Shown:
    """Return a whole text with its hits."""
    return Shown(text, marks(text, terms))


def snippet(texts: Iterable[str], terms: Sequence[Term]) -> Shown:
    """Return the first hit with what stands around it; without one the beginning of the first text."""
    first = ""
    for text in texts:
        first = first or text
        hits = marks(text, terms)
        if hits:
            return _around(text, hits)
    return _around(first, ())


def around(found: Shown) -> Shown:
    """Return the first hit of a text with what stands around it."""
    return _around(found.text, found.marks)


def _around(text: str, hits: tuple[tuple[int, int], ...]) -> Shown:
    start = max(0, hits[0][0] - BEFORE) if hits else 0
    end = min(len(text), start + LENGTH)
    lead = "…" if start else ""
    shift = len(lead) - start
    kept = tuple((a + shift, min(b, end) + shift) for a, b in hits if a < end)
    return Shown(lead + text[start:end] + ("…" if end < len(text) else ""), kept)
