"""What turns sound into words: the port that every recogniser stands behind, and its errors.

Sound is always signed 16-bit little-endian mono at 8 kHz (:data:`SAMPLE_RATE`), in pieces of any size; a
piece may end in the middle of a sample. Times are seconds on the stream's own clock: how much sound it has
been given, plus the ``at`` it was opened with; it never looks at the time of day, so that sound given twice
as fast as it was spoken yields the same times.

Callers branch on :class:`Capabilities`, never on an engine's name.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from kernel.errors import DeadlineExceeded, Invalid, Unavailable

SAMPLE_RATE = 8000
"""Samples in a second."""

SAMPLE_BYTES = 2
"""Bytes of a sample."""

BYTES_PER_SECOND = SAMPLE_RATE * SAMPLE_BYTES

MAX_PHRASES = 500
"""Most phrases that a stream may be given as hints."""

MAX_PHRASE_CHARS = 40
"""Most characters of one of them."""


class ModelMissing(Unavailable):
    """No installed model can do it; the message says what to install."""

    code = "model_missing"
    retryable = False


class ModelDamaged(Unavailable):
    """The model's files are not what they should be, or the engine cannot read them; says what to do."""

    code = "model_damaged"
    retryable = False


class EngineMissing(Unavailable):
    """The engine's library is not installed or does not start here; says what to do."""

    code = "engine_missing"
    retryable = False


class RecogniserLost(Unavailable):
    """The recogniser died or fell silent, and this stream with it: what it had not yet said is lost.

    Open another stream with ``at`` where this one stopped, and mark the gap.
    """

    code = "recogniser_lost"


class RecogniserBusy(Unavailable):
    """Every recogniser has a stream; try again when one has ended."""

    code = "recogniser_busy"


class RecogniserBehind(DeadlineExceeded):
    """The recogniser did not take the sound in time. The stream lives; the piece was not taken."""

    code = "recogniser_behind"
    retryable = True


class AudioInvalid(Invalid):
    """The sound is not 16-bit mono at 8 kHz, or not bytes."""

    code = "audio_invalid"


class PhrasesInvalid(Invalid):
    """The phrases given as hints are too many, too long, or hold what no one says."""

    code = "phrases_invalid"


class LanguageUnknown(Invalid):
    """This recogniser does not know the language."""

    code = "language_unknown"


