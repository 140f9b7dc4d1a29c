"""What of a recording is still to be listened to. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speech.recorded import Track
from speech.transcripts import Segment

MARGIN = 0.2
"""Seconds around a gap: it may begin in the middle of a word."""

LEAST = 0.3
"""Shorter stretches hold no word."""

NEAR = 1.0
"""Gaps closer to each other are listened to as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Part of a track, in seconds since the call began."""

    track: Track
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def to_hear(track: Track, segments: Iterable[Segment], model: str) -> tuple[Stretch, ...]:
    """Return what of a track is to be listened to with ``model``, in the order of time.

    All of it where nobody listened or a lesser model did; else what is marked as missing.
    """
    here = [one for one in segments if one.speaker == track.speaker and _touches(one, track)]
    said = [one for one in here if one.gap is None]
    if not here or any(one.model != model for one in said):
        return _kept([Stretch(track=track, start=track.began, end=track.end)])
    missing = sorted((one.start - MARGIN, one.end + MARGIN) for one in here if one.gap is not None)
    joined: list[tuple[float, float]] = []
    for start, end in missing:
        if joined and start - joined[-1][1] < NEAR:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return _kept([Stretch(track=track, start=max(a, track.began), end=min(b, track.end)) for a, b in joined])


def replaced_by(stretch: Stretch, segments: Iterable[Segment], *, model: str) -> tuple[str, ...]:
    """Return the segments that a new text of a stretch takes the place of.

    What a person corrected stays, whatever a recogniser makes of it now.
    """
    return tuple(
        one.segment_id
        for one in segments
        if one.speaker == stretch.track.speaker
        and one.corrected is None
        and (one.gap is not None or one.model != model or one.source == "after")
        and stretch.start <= (one.start + one.end) / 2 <= stretch.end
    )


def without(said: Sequence[Segment], segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return what is new: not what lies in the middle of a segment that stays."""
    stays = tuple(segments)
    return tuple(
        one
        for one in said
        if not any(
            old.speaker == one.speaker
            and old.gap is None
            and old.start <= (one.start + one.end) / 2 <= old.end
            for old in stays
        )
    )


def _touches(one: Segment, track: Track) -> bool:
    return one.end >= track.began and one.start <= track.end


def _kept(found: Sequence[Stretch]) -> tuple[Stretch, ...]:
    return tuple(one for one in found if one.seconds >= LEAST)
