"""Both speakers of a recording side by side: as one stereo file that is never written, and as a picture."""

import struct
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np

from speech.ports import SAMPLE_BYTES, SAMPLE_RATE
from speech.recorded import frames_of, open_sound

HEAD = 44
"""Bytes before the sound."""
CHANNELS = 2
_FRAME = CHANNELS * SAMPLE_BYTES
_FULL = 32768


class Stereo:
    """A WAV file of two channels, made of two mono recordings while it is read.

    Where one is shorter than the other it is silent.

    Raises:
        AudioInvalid: a file is no recording of ours.
        OSError: it cannot be read.
    """

    def __init__(self, left: Path, right: Path) -> None:
        self._sides = (left, right)
        self._frames = tuple(frames_of(path) for path in self._sides)
        self.frames = max(self._frames)
        self.size = HEAD + self.frames * _FRAME

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / SAMPLE_RATE

    def read(self, start: int, stop: int) -> bytes:
        """Return its bytes from ``start`` up to ``stop``. Blocks. Raises AudioInvalid, OSError."""
        start, stop = max(0, start), min(stop, self.size)
        if stop <= start:
            return b""
        head = self._head()[start:stop] if start < HEAD else b""
        if stop <= HEAD:
            return head
        at = max(start, HEAD) - HEAD
        first, last = at // _FRAME, -(-(stop - HEAD) // _FRAME)
        both = np.zeros((last - first, CHANNELS), dtype="<i2")
        for channel, (path, frames) in enumerate(zip(self._sides, self._frames, strict=True)):
            wanted = min(last, frames) - first
            if wanted <= 0:
                continue
            with closing(open_sound(path)) as reader:
                reader.setpos(first)
                sound = np.frombuffer(reader.readframes(wanted), dtype="<i2")
            both[: len(sound), channel] = sound
        skipped = at - first * _FRAME
        return head + both.tobytes()[skipped : skipped + stop - max(start, HEAD)]

    def _head(self) -> bytes:
        sound = self.frames * _FRAME
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", HEAD - 8 + sound, b"WAVE", b"fmt ", 16, 1, CHANNELS, SAMPLE_RATE),
            *(SAMPLE_RATE * _FRAME, _FRAME, 8 * SAMPLE_BYTES, b"data", sound),
        )


def outline(path: Path, frames: int, buckets: int) -> tuple[int, ...]:
    """Return how loud a recording is over time: the loudest of each bucket, 0 to 100. Blocks.

    What is quiet stays in sight: 100 times the root of the share of full scale.

    Args:
        frames: how long the picture is, in samples; a shorter recording is silent at the end.

    Raises:
        AudioInvalid: the file is no recording of ours.
        OSError: it cannot be read.
    """
    borders: Sequence[int] = [frames * number // buckets for number in range(buckets + 1)]
    found = []
    with closing(open_sound(path)) as reader:
        for since, until in pairwise(borders):
            sound = np.frombuffer(reader.readframes(until - since), dtype="<i2")
            loudest = int(np.abs(sound.astype(np.int32)).max()) if len(sound) else 0
            found.append(round(100 * (loudest / _FULL) ** 0.5))
    return tuple(found)
