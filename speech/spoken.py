"""A segment's text in pieces that know when they were said, for a reader who wants to hear them."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from speech.reading import read
from speech.tables import SegmentRow
from speech.transcripts import Segment, to_segment


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """A word or a few; ``at`` in seconds since the call began."""

    text: str
    at: float


def spoken_pieces(segment: Segment) -> tuple[SpokenPiece, ...]:
    """Return what a reader sees of a segment, in pieces; together they are its whole text.

    What a person wrote gets the times of what the recogniser had there.
    """
    shown = segment.shown
    if not shown:
        return ()
    times = _times(segment)
    if segment.corrected is not None:
        times = _moved(segment.text, times, shown)
    if len(times) != len(shown):
        return (SpokenPiece(shown, segment.start),)
    pieces: list[SpokenPiece] = []
    begun = 0
    for index in range(1, len(shown) + 1):
        if index == len(shown) or times[index] != times[begun]:
            pieces.append(SpokenPiece(shown[begun:index], times[begun]))
            begun = index
    return tuple(pieces)


def _times(segment: Segment) -> list[float]:
    """Return the moment of each character of the text that was made fit to read; empty if unknown."""
    reading = read(segment.raw)
    if not segment.words or reading.text != segment.text:
        return []
    at_raw = [segment.start] * (len(segment.raw) + 1)
    position, known = 0, segment.start
    for word in segment.words:
        found = segment.raw.find(word["text"], position)
        if found < 0:
            continue
        at_raw[position:found] = [known] * (found - position)
        known = float(word["start"])
        position = found + len(word["text"])
        at_raw[found:position] = [known] * len(word["text"])
    at_raw[position:] = [known] * (len(at_raw) - position)
    return [at_raw[reading.raw_range(index, index + 1)[0]] for index in range(len(segment.text))]


def _moved(before: str, times: list[float], after: str) -> list[float]:
    """Return the moments of another text's characters: where both agree, the same ones."""
    if len(times) != len(before) or not times:
        return []
    moved: list[float] = []
    for _, start, end, begin, stop in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for index in range(stop - begin):
            source = min(start + index, max(start, end - 1), len(times) - 1)
            moved.append(times[source])
    return moved


async def moments(session: AsyncSession, wanted: Mapping[str, int]) -> dict[str, float]:
    """Return when a character of a sentence was said, in seconds since the call began.

    Args:
        wanted: the sentence's id → which character.
    """
    found = {}
    for row in await session.scalars(select(SegmentRow).where(SegmentRow.segment_id.in_(wanted))):
        place, at = 0, row.started_ms / 1000
        for piece in spoken_pieces(to_segment(row)):
            if place > wanted[row.segment_id]:
                break
            place, at = place + len(piece.text), piece.at
        found[row.segment_id] = at
    return found
