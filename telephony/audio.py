"""Telephone audio at 8 kHz: G.711 both ways, WAV files, resampling. Pure Python, no I/O but WAV files.

The standard library's ``audioop`` is gone from Python 3.13, and an audio package is too much for this.
Samples are signed 16 bit, held in ``array("h")``.
"""

import math
import wave
from array import array
from enum import StrEnum
from functools import cache
from operator import mul
from pathlib import Path
from typing import Final

RATE: Final = 8000
"""Samples per second on the telephone."""

FRAME_SAMPLES: Final = 160
"""20 ms: what one RTP packet carries."""


class Law(StrEnum):
    """The two companding laws of ITU-T G.711."""

    A = "alaw"
    MU = "ulaw"

    @property
    def payload_type(self) -> int:
        """The static RTP payload type (RFC 3551 §6)."""
        return 8 if self is Law.A else 0

    @property
    def silence(self) -> int:
        """The byte that means nothing is said."""
        return 0xD5 if self is Law.A else 0xFF


def _decode_alaw(byte: int) -> int:
    byte ^= 0x55
    magnitude, segment = (byte & 0x0F) << 4, (byte & 0x70) >> 4
    if segment == 0:
        magnitude += 8
    else:
        magnitude = (magnitude + 0x108) << (segment - 1)
    return magnitude if byte & 0x80 else -magnitude


def _decode_ulaw(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = ((((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


@cache
def _decoder(law: Law) -> tuple[int, ...]:
    return tuple(map(_decode_alaw if law is Law.A else _decode_ulaw, range(256)))


@cache
def _encoder(law: Law) -> bytes:
    """The nearest code of every sample value / 16, so that encoding is one look-up a sample."""
    codes = sorted((value, byte) for byte, value in enumerate(_decoder(law)))
    table, at = bytearray(4096), 0
    for index in range(4096):
        sample = (index - 2048) * 16 + 8
        while at + 1 < len(codes) and abs(codes[at + 1][0] - sample) <= abs(codes[at][0] - sample):
            at += 1
        table[index] = codes[at][1]
    return bytes(table)


def decode(payload: bytes, law: Law) -> "array[int]":
    """G.711 bytes → samples."""
    table = _decoder(law)
    return array("h", [table[byte] for byte in payload])


def encode(samples: "array[int]", law: Law) -> bytes:
    """Samples → G.711 bytes."""
    table = _encoder(law)
    return bytes([table[(sample >> 4) + 2048] for sample in samples])


def resample(samples: "array[int]", rate: int) -> "array[int]":
    """Any rate → 8 kHz, through a windowed-sinc low pass so that hiss above 4 kHz does not fold back."""
    if rate == RATE or not samples:
        return array("h", samples)
    ratio = rate / RATE
    cutoff, half = min(1.0, 1 / ratio), math.ceil(8 * max(1.0, ratio))
    phases = 32
    taps = [
        [_sinc_tap(offset - phase / phases, cutoff, half) for offset in range(-half + 1, half + 1)]
        for phase in range(phases)
    ]
    gains = [sum(row) for row in taps]
    padded = [0.0] * half + list(map(float, samples)) + [0.0] * (half + 1)
    result = array("h")
    for index in range(int(len(samples) / ratio)):
        place = index * ratio
        whole = int(place)
        phase = int((place - whole) * phases)
        window = padded[whole + 1 : whole + 1 + 2 * half]
        value = sum(map(mul, taps[phase], window)) / gains[phase]
        result.append(max(-32768, min(32767, round(value))))
    return result


def _sinc_tap(distance: float, cutoff: float, half: int) -> float:
    if abs(distance) >= half:
        return 0.0
    window = 0.5 + 0.5 * math.cos(math.pi * distance / half)
    angle = math.pi * distance * cutoff
    return window * (cutoff if angle == 0 else cutoff * math.sin(angle) / angle)


def read_wav(path: Path) -> "array[int]":
    """A mono or stereo 16-bit WAV file of any rate → 8 kHz mono (the left channel).

    Raises:
        wave.Error, EOFError: it is no such file.
    """
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise wave.Error(f"{path.name}: 16-bit samples are needed")
        samples = array("h", file.readframes(file.getnframes()))
        return resample(samples[:: file.getnchannels()], file.getframerate())


def write_wav(path: Path, samples: "array[int]") -> None:
    """Samples → an 8 kHz mono 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def loudness(samples: "array[int]") -> float:
    """The root mean square of the samples; 0 is silence, a telephone voice lies around 1000 to 5000."""
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0
