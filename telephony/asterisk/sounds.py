"""The sounds every node needs and no package brings: waiting music, a chime, and the tone before a recording.

A short melody in the pentatonic scale, plucked softly, computed here so that nobody's licence is needed.
"""

import math
import os
from array import array
from pathlib import Path
from typing import Final

from telephony.audio import RATE, write_wav

CHIME: Final = "huifang-chime"
MUSIC: Final = "huifang-music"
TONE: Final = "huifang-tone"

BEAT_SECONDS: Final = 0.42
LOUDEST: Final = 5200
"""About −16 dBFS: soft beside a voice, loud enough that nobody thinks the line is dead."""

_NOTES: Final = {"C": 261.63, "D": 293.66, "E": 329.63, "G": 392.0, "A": 440.0, "c": 523.25, "d": 587.33}
_MELODY: Final = "E.GAc.AG|E.G.A.E.|G.EDE.GE|D.C.D.G.|E.GAc.dc|A.G.E.A.|D.EGE.DC|C.G.E.G."


def _pluck(frequency: float, samples: int) -> list[float]:
    """A soft string: four harmonics that die away, the higher the sooner, and a gentle attack."""
    result = []
    for index in range(samples):
        time = index / RATE
        tone = sum(
            math.sin(2 * math.pi * frequency * harmonic * time)
            * math.exp(-time * (0.8 + 0.6 * harmonic))
            / harmonic
            for harmonic in (1, 2, 3, 4)
        )
        result.append(tone * min(1.0, time / 0.008))
    return result


def _play(melody: str, beat_seconds: float) -> "array[int]":
    beat = int(RATE * beat_seconds)
    beats = melody.replace("|", "")
    ring = beat * 5
    total = beat * len(beats)
    mixed = [0.0] * total
    plucked = {note: _pluck(_NOTES[note], ring) for note in set(beats) - {"."}}
    for position, note in enumerate(beats):
        if note == ".":
            continue
        for index, value in enumerate(plucked[note]):
            # the last notes ring on into the beginning: the loop has no seam
            mixed[(position * beat + index) % total] += value
    peak = max(map(abs, mixed))
    return array("h", [round(value / peak * LOUDEST) for value in mixed])


def write_sounds(prompts_dir: Path, music_dirs: tuple[Path, ...]) -> None:
    """Put chime and tone among the prompts, and the melody into each music folder that has no music yet."""
    prompts_dir.mkdir(parents=True, exist_ok=True)
    _write_once(prompts_dir / f"{CHIME}.wav", "E.G.c...", 0.25)
    _write_once(prompts_dir / f"{TONE}.wav", "d.", 0.15)
    for directory in music_dirs:
        directory.mkdir(parents=True, exist_ok=True)
        if not any(path.is_file() for path in directory.iterdir()):
            _write_once(directory / f"{MUSIC}.wav", _MELODY, BEAT_SECONDS)


def _write_once(path: Path, melody: str, beat_seconds: float) -> None:
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_wav(fresh, _play(melody, beat_seconds))
    fresh.replace(path)
