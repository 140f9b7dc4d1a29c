"""What callers hear again and again: made of two parts, anew when one of them changes."""

import os
from array import array
from pathlib import Path

import pytest

from ivr.domain.languages import channel_of, code_of
from ivr.line_words import MOST_AHEAD
from ivr.waiting_words import PAUSE, WAITING, WaitingWords
from telephony.audio import read_wav, write_wav

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("code", "ahead", "channel"),
    [
        ("zh", None, "zh"),
        ("zh", 3, "zh_p3"),
        ("en", 0, "en_US_p0"),
        ("en", None, "en_US"),
        ("fr", 1, "zh_p1"),
    ],
)
def test_a_channels_language_says_the_place(code: str, ahead: int | None, channel: str) -> None:
    assert channel_of(code, ahead) == channel
    assert code_of(channel) == (code if code != "fr" else "zh")


def test_what_channels_are_born_with_is_the_centres_own_language() -> None:
    assert [code_of(name) for name in ("en", "", "en_USA", "zh_p12")] == ["zh"] * 4


async def test_a_file_for_each_place(tmp_path: Path) -> None:
    spoken, prompts = tmp_path / "spoken", tmp_path / "prompts"
    for folder in (spoken, prompts, prompts / "en_US"):
        folder.mkdir(parents=True)
    ready: set[tuple[str, int]] = set()

    def ahead(code: str, number: int) -> Path | None:
        return spoken / f"{code}{number}" if (code, number) in ready else None

    words = WaitingWords(prompts, ahead)
    assert await words.look() == 0, "nothing is spoken yet"
    for code in ("zh", "en"):
        for number in range(MOST_AHEAD + 1):
            write_wav(spoken / f"{code}{number}.wav", array("h", [number + 1] * 80))
            ready.add((code, number))
    assert await words.look() == 0, "what everybody hears is not there"
    write_wav(prompts / f"{WAITING}.wav", array("h", [100] * 80))
    assert await words.look() == MOST_AHEAD + 1, "the other language has none yet"
    write_wav(prompts / "en_US" / f"{WAITING}.wav", array("h", [200] * 80))
    assert await words.look() == MOST_AHEAD + 1
    assert await words.look() == 0, "nothing is new"
    found = read_wav(prompts / "en_US_p2" / f"{WAITING}.wav")
    assert found == array("h", [3] * 80) + PAUSE + array("h", [200] * 80)

    write_wav(prompts / f"{WAITING}.wav", array("h", [101] * 80))
    later = (prompts / "zh_p0" / f"{WAITING}.wav").stat().st_mtime + 5
    os.utime(prompts / f"{WAITING}.wav", (later, later))
    (spoken / "zh4.wav").write_bytes(b"no sound")
    assert await words.look() == MOST_AHEAD, "one part is broken: its file stays as it was"
    assert read_wav(prompts / "zh_p4" / f"{WAITING}.wav")[-1] == 100
    assert read_wav(prompts / "zh_p5" / f"{WAITING}.wav")[-1] == 101