class PieceKind(StrEnum):
    """Whether a text may still change."""

    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word, or one character where the engine knows no words.

    Attributes:
        start: seconds on the stream's clock.
        end: seconds, not before ``start``.
        confidence: 0 to 1; ``None`` if the engine does not say.
    """

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard between two moments.

    A partial replaces the partial before it and is replaced by the next final. Finals follow each other in
    time and never change.

    Attributes:
        text: as it was recognised, never empty; ``speech.reading`` makes it fit to read.
        start: seconds on the stream's clock.
        end: seconds, not before ``start``.
        words: with their times, if the engine can (``Capabilities.word_times``); empty in partials.
        engine: name of the engine, such as ``vosk``.
        model: name of the model in the store, such as ``vosk-small-cn-0.22``.
    """

    kind: PieceKind
    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()
    engine: str
    model: str

    @property
    def is_final(self) -> bool:
        """Whether this text stays as it is."""
        return self.kind is PieceKind.FINAL

    @property
    def confidence(self) -> float | None:
        """Mean of the words' confidence, weighted by their length in time; ``None`` if none has one."""
        known = [(w.confidence, max(w.end - w.start, 0.01)) for w in self.words if w.confidence is not None]
        if not known:
            return None
        return sum(c * length for c, length in known) / sum(length for _, length in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a recogniser with its model can do.

    Attributes:
        streaming: words come while they are spoken; if false, a text comes when an utterance has ended.
        partials: :attr:`PieceKind.PARTIAL` pieces come before a final.
        word_times: finals carry ``words``.
        phrases: phrases given to ``open`` make those words likelier.
        languages: codes such as ``zh``, ``en``, ``ko``.
    """

    streaming: bool
    partials: bool
    word_times: bool
    phrases: bool
    languages: frozenset[str]


class Stream(Protocol):
    """One speaker being listened to. Not for use by two tasks, but one may feed while another reads."""

    @property
    def fed(self) -> float:
        """Seconds on the stream's clock up to which sound was given."""
        ...

    @property
    def lag(self) -> float:
        """Seconds of sound that were given and not yet listened to."""
        ...

    async def feed(self, pcm: bytes) -> None:
        """Give the next piece of sound, of any length. Returns when it is queued, not when it is heard.

        Waits while the recogniser has too much before it. Cancelling while it waits leaves the piece out.

        Raises:
            RecogniserBehind: it had too much before it for longer than the stream's patience.
            RecogniserLost: it is gone.
            AudioInvalid: ``pcm`` is not bytes.
        """
        ...

    def heard(self) -> AsyncIterator[Heard]:
        """Yield pieces as they are heard; ends after the last final, or at ``aclose``.

        Raises:
            RecogniserLost: it is gone; what was yielded before stays true.
        """
        ...

    async def finish(self) -> None:
        """Say that no more sound comes. Returns at once; ``heard`` then yields what is left and ends.

        Half a sample left over is dropped.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the stream now, whatever is left; again does nothing. The recogniser is free again."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the stream."""
        ...


class Transcriber(Protocol):
    """One engine with one model."""

    @property
    def engine(self) -> str:
        """Name of the engine, such as ``vosk``."""
        ...

    @property
    def model(self) -> str:
        """Name of the model in the store."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def open(
        self,
        language: str,
        *,
        at: float = 0.0,
        phrases: Sequence[str] = (),
        background: bool = False,
        patience: timedelta = timedelta(seconds=5),
    ) -> Stream:
        """Open a stream.

        Args:
            language: one of ``capabilities.languages``.
            at: where the stream's clock begins, in seconds: where an earlier stream of the same call stopped.
            phrases: names of crews, districts, materials …; ignored without ``capabilities.phrases``.
            background: nobody waits for it (text after the call): it never takes time from the others.
            patience: how long ``feed`` waits for a recogniser that is behind.

        Raises:
            LanguageUnknown: not one of its languages.
            PhrasesInvalid: too many, too long, or with control characters.
            ModelMissing: the model is no longer there.
            ModelDamaged: the model cannot be read.
            EngineMissing: the engine's library does not start here.
            RecogniserBusy: every recogniser has a stream.
            RecogniserLost: the recogniser died or did not answer while it was being opened.
        """
        ...

    async def aclose(self) -> None:
        """End every stream and every process."""
        ...


class Recognition(Protocol):
    """Which transcriber listens to which language, from what is installed at the moment."""

    @property
    def languages(self) -> frozenset[str]:
        """Languages that something installed knows; empty: there is no speech recognition here."""
        ...

    def choose(self, language: str, *, background: bool = False) -> Transcriber:
        """Return the transcriber for ``language``: for live text the one that streams, if there is one.

        Args:
            background: for text after the call, where the more accurate one is the better.

        Raises:
            ModelMissing: none is installed; the message names what to install.
        """
        ...


def checked_phrases(phrases: Sequence[str]) -> tuple[str, ...]:
    """Return the phrases that hint at something, each once, without outer blanks.

    Raises:
        PhrasesInvalid: more than :data:`MAX_PHRASES`, one longer than :data:`MAX_PHRASE_CHARS`, or with a
            control character.
    """
    found = dict.fromkeys(phrase.strip() for phrase in phrases)
    found.pop("", None)
    if len(found) > MAX_PHRASES:
        raise PhrasesInvalid(f"{len(found)} phrases: give at most {MAX_PHRASES}", field="phrases")
    for phrase in found:
        if len(phrase) > MAX_PHRASE_CHARS:
            raise PhrasesInvalid(
                f"a phrase has {len(phrase)} characters: {MAX_PHRASE_CHARS} is the most", field="phrases"
            )
        if not phrase.isprintable():
            raise PhrasesInvalid("a phrase holds a control character: take it out", field="phrases")
    return tuple(found)
