"""What is let through to Whisper: speech; not silence, noise, music or keys."""

import numpy as np
import pytest

from speech.endpointing import Endpointer, EndpointRules, Utterance
from speech.mel import Floats
from speech.ports import BYTES_PER_SECOND, SAMPLE_RATE
from speech.vad import FRAME, FRAME_SECONDS, Detector, Voice
from speech.whisper_engine import WhisperListener
from tests.support.models import installed, sentences
from tests.support.no_speech import SOUNDS, sound

pytestmark = pytest.mark.integration


async def found(pcm: bytes) -> list[Utterance]:
    store = await installed("whisper-base")
    voice = Voice(Detector(store.folder("whisper-base") / "silero_vad.onnx"))
    endpointer = Endpointer(EndpointRules())
    samples: Floats = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    frames = [samples[n : n + FRAME] for n in range(0, len(samples) - FRAME + 1, FRAME)]
    ended = [one for frame in frames if (one := endpointer.feed(voice.probability(frame)))]
    last = endpointer.finish()
    return [*ended, last] if last else ended


@pytest.mark.parametrize("name", SOUNDS)
async def test_what_is_no_speech_is_not_let_through(name: str) -> None:
    assert await found(sound(SOUNDS[name])) == []


async def test_each_sentence_is_let_through_whole() -> None:
    for sentence in sentences()[:6]:
        pcm = bytes(BYTES_PER_SECOND) + sentence.pcm + bytes(BYTES_PER_SECOND)
        utterances = await found(pcm)
        length = len(sentence.pcm) / BYTES_PER_SECOND
        spoken = sum(one.last - one.first for one in utterances) * FRAME_SECONDS
        assert len(utterances) == 1, sentence.text
        assert length * 0.6 < spoken < length + 0.5


async def test_speech_in_noise_is_let_through() -> None:
    speech = np.frombuffer(sentences()[0].pcm, "<i2").astype(np.float32)
    noise = np.random.default_rng(3).normal(0, float(np.std(speech)) * 0.2, len(speech))
    mixed = np.clip(speech + noise, -32768, 32767).astype("<i2").tobytes()

    assert len(await found(mixed + bytes(BYTES_PER_SECOND))) == 1


async def test_talk_without_a_pause_is_cut_before_thirty_seconds_and_kept_no_longer() -> None:
    store = await installed("whisper-base")
    said: list[tuple[float, float]] = []

    class Engine:
        """Notes what it is given."""

        def transcribe(self, samples: Floats, language: str, *, thorough: bool) -> None:
            said.append((listener.kept_seconds, len(samples) / SAMPLE_RATE))

    voice = Voice(Detector(store.folder("whisper-base") / "silero_vad.onnx"))
    listener = WhisperListener(Engine(), voice, "zh", thorough=False)  # type: ignore[arg-type]
    pieces = [np.frombuffer(sentence.pcm, "<i2") for sentence in sentences()]
    # The pauses at both ends of a sentence taken away, one speaks after the other.
    tight = [piece[np.abs(piece) > 300].tobytes() for piece in pieces]
    for piece in tight * 2:
        list(listener.hear(piece))
        assert listener.kept_seconds < 30
    list(listener.finish())

    assert sum(length for _, length in said) > 40
    assert all(length < 30 for _, length in said)
