"""Speech made fit for the telephone."""

import io
import math
import wave
from array import array
from datetime import timedelta
from itertools import pairwise

import pytest

from ivr.prompts.audio import (
    TARGET_LEVEL,
    NotAudio,
    length_of,
    prepared,
    samples_of_wav,
    true_peak,
    wav_bytes,
)
from ivr.prompts.stretch import stretched
from telephony.audio import RATE, loudness

pytestmark = pytest.mark.unit


def tone(seconds: float, level: float, rate: int = RATE) -> "array[int]":
    return array(
        "h", [round(level * math.sin(2 * math.pi * 300 * at / rate)) for at in range(int(seconds * rate))]
    )


def silence(seconds: float) -> "array[int]":
    return array("h", bytes(2 * int(seconds * RATE)))


def wav(samples: "array[int]", *, rate: int = RATE, channels: int = 1, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return out.getvalue()


@pytest.mark.parametrize("level", [600, 5000, 30_000])
def test_quiet_and_loud_recordings_come_to_one_loudness(level: float) -> None:
    middle = prepared(tone(1, level))[RATE // 4 : -RATE // 4]
    assert loudness(middle) == pytest.approx(TARGET_LEVEL, rel=0.1)


def test_a_whisper_is_not_blown_up_without_bound() -> None:
    assert loudness(prepared(tone(1, 100))) < TARGET_LEVEL / 4


def test_silence_at_the_ends_is_cut_and_pauses_inside_stay() -> None:
    samples = silence(1) + tone(0.5, 4000) + silence(0.3) + tone(0.5, 4000) + silence(1)
    assert length_of(prepared(samples)).total_seconds() == pytest.approx(1.3 + 0.12, abs=0.03)


@pytest.mark.parametrize("samples", [array("h"), silence(1)])
def test_nothing_to_hear_is_an_error(samples: "array[int]") -> None:
    with pytest.raises(NotAudio):
        prepared(samples)


def test_wav_of_another_rate_and_stereo_becomes_telephone_audio() -> None:
    left = tone(0.5, 8000, 22050)
    both = array("h", [value for sample in left for value in (sample, 0)])
    samples = samples_of_wav(wav(both, rate=22050, channels=2))
    assert len(samples) == pytest.approx(RATE // 2, abs=2)
    assert loudness(samples) == pytest.approx(8000 / math.sqrt(2), rel=0.05)


def test_length_field_of_a_pipe_is_forgiven() -> None:
    raw = bytearray(wav(tone(0.5, 8000)))
    raw[40:44] = (0x7FFFF000).to_bytes(4, "little")
    assert len(samples_of_wav(bytes(raw))) == RATE // 2


@pytest.mark.parametrize(
    "raw", [b"", b"RIFF", b"not audio at all", wav(tone(0.1, 1000), width=1), wav(tone(0.1, 1000), rate=100)]
)
def test_other_files_are_refused(raw: bytes) -> None:
    with pytest.raises(NotAudio):
        samples_of_wav(raw)


def test_round_trip() -> None:
    samples = tone(0.2, 3000)
    assert samples_of_wav(wav_bytes(samples)) == samples


def test_quiet_before_and_behind_is_always_the_same_and_nothing_clicks() -> None:
    made = prepared(tone(1, 3000) + silence(3))
    assert length_of(made) == timedelta(seconds=1.12)
    assert max(map(abs, made[:300])) == 0
    assert max(map(abs, made[-600:])) == 0
    assert made[0] == made[-1] == 0


def test_peaks_between_the_samples_count() -> None:
    # At a quarter of the rate and 45°, every sample is 3 dB below the wave's top.
    wave = array("h", [round(20_000 * math.sin(math.pi / 2 * at + math.pi / 4)) for at in range(400)])
    assert true_peak(wave) == pytest.approx(20_000, rel=0.05)
    assert max(map(abs, wave)) < 14_200


def test_speech_is_slowed_down_at_its_own_pitch() -> None:
    slow = stretched(tone(1, 5000), 1.25)
    assert length_of(slow) == timedelta(seconds=1.25)
    middle = slow[RATE // 4 : RATE]
    turns = sum(1 for before, after in pairwise(middle) if before < 0 <= after)
    assert turns / (len(middle) / RATE) == pytest.approx(300, rel=0.02)
    assert loudness(middle) == pytest.approx(loudness(tone(1, 5000)), rel=0.05)
