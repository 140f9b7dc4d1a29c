"""Making speech fit the telephone: silence cut off at the ends, one loudness for all."""

import io
import math
import wave
from array import array
from datetime import timedelta
from typing import TypeAlias

from telephony.audio import RATE, resample

# −19 dBFS while somebody speaks: as loud as a person on the phone, with room for peaks.
TARGET_LEVEL = 3700.0
PEAK = 29_000
MAX_GAIN = 8.0

_FRAME = RATE // 50
_SILENT = 60.0
_LEAD_FRAMES = 2
_TAIL_FRAMES = 4

# array is generic only for the type checker before Python 3.12
Samples: TypeAlias = "array[int]"


class NotAudio(ValueError):
    """The bytes are no 16-bit PCM WAV with something to hear in it."""


def samples_of_wav(raw: bytes) -> Samples:
    """Return a WAV of any rate as 8 kHz mono; of a stereo file the left channel.

    A length field that promises more than there is, as programs write on a pipe, is forgiven.

    Raises:
        NotAudio: not 16-bit PCM.
    """
    try:
        with wave.open(io.BytesIO(raw), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(min(file.getnframes(), len(raw)))
    except (wave.Error, EOFError) as error:
        raise NotAudio(f"not a WAV file: {error}") from error
    if width != 2 or not 4000 <= rate <= 96_000:
        raise NotAudio("16-bit samples at 4 to 96 kHz are needed")
    samples = array("h", frames[: len(frames) - len(frames) % (2 * channels)])
    return resample(samples[::channels], rate)


def prepared(samples: Samples) -> Samples:
    """Return the speech without silence at its ends, at the usual loudness.

    Raises:
        NotAudio: there is only silence.
    """
    levels = [_level(samples[at : at + _FRAME]) for at in range(0, len(samples), _FRAME)]
    heard = [index for index, level in enumerate(levels) if level > _SILENT]
    if not heard:
        raise NotAudio("there is nothing to hear")
    first = max(0, heard[0] - _LEAD_FRAMES) * _FRAME
    last = (heard[-1] + 1 + _TAIL_FRAMES) * _FRAME
    speaking = math.sqrt(sum(levels[index] ** 2 for index in heard) / len(heard))
    loudest = max(map(abs, samples))
    gain = min(TARGET_LEVEL / speaking, PEAK / loudest, MAX_GAIN)
    return array("h", [round(sample * gain) for sample in samples[first:last]])


def _level(frame: Samples) -> float:
    return math.sqrt(sum(sample * sample for sample in frame) / len(frame))


def wav_bytes(samples: Samples) -> bytes:
    """Return an 8 kHz mono 16-bit WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def length_of(samples: Samples) -> timedelta:
    """How long it lasts."""
    return timedelta(seconds=len(samples) / RATE)
