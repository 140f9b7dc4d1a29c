"""Vosk's ear ends what was said when nothing is heard any more, though Vosk believes that it goes on."""

import json
from array import array

import pytest

from speech.ports import SAMPLE_RATE, PieceKind
from speech.vosk_engine import QUIET_SAMPLES, VoskListener
from speech.wire import Said

pytestmark = pytest.mark.unit

PIECE = SAMPLE_RATE // 10


class Hallucinating:
    """A recogniser that hears words in silence and never ends by itself."""

    def __init__(self) -> None:
        self.heard = 0

    def AcceptWaveform(self, pcm: bytes) -> int:
        self.heard += 1
        return 0

    def PartialResult(self) -> str:
        return json.dumps({"partial": f"漏水 {self.heard % 3}"})

    def Result(self) -> str:
        return json.dumps({"text": "漏水"})

    FinalResult = Result


def sound(peak: int, pieces: int) -> list[bytes]:
    return [array("h", [peak, -peak] * (PIECE // 2)).tobytes()] * pieces


def finals(ear: VoskListener, pieces: list[bytes]) -> list[Said]:
    return [said for pcm in pieces for said in ear.hear(pcm) if said.kind is PieceKind.FINAL]


@pytest.mark.parametrize(
    ("loud", "quiet"),
    [
        pytest.param(8000, 0, id="muted"),
        pytest.param(8000, 8, id="a-law"),
        pytest.param(20000, 300, id="hum"),
    ],
)
def test_a_long_silence_ends_it_once(loud: int, quiet: int) -> None:
    ear = VoskListener(Hallucinating())
    assert finals(ear, sound(loud, 10) + sound(quiet, QUIET_SAMPLES // PIECE - 1)) == []
    assert [said.text for said in finals(ear, sound(quiet, 1))] == ["漏水"]


def test_who_goes_on_is_not_cut() -> None:
    ear = VoskListener(Hallucinating())
    breath = sound(0, QUIET_SAMPLES // PIECE - 1)
    assert finals(ear, (sound(8000, 5) + breath) * 5) == []
