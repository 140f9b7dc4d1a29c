"""What every transcriber promises (``speech.ports``), of the fake one, of Vosk and of Whisper."""

import asyncio
import contextlib
import math
import os
import random
import signal
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from speech.batch import transcribe
from speech.choice import InstalledRecognition
from speech.pool import PoolLimits, ProcessTranscriber
from speech.ports import (
    BYTES_PER_SECOND,
    MAX_PHRASES,
    SAMPLE_RATE,
    AudioInvalid,
    Heard,
    LanguageUnknown,
    PhrasesInvalid,
    RecogniserLost,
    Transcriber,
)
from telephony.audio import FRAME_SAMPLES, Law, decode, encode
from tests.support.fake_transcriber import FakeTranscriber
from tests.support.models import HOTLINE, installed, read_wav, sentences
from tests.support.no_speech import SECONDS, SOUNDS, sound
from tests.support.waiting import eventually

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

SILENCE = bytes(BYTES_PER_SECOND)
PATIENCE = timedelta(seconds=120)
LEAK = next(sentence for sentence in sentences() if "漏水" in sentence.text).pcm
WARRANTY = next(sentence for sentence in sentences() if "保修期" in sentence.text).pcm
GREETING = next(sentence for sentence in sentences() if "欢迎致电" in sentence.text).pcm
KOREAN = HOTLINE.parent / "korean"


