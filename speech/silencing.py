"""Stretches of a recording are overwritten with silence, in place: what was there is not kept."""

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from speech.ports import SAMPLE_BYTES, SAMPLE_RATE, AudioInvalid
from speech.recorded import Track

_CHUNK = 64 * 1024
_MAX_CHUNKS = 32


def silence_tracks(tracks: Iterable[Track], cuts: Iterable[tuple[str, float, float]]) -> int:
    """Silence what speakers said in the files that hold it: their own, and the one of both. Blocks.

    Done twice it is the same. It returns how many stretches lay in a recording.

    Args:
        cuts: speaker, from, until, in seconds since the call began.

    Raises:
        AudioInvalid: a file is no recording of ours.
        OSError: it cannot be written.
    """
    known, done = tuple(tracks), 0
    for speaker, since, until in cuts:
        for track in known:
            if track.speaker != speaker or until <= track.began or since >= track.end:
                continue
            done += 1
            start, end = since - track.began, until - track.began
            _silence(track.path, start, end)
            both = both_of(track)
            if both.exists():
                _silence(both, start, end)
    return done


def silence_clip(path: Path, cuts: Iterable[tuple[float, float]]) -> None:
    """Silence stretches of a short recording; done twice it is the same. Blocks.

    Args:
        cuts: from, until, in seconds since it begins.

    Raises:
        AudioInvalid: the file is no recording of ours.
        OSError: it cannot be written.
    """
    for since, until in cuts:
        _silence(path, since, until)


def both_of(track: Track) -> Path:
    """Return where the sound of both speakers is that was recorded with a track."""
    return track.path.with_name(track.path.name.removesuffix(f"-{track.speaker}.wav") + ".wav")


def _silence(path: Path, start: float, end: float) -> None:
    before = path.stat()
    with open(path, "r+b") as file:
        first, size = _sound_in(file, path)
        since = first + max(0, round(start * SAMPLE_RATE)) * SAMPLE_BYTES
        until = min(first + size, first + max(0, round(end * SAMPLE_RATE)) * SAMPLE_BYTES)
        file.seek(since)
        left = until - since
        while left > 0:
            left -= file.write(bytes(min(left, _CHUNK)))
        file.flush()
        os.fsync(file.fileno())
    # When it was last written to says when it was recorded.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _sound_in(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return where the samples begin and how many bytes they are."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise AudioInvalid(f"{path.name} is no recording", field="audio")
    for _ in range(_MAX_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        at = file.tell()
        if name == b"data":
            # A head that was never completed says anything: the file's size is true.
            return at, size - at
        file.seek(at + length + length % 2)
    raise AudioInvalid(f"{path.name} has no sound in it", field="audio")
