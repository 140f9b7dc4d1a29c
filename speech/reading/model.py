"""A text as people read it, tied piece by piece to what the recogniser wrote."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text and the piece of the raw text that it stands for; either may be empty.

    Attributes:
        even: each character stands for one; otherwise the whole for the whole.
    """

    raw_start: int
    raw_end: int
    start: int
    end: int
    even: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A text fit to read.

    Attributes:
        text: simplified characters, without blanks between them, numbers as a reader expects them.
        spans: in order; they tile both the raw text and ``text`` without a gap or an overlap.
        raw: what the recogniser wrote, as it was given.
    """

    text: str
    spans: tuple[Span, ...]
    raw: str

    def raw_range(self, start: int, end: int) -> tuple[int, int]:
        """Return which part of the raw text a part of the text stands for.

        A number is never taken apart: any part of it stands for all that was said of it. Positions outside
        are moved to the nearest one inside; an empty part stands for an empty one.
        """
        start, end = _clipped(start, end, len(self.text))
        if start == end:
            return self._raw_at(start), self._raw_at(start)
        first = self._spans_at(start)
        last = self._spans_at(end - 1)
        left = first.raw_start + (start - first.start) if first.even else first.raw_start
        right = last.raw_start + (end - last.start) if last.even else last.raw_end
        return left, right

    def text_range(self, raw_start: int, raw_end: int) -> tuple[int, int]:
        """Return which part of the text stands for a part of the raw text; it may be an empty one."""
        raw_start, raw_end = _clipped(raw_start, raw_end, len(self.raw))
        touched = [one for one in self.spans if one.raw_start < raw_end and one.raw_end > raw_start]
        if not touched:
            return 0, 0
        first, last = touched[0], touched[-1]
        left = first.start + max(0, raw_start - first.raw_start) if first.even else first.start
        right = last.start + min(last.end - last.start, raw_end - last.raw_start) if last.even else last.end
        return left, right

    def _spans_at(self, position: int) -> Span:
        """Return the span that holds the character at ``position``."""
        index = bisect_right(self.spans, position, key=lambda one: one.start) - 1
        while self.spans[index].end <= position:  # an empty one that begins here as well
            index += 1
        return self.spans[index]

    def _raw_at(self, position: int) -> int:
        if position >= len(self.text):
            return len(self.raw)
        found = self._spans_at(position)
        return found.raw_start + (position - found.start if found.even else 0)


def _clipped(start: int, end: int, length: int) -> tuple[int, int]:
    start = min(max(start, 0), length)
    return start, min(max(end, start), length)


@dataclass(frozen=True, slots=True)
class Cell:
    """One step of the way from the raw text to the text: what one piece of the raw text has become."""

    text: str
    raw_start: int
    raw_end: int


@dataclass(frozen=True, slots=True)
class Change:
    """Characters ``start`` to ``end`` of the text become ``new``."""

    start: int
    end: int
    new: str


def changed(cells: list[Cell], changes: Iterable[Change]) -> list[Cell]:
    """Return the cells after changes that are in order and do not overlap.

    A change that begins or ends inside a cell takes the whole of it; the text around stays in the cell.
    """
    return list(_changed(cells, changes))


def _changed(cells: list[Cell], changes: Iterable[Change]) -> Iterator[Cell]:
    at, index = 0, 0  # position in the text, cell that begins there
    for change in changes:
        while index < len(cells) and at + len(cells[index].text) <= change.start:
            at += len(cells[index].text)
            yield cells[index]
            index += 1
        taken: list[Cell] = []
        begin = at
        while index < len(cells) and at < change.end:
            at += len(cells[index].text)
            taken.append(cells[index])
            index += 1
        if taken:
            whole = "".join(one.text for one in taken)
            text = whole[: change.start - begin] + change.new + whole[change.end - begin :]
            yield Cell(text, taken[0].raw_start, taken[-1].raw_end)
    yield from cells[index:]


def finish(cells: Iterable[Cell], raw: str) -> Reading:
    """Return the reading that the cells amount to; neighbours of one character each are put together."""
    spans: list[Span] = []
    text: list[str] = []
    at = 0
    for cell in cells:
        end = at + len(cell.text)
        last = spans[-1] if spans else None
        single = cell.raw_end - cell.raw_start == len(cell.text) == 1
        if last is not None and single and last.even:
            spans[-1] = Span(last.raw_start, cell.raw_end, last.start, end, even=True)
        else:
            spans.append(Span(cell.raw_start, cell.raw_end, at, end, even=single))
        text.append(cell.text)
        at = end
    return Reading("".join(text), tuple(spans), raw)