@dataclass
class Subject:
    """A transcriber and the language it is listened to in."""

    transcriber: Transcriber
    language: str

    async def hear(self, pcm: bytes, *, at: float = 0.0) -> list[Heard]:
        """Return the finals of a recording."""
        pieces = transcribe(self.transcriber, pcm, self.language, at=at, background=False, patience=PATIENCE)
        return [piece async for piece in pieces]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", "vosk-ko", "whisper-base"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """Each of them; the real ones with one process for the whole module."""
    if request.param == "fake":
        yield Subject(FakeTranscriber(), "zh")
        return
    store = await installed(request.param)
    entry = store.entry(request.param)
    recognition = InstalledRecognition(
        store, PoolLimits(threads=1, nice=0, load_within=timedelta(seconds=240)), engine=entry.engine
    )
    language = "ko" if entry.engine == "vosk" else "zh"
    yield Subject(recognition.choose(language), language)
    await recognition.aclose()


async def test_speech_is_heard_with_times_within_it(subject: Subject) -> None:
    found = await subject.hear(SILENCE + LEAK + SILENCE, at=100.0)

    assert found
    length = 2 + len(LEAK) / BYTES_PER_SECOND
    for piece in found:
        assert piece.text.strip()
        assert 100.9 < piece.start < piece.end <= 100.0 + length + 0.1
        assert (piece.engine, piece.model) == (subject.transcriber.engine, subject.transcriber.model)
        if subject.transcriber.capabilities.word_times:
            assert piece.words
            assert all(piece.start <= word.start <= word.end <= piece.end + 0.01 for word in piece.words)
            assert piece.confidence is not None
            assert 0.0 <= piece.confidence <= 1.0


async def test_the_same_sound_gives_the_same_text_however_it_is_cut(subject: Subject) -> None:
    choice = random.Random(8)
    sound = LEAK + SILENCE
    cuts = sorted(choice.sample(range(1, len(sound)), 60))
    pieces = [sound[a:b] for a, b in zip([0, *cuts], [*cuts, len(sound)], strict=True)]
    if isinstance(subject.transcriber, FakeTranscriber):
        subject.transcriber.said = 0

    whole = await subject.hear(sound)
    if isinstance(subject.transcriber, FakeTranscriber):
        subject.transcriber.said = 0
    cut = [
        piece
        async for piece in transcribe(
            subject.transcriber, pieces, subject.language, background=False, patience=PATIENCE
        )
    ]

    assert [(p.text, p.start, p.end, p.words) for p in cut] == [
        (p.text, p.start, p.end, p.words) for p in whole
    ]


@pytest.mark.parametrize("sound", ["silence", "nothing", "odd", "tone"])
async def test_what_is_no_speech_gives_no_text(subject: Subject, sound: str) -> None:
    tone = array("h", (int(300 * math.sin(i * 0.5)) for i in range(SAMPLE_RATE))).tobytes()
    given = {"silence": SILENCE * 3, "nothing": b"", "odd": b"\x00" * 333, "tone": tone}[sound]

    assert await subject.hear(given) == []


def _mixed() -> bytes:
    """Two people at once on one telephone."""
    return array("h", (a + b for a, b in zip(_samples(LEAK), _samples(WARRANTY), strict=False))).tobytes()


def _lossy() -> bytes:
    """A telephone with μ-law that loses one packet in twenty."""
    payload = encode(_samples(WARRANTY), Law.MU)
    lost, choice = bytes([Law.MU.silence]) * FRAME_SAMPLES, random.Random(4)
    packets = [payload[at : at + FRAME_SAMPLES] for at in range(0, len(payload), FRAME_SAMPLES)]
    return decode(b"".join(lost if choice.random() < 0.05 else one for one in packets), Law.MU).tobytes()


def _samples(pcm: bytes) -> "array[int]":
    made = array("h")
    made.frombytes(pcm)
    return made


HARD: dict[str, Callable[[], bytes]] = {
    "two people at once": _mixed,
    "packets lost": _lossy,
    "Korean": lambda: read_wav(KOREAN / "k02.wav"),
    "Mandarin": lambda: GREETING,
}


@pytest.mark.parametrize("what", HARD)
async def test_what_is_hard_to_hear_gives_no_more_than_could_be_said(subject: Subject, what: str) -> None:
    sound = HARD[what]()
    found = await subject.hear(SILENCE + sound + SILENCE)

    seconds = len(sound) / BYTES_PER_SECOND
    letters = "".join(piece.text for piece in found).replace(" ", "")
    assert len(letters) < 12 * (seconds + 1), "nobody speaks faster: nothing was said twice"
    times = [moment for piece in found for moment in (piece.start, piece.end)]
    assert times == sorted(times)
    assert all(0.5 < moment < seconds + 2.1 for moment in times)
    if what == "packets lost" and subject.transcriber.engine == "whisper":
        assert "保修" in letters


@pytest.mark.parametrize("what", [name for name in SOUNDS if name != "silence"])
async def test_where_nobody_speaks_little_or_nothing_is_written(subject: Subject, what: str) -> None:
    """Whisper writes nothing. Vosk has no detector before it: a syllable now and then, never sentences."""
    if isinstance(subject.transcriber, FakeTranscriber):
        pytest.skip("whatever is loud is a line to it")
    found = await subject.hear(SILENCE + sound(SOUNDS[what]) + SILENCE)
    letters = "".join(piece.text for piece in found).replace(" ", "")
    assert len(letters) <= (0 if subject.transcriber.engine == "whisper" or what == "hum" else SECONDS)


async def test_two_speakers_at_once_are_kept_apart(subject: Subject) -> None:
    one, other = await asyncio.gather(subject.hear(LEAK + SILENCE), subject.hear(SILENCE * 2))

    assert one
    assert other == []


async def test_what_it_cannot_do_is_refused(subject: Subject) -> None:
    transcriber = subject.transcriber
    with pytest.raises(LanguageUnknown):
        await transcriber.open("xx")
    with pytest.raises(PhrasesInvalid):
        await transcriber.open(
            subject.language, phrases=["工长"] * 2 + [str(n) for n in range(MAX_PHRASES + 1)]
        )
    with pytest.raises(PhrasesInvalid):
        await transcriber.open(subject.language, phrases=["a\nb"])
    async with await transcriber.open(subject.language) as stream:
        with pytest.raises(AudioInvalid):
            await stream.feed("text")  # type: ignore[arg-type]
        await stream.finish()
        with pytest.raises(AudioInvalid):
            await stream.feed(SILENCE)


async def test_a_stream_let_go_ends_its_reader_and_frees_the_recogniser(subject: Subject) -> None:
    for _ in range(3):
        stream = await subject.transcriber.open(subject.language)
        reader = asyncio.create_task(anext(stream.heard(), None))
        await stream.feed(LEAK[:1000])
        await stream.aclose()
        await stream.aclose()
        assert await asyncio.wait_for(reader, 60) is None

    assert await subject.hear(LEAK)


async def test_partials_are_replaced_by_a_final(subject: Subject) -> None:
    async with await subject.transcriber.open(subject.language, patience=PATIENCE) as stream:
        await stream.feed(LEAK + SILENCE)
        await stream.finish()
        found = [piece async for piece in stream.heard()]

    assert found[-1].is_final
    if not subject.transcriber.capabilities.partials:
        assert all(piece.is_final for piece in found)


async def test_the_clock_is_the_sound_that_was_given(subject: Subject) -> None:
    async with await subject.transcriber.open(subject.language, at=7.0) as stream:
        await stream.feed(SILENCE[:-1])
        assert stream.fed == pytest.approx(8.0, abs=0.001)
        await eventually(lambda: stream.lag < 0.3, timeout=60)


async def test_a_killed_recogniser_is_told_and_comes_back(subject: Subject) -> None:
    transcriber = subject.transcriber
    stream = await transcriber.open(subject.language)
    await stream.feed(SILENCE)
    if isinstance(transcriber, FakeTranscriber):
        transcriber.lose_all()
    else:
        assert isinstance(transcriber, ProcessTranscriber)
        pid = transcriber.processes[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(RecogniserLost) as lost:
        async for _ in stream.heard():
            pass
    assert lost.value.retryable
    with pytest.raises(RecogniserLost):
        await stream.feed(SILENCE)
    await stream.aclose()

    assert await subject.hear(LEAK, at=stream.fed)
    with contextlib.suppress(StopAsyncIteration):
        await anext(stream.heard())
