"""Sounds of a telephone line in which nobody speaks: 16-bit mono at 8 kHz."""

import math
import random
from array import array
from collections.abc import Callable

from speech.ports import SAMPLE_RATE

SECONDS = 8
DTMF = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "#": (941, 1477)}
CHORDS = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))


def sound(shape: Callable[[float], float]) -> bytes:
    """Return eight seconds of a shape of 1 at most."""
    moments = (n / SAMPLE_RATE for n in range(SECONDS * SAMPLE_RATE))
    return array("h", (int(max(-1.0, min(1.0, shape(at))) * 12000) for at in moments)).tobytes()


def keys(at: float) -> float:
    """Keys that somebody presses, one after the other."""
    low, high = list(DTMF.values())[int(at / 0.4) % 4]
    if at % 0.4 >= 0.2:
        return 0.0
    return 0.5 * (math.sin(2 * math.pi * low * at) + math.sin(2 * math.pi * high * at))


def music(at: float) -> float:
    """Chords on a plucked string: waiting music."""
    chord, beat = CHORDS[int(at / 2) % 4], at % 0.5
    tones = (math.sin(2 * math.pi * tone * over * at) / over for tone in chord for over in (1, 2, 3))
    return sum(tones) / 5 * math.exp(-3 * beat)


def noise(at: float) -> float:
    """White noise, the same each time."""
    return random.Random(at).gauss(0, 0.2)


SOUNDS: dict[str, Callable[[float], float]] = {
    "silence": lambda at: 0.0,
    "white noise": noise,
    "hum": lambda at: 0.3 * math.sin(2 * math.pi * 50 * at),
    "ringing tone": lambda at: 0.5 * math.sin(2 * math.pi * 450 * at) if at % 5 < 1 else 0.0,
    "keys": keys,
    "waiting music": music,
}
