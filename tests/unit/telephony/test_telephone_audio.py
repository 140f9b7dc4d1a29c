"""G.711, resampling, WAV files and the waiting music."""

import math
import wave
from array import array
from pathlib import Path

import pytest

from telephony.asterisk.sounds import CHIME, LOUDEST, MUSIC, write_sounds
from telephony.audio import RATE, Law, decode, encode, loudness, read_wav, resample, write_wav

pytestmark = pytest.mark.unit


def sine(frequency: float, *, rate: int = RATE, seconds: float = 0.5, loudest: int = 10_000) -> "array[int]":
    count = int(rate * seconds)
    return array("h", [round(loudest * math.sin(math.tau * frequency * i / rate)) for i in range(count)])


@pytest.mark.parametrize(
    ("law", "codes"),
    [(Law.A, {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256}), (Law.MU, {0xFF: 0, 0x80: 32124, 0x00: -32124})],
)
def test_known_codes_of_g711(law: Law, codes: dict[int, int]) -> None:
    assert decode(bytes(codes), law).tolist() == list(codes.values())


@pytest.mark.parametrize("law", list(Law))
def test_every_code_survives_a_round_trip(law: Law) -> None:
    samples = decode(bytes(range(256)), law)
    again = decode(encode(samples, law), law)
    assert max(abs(a - b) for a, b in zip(samples, again, strict=True)) <= 16


@pytest.mark.parametrize("law", list(Law))
def test_a_voice_is_coded_with_little_noise(law: Law) -> None:
    voice = sine(440)
    noise = array("h", [a - b for a, b in zip(voice, decode(encode(voice, law), law), strict=True)])
    assert loudness(noise) < loudness(voice) / 50


@pytest.mark.parametrize("law", list(Law))
def test_silence_is_silent(law: Law) -> None:
    assert loudness(decode(bytes([law.silence]) * 160, law)) <= 8


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_resampling_keeps_the_voice_and_drops_what_the_telephone_cannot_carry(rate: int) -> None:
    kept = resample(sine(1000, rate=rate), rate)
    assert abs(len(kept) - RATE // 2) <= 1
    assert loudness(kept[400:-400]) == pytest.approx(loudness(sine(1000)), rel=0.05)
    dropped = resample(sine(6000, rate=rate), rate)
    assert loudness(dropped[400:-400]) < 200


def test_resampling_upwards_keeps_the_length() -> None:
    assert abs(len(resample(sine(300, rate=4000), 4000)) - RATE // 2) <= 2


def test_a_stereo_file_is_read_as_its_left_channel(tmp_path: Path) -> None:
    left = sine(500)
    both = array("h", [sample for value in left for sample in (value, 0)])
    with wave.open(str(tmp_path / "both.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(both.tobytes())
    assert read_wav(tmp_path / "both.wav") == left


def test_a_file_of_another_width_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "thin.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(b"\x80" * 100)
    with pytest.raises(wave.Error, match="16-bit"):
        read_wav(tmp_path / "thin.wav")


def test_the_music_is_soft_long_and_has_no_seam(tmp_path: Path) -> None:
    write_sounds(tmp_path / "prompts", (tmp_path / "music",))
    music = read_wav(tmp_path / "music" / f"{MUSIC}.wav")
    assert len(music) > 20 * RATE
    assert max(map(abs, music)) == LOUDEST
    assert all(loudness(music[at : at + RATE]) > 300 for at in range(0, len(music) - RATE, RATE))
    assert abs(music[0] - music[-1]) < 800
    chime = read_wav(tmp_path / "prompts" / f"{CHIME}.wav")
    assert len(chime) == 2 * RATE


def test_a_wav_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    voice = sine(700)
    write_wav(tmp_path / "voice.wav", voice)
    assert read_wav(tmp_path / "voice.wav") == voice
