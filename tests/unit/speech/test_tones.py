"""Tones of a network before anybody answers."""

import pytest

from speech.tones import Tone, ToneReader
from tests.support.models import sentences
from tests.support.network_tones import silence, tone

pytestmark = pytest.mark.unit

BUSY = (tone(450, 0.35) + silence(0.35)) * 5
CONGESTION = (tone(450, 0.7) + silence(0.7)) * 4
RINGING = (tone(450, 1.0) + silence(4.0)) * 2
ANNOUNCED = tone(950, 0.33) + tone(1400, 0.33) + tone(1800, 0.33) + silence(0.5)


def heard(pcm: bytes, piece: int) -> set[Tone]:
    reader = ToneReader()
    found = (reader.feed(pcm[at : at + piece]) for at in range(0, len(pcm), piece))
    return {one for one in found if one is not None}


@pytest.mark.parametrize("piece", [1, 320, 1001, 100_000], ids=str)
@pytest.mark.parametrize(
    ("pcm", "said"),
    [
        (BUSY, Tone.BUSY),
        (CONGESTION, Tone.CONGESTION),
        (RINGING, Tone.RINGING),
        (ANNOUNCED, Tone.ANNOUNCEMENT),
    ],
    ids=["busy", "congestion", "ringing", "announcement"],
)
def test_each_tone_by_its_pitch_and_rhythm_however_it_is_cut(pcm: bytes, said: Tone, piece: int) -> None:
    assert heard(silence(0.413) + pcm, piece) == {said}


def test_the_tones_of_europe_are_425_hertz() -> None:
    assert heard((tone(425, 0.38) + silence(0.38)) * 5, 320) == {Tone.BUSY}


def test_what_is_no_tone() -> None:
    assert heard(tone(450, 20), 320) == set(), "a dial tone does not stop"
    assert heard((tone(700, 0.35) + silence(0.35)) * 8, 320) == set()
    assert heard((tone(450, 0.1) + silence(0.1)) * 30, 320) == set()
    assert heard(BUSY[: len(BUSY) // 5 * 2] + silence(3), 320) == set(), "two beeps are no busy tone"
    for sentence in sentences()[:8]:
        assert heard(sentence.pcm + silence(2), 320) == set()
