"""The recordings of a call: a file for each speaker, read a second at a time."""

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from speech.events import AGENT, CUSTOMER
from speech.ports import SAMPLE_BYTES, SAMPLE_RATE, AudioInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One speaker's sound in a file; times are seconds since the call began."""

    speaker: str
    path: Path
    began: float
    seconds: float

    @property
    def end(self) -> float:
        """Where its sound ends."""
        return self.began + self.seconds


def tracks_of(folder: Path, call_id: str, *, began: float, started_at: float) -> tuple[Track, ...]:
    """Return the tracks of a call, in the order in which they were recorded. Blocks.

    The first recording begins at ``began``; a further one of the same call as long before the file was last
    written to as it lasts.

    Args:
        started_at: when the call began, in seconds of Unix time.

    Raises:
        AudioInvalid: a file is no recording of ours, or cut off in its head.
        OSError: it cannot be read.
    """
    found = []
    for speaker in (CUSTOMER, AGENT):
        paths = sorted(folder.glob(f"{call_id}-*-{speaker}.wav"), key=lambda path: path.stat().st_mtime)
        for number, path in enumerate(paths):
            seconds = seconds_of(path)
            at = began if number == 0 else max(began, path.stat().st_mtime - seconds - started_at)
            found.append(Track(speaker=speaker, path=path, began=at, seconds=seconds))
    return tuple(found)


async def sound(track: Track, start: float, end: float) -> AsyncIterator[bytes]:
    """Yield a stretch of a track a second at a time; what lies outside of it is left out.

    Raises:
        AudioInvalid: the file is no recording of ours.
        OSError: it cannot be read, or is gone.
    """
    reader = await asyncio.to_thread(open_sound, track.path)
    with closing(reader):
        first = max(0, round((start - track.began) * SAMPLE_RATE))
        left = min(reader.getnframes(), round((end - track.began) * SAMPLE_RATE)) - first
        if left <= 0:
            return
        reader.setpos(first)
        while left > 0:
            piece = await asyncio.to_thread(reader.readframes, min(left, SAMPLE_RATE))
            if not piece:
                return  # the file is shorter than its head says
            left -= len(piece) // SAMPLE_BYTES
            yield piece


def seconds_of(path: Path) -> float:
    """Return how long a recording lasts. Blocks. Raises AudioInvalid, OSError."""
    return frames_of(path) / SAMPLE_RATE


def frames_of(path: Path) -> int:
    """Return of how many samples a recording is. Blocks. Raises AudioInvalid, OSError."""
    with closing(open_sound(path)) as reader:
        # A head that was never completed says anything: the file's size is true.
        there = max(0, path.stat().st_size - 44) // SAMPLE_BYTES
        return int(min(reader.getnframes(), there))


def open_sound(path: Path) -> wave.Wave_read:
    """Open a recording; who asked closes it. Blocks. Raises AudioInvalid, OSError."""
    try:
        reader = wave.open(str(path), "rb")  # noqa: SIM115 - the caller does
    except (wave.Error, EOFError) as error:
        raise AudioInvalid(f"{path.name} is no recording: {error}", field="audio") from error
    if (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) != (
        1,
        SAMPLE_BYTES,
        SAMPLE_RATE,
    ):
        reader.close()
        raise AudioInvalid(f"{path.name} is not 16-bit mono at 8 kHz", field="audio")
    return reader
