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
# −1 dBFS between the samples too, where the line's own filters will put them.
PEAK = 29_000
MAX_GAIN = 8.0

_FRAME = RATE // 50
_SILENT = 60.0
_LEAD_FRAMES = 2
_TAIL_FRAMES = 4
# Cut in the middle of a breath, a sound would click.
_FADE = RATE // 200
_REACH = 8
_MOST_PEAKS = 400

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
    """Return the speech at the usual loudness, with 40 ms of quiet before it and 80 ms behind.

    Raises:
        NotAudio: there is only silence.
    """
    levels = [_level(samples[at : at + _FRAME]) for at in range(0, len(samples), _FRAME)]
    heard = [index for index, level in enumerate(levels) if level > _SILENT]
    if not heard:
        raise NotAudio("there is nothing to hear")
    lead, tail = _LEAD_FRAMES * _FRAME, _TAIL_FRAMES * _FRAME
    first, last = heard[0] * _FRAME - lead, (heard[-1] + 1) * _FRAME + tail
    speaking = math.sqrt(sum(levels[index] ** 2 for index in heard) / len(heard))
    gain = min(TARGET_LEVEL / speaking, PEAK / true_peak(samples), MAX_GAIN)
    made = array("h", [round(sample * gain) for sample in samples[max(0, first) : last]])
    made = array("h", bytes(2 * max(0, -first))) + made + array("h", bytes(2 * max(0, last - len(samples))))
    for at in range(_FADE):
        made[at] = made[at] * at // _FADE
        made[-1 - at] = made[-1 - at] * at // _FADE
    return made


def true_peak(samples: Samples) -> float:
    """Return how high the sound goes between its samples too, looked at in quarters of a sample."""
    loudest = max(map(abs, samples), default=0)
    near = [at for at, sample in enumerate(samples) if abs(sample) > 0.8 * loudest]
    near.sort(key=lambda at: -abs(samples[at]))
    peak = float(loudest)
    for at in near[:_MOST_PEAKS]:
        for taps in _QUARTERS:
            around = range(at - _REACH + 1, at + _REACH + 1)
            value = sum(
                tap * samples[place]
                for tap, place in zip(taps, around, strict=True)
                if 0 <= place < len(samples)
            )
            peak = max(peak, abs(value))
    return peak


def _quarter(part: float) -> tuple[float, ...]:
    """A windowed sinc that reads the sound ``part`` of a sample further on."""
    taps = []
    for offset in range(-_REACH + 1, _REACH + 1):
        angle = math.pi * (offset - part)
        taps.append(math.sin(angle) / angle * (0.5 + 0.5 * math.cos(angle / _REACH)))
    return tuple(taps)


_QUARTERS = tuple(map(_quarter, (0.25, 0.5, 0.75)))


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
