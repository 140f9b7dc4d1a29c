"""The tones of a telephone network before anybody answers, told by pitch and rhythm. Pure.

In China one tone of 450 Hz says it all by its rhythm (GF 002-9002; 425 Hz elsewhere): busy 0.35 s on and
off, congestion 0.7 s on and off, ringing 1 s on and 4 s off. Three rising tones of 950, 1400 and 1800 Hz
stand before an announcement (ITU-T E.180). Pitch is told by how often the sign changes: cheap, and right for
the one clean tone that a network sends.
"""

from array import array
from collections import deque
from enum import StrEnum

from speech.ports import SAMPLE_BYTES, SAMPLE_RATE

FRAME_SECONDS = 0.02
_FRAME = int(SAMPLE_RATE * FRAME_SECONDS) * SAMPLE_BYTES
_SIGNS = bytes(byte >> 7 for byte in range(256))
_RISES = b"\x01\x00"
LOUD = 300
"""A mean of a sample below is silence."""


class Tone(StrEnum):
    """What a tone says."""

    BUSY = "busy"
    CONGESTION = "congestion"
    RINGING = "ringing"
    ANNOUNCEMENT = "announcement"
    """Words of the network follow."""


class _Sound(StrEnum):
    QUIET = "quiet"
    CALL = "call"
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    OTHER = "other"


_PITCHES = (
    (_Sound.CALL, 400, 500),
    (_Sound.FIRST, 890, 1010),
    (_Sound.SECOND, 1330, 1470),
    (_Sound.THIRD, 1720, 1870),
)
_BUSY, _CONGESTED, _RING, _PART = (0.26, 0.44), (0.58, 0.82), (0.8, 1.3), (0.2, 0.45)
_BUSY_TIMES, _CONGESTED_TIMES = 4, 3


class ToneReader:
    """Reads the tones of one call. Feed it sound of any length."""

    def __init__(self) -> None:
        self._rest = b""
        self._now: tuple[_Sound, int] = (_Sound.QUIET, 0)
        self._next: tuple[_Sound, int] = (_Sound.QUIET, 0)
        self._past: deque[tuple[_Sound, float]] = deque(maxlen=2 * _BUSY_TIMES)

    def feed(self, pcm: bytes) -> Tone | None:
        """Take sound; return the tone that it completes."""
        found = None
        data = self._rest + pcm
        for at in range(0, len(data) - _FRAME + 1, _FRAME):
            found = self._take(_sound(data[at : at + _FRAME])) or found
        self._rest = data[len(data) // _FRAME * _FRAME :]
        return found

    def _take(self, sound: _Sound) -> Tone | None:
        kind, length = self._now
        if sound is kind:
            self._now = (kind, length + 1 + self._next[1])
            self._next = (sound, 0)
            # A long silence need not end to be the pause of a ringing telephone.
            pause = length + 1 if kind is _Sound.QUIET else 0
            ringing = pause == round(1.5 / FRAME_SECONDS) and self._ended(_Sound.CALL, _RING)
            return Tone.RINGING if ringing else None
        # One frame at the edge is half of each; two in a row are something else.
        other, count = self._next
        self._next = (sound, count + 1 if sound is other else 1)
        if self._next[1] < 2:
            return None
        self._past.append((kind, (length + 1) * FRAME_SECONDS))
        self._now, self._next = (sound, 2), (sound, 0)
        return self._known()

    def _ended(self, kind: _Sound, within: tuple[float, float]) -> bool:
        return bool(self._past) and self._past[-1][0] is kind and within[0] <= self._past[-1][1] <= within[1]

    def _known(self) -> Tone | None:
        if self._rhythm(_BUSY, _BUSY_TIMES):
            return Tone.BUSY
        if self._rhythm(_CONGESTED, _CONGESTED_TIMES):
            return Tone.CONGESTION
        last = [(kind, length) for kind, length in self._past if kind is not _Sound.QUIET][-3:]
        rising = [kind for kind, _ in last] == [_Sound.FIRST, _Sound.SECOND, _Sound.THIRD]
        if rising and all(_PART[0] <= length <= _PART[1] for _, length in last):
            self._past.clear()
            return Tone.ANNOUNCEMENT
        return None

    def _rhythm(self, within: tuple[float, float], times: int) -> bool:
        """Whether the tone and silence took turns so often, each for so long; it ends with silence."""
        last = list(self._past)[-(2 * times - 1) :]
        wanted = [_Sound.CALL, _Sound.QUIET] * times
        return [kind for kind, _ in last] == wanted[: 2 * times - 1] and all(
            within[0] <= length <= within[1] for _, length in last
        )


def _sound(frame: bytes) -> _Sound:
    if loudness(frame) < LOUD:
        return _Sound.QUIET
    signs = frame[1::2].translate(_SIGNS)
    pitch = signs.count(_RISES) / FRAME_SECONDS
    for kind, least, most in _PITCHES:
        if least <= pitch <= most:
            return kind
    return _Sound.OTHER


def loudness(pcm: bytes) -> float:
    """Return the mean of a sample, whichever its sign."""
    samples = array("h", pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES])
    return sum(map(abs, samples)) / len(samples) if samples else 0.0
