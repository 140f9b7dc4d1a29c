"""Tones as a telephone network sends them: 16-bit mono at 8 kHz."""

import math
from array import array

from speech.ports import BYTES_PER_SECOND, SAMPLE_BYTES, SAMPLE_RATE


def tone(hertz: float, seconds: float) -> bytes:
    """Return a pure tone."""
    step = 2 * math.pi * hertz / SAMPLE_RATE
    return array(
        "h", (round(6000 * math.sin(step * at)) for at in range(round(SAMPLE_RATE * seconds)))
    ).tobytes()


def silence(seconds: float) -> bytes:
    """Return silence."""
    return bytes(round(BYTES_PER_SECOND * seconds) // SAMPLE_BYTES * SAMPLE_BYTES)
