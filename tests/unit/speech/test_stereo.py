"""Two mono recordings read as one stereo file: any piece of it is that piece of the whole."""

import io
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speech.ports import AudioInvalid
from speech.stereo import HEAD, Stereo, outline
from telephony.audio import write_wav

pytestmark = pytest.mark.unit

LEFT = array("h", range(-300, 300))
RIGHT = array("h", range(1000, 1450))


def stereo(folder: Path, left: "array[int]" = LEFT, right: "array[int]" = RIGHT) -> Stereo:
    for name, samples in (("left", left), ("right", right)):
        write_wav(folder / f"{name}.wav", samples)
    return Stereo(folder / "left.wav", folder / "right.wav")


def test_the_whole_is_a_wav_file_with_a_speaker_on_each_side(tmp_path: Path) -> None:
    found = stereo(tmp_path)
    whole = found.read(0, found.size)
    with wave.open(io.BytesIO(whole)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (2, 2, 8000)
        assert reader.getnframes() == len(LEFT)
        sound = array("h", reader.readframes(len(LEFT)))
    assert sound[0::2] == LEFT
    assert sound[1::2][: len(RIGHT)] == RIGHT
    assert set(sound[1::2][len(RIGHT) :]) == {0}  # the shorter one is silent at the end
    assert len(whole) == found.size == HEAD + 4 * len(LEFT)
    assert found.seconds == len(LEFT) / 8000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.integers(-10, 2600), st.integers(-10, 2600))
def test_any_piece_is_a_piece_of_the_whole(tmp_path: Path, start: int, stop: int) -> None:
    found = stereo(tmp_path)
    assert found.read(start, stop) == found.read(0, found.size)[max(0, start) : max(0, stop)]


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "left.wav").write_bytes(b"RIFF....")
    write_wav(tmp_path / "right.wav", RIGHT)
    with pytest.raises(AudioInvalid):
        Stereo(tmp_path / "left.wav", tmp_path / "right.wav")
    with pytest.raises(FileNotFoundError):
        Stereo(tmp_path / "none.wav", tmp_path / "right.wav")


def test_the_outline_shows_who_is_loud_when(tmp_path: Path) -> None:
    loud, quiet = array("h", [-32768, 8192] * 40), array("h", [0] * 80)
    stereo(tmp_path, loud + quiet, quiet + array("h", [8192] * 40))
    assert outline(tmp_path / "left.wav", 160, 4) == (100, 100, 0, 0)
    assert outline(tmp_path / "right.wav", 160, 4) == (0, 0, 50, 0)


def test_an_empty_recording_has_a_flat_outline(tmp_path: Path) -> None:
    found = stereo(tmp_path, array("h"), array("h"))
    assert found.read(0, 100) == found.read(0, HEAD)
    assert outline(tmp_path / "left.wav", found.frames, 3) == (0, 0, 0)
