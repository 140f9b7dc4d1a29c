"""A transcriber without a model: passes the same contract suite as the real ones.

It hears an utterance wherever the sound is louder than a threshold for a while, and says the next of its
``lines``.
"""

import array
import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from kernel.errors import HuifangError
from speech.ports import (
    BYTES_PER_SECOND,
    SAMPLE_BYTES,
    AudioInvalid,
    Capabilities,
    Heard,
    LanguageUnknown,
    ModelMissing,
    PieceKind,
    RecogniserBusy,
    RecogniserLost,
    Transcriber,
    Word,
    checked_phrases,
)

FRAME_BYTES = BYTES_PER_SECOND // 50
LOUD = 500
PAUSE_FRAMES = 15
LEAST_FRAMES = 5


class FakeStream:
    """Implements :class:`speech.ports.Stream`."""

    def __init__(self, owner: "FakeTranscriber", at: float) -> None:
        self._owner = owner
        self._at = at
        self._given = 0
        self._half = b""
        self._rest = b""
        self._frame = 0
        self._first: int | None = None
        self._last_loud = 0
        self._loud = 0
        self._pieces: deque[Heard] = deque()
        self._change = asyncio.Event()
        self._error: HuifangError | None = None
        self._ended = self._closed = False
        self.fed_pieces = 0

    @property
    def fed(self) -> float:
        """Seconds on the stream's clock."""
        return self._at + self._given / BYTES_PER_SECOND

    @property
    def lag(self) -> float:
        """It is never behind."""
        return 0.0

    async def feed(self, pcm: bytes) -> None:
        """Listen at once."""
        if not isinstance(pcm, bytes | bytearray | memoryview):
            raise AudioInvalid(f"sound is bytes, not {type(pcm).__name__}", field="pcm")
        if self._error is not None:
            raise self._error
        if self._ended or self._closed:
            raise AudioInvalid("the stream was finished: open another", field="pcm")
        self.fed_pieces += 1
        data = self._half + bytes(pcm)
        whole = len(data) // SAMPLE_BYTES * SAMPLE_BYTES
        self._half = data[whole:]
        self._given += whole
        self._rest += data[:whole]
        while len(self._rest) >= FRAME_BYTES:
            frame, self._rest = self._rest[:FRAME_BYTES], self._rest[FRAME_BYTES:]
            self._listen(frame)
        self._change.set()

    def _listen(self, frame: bytes) -> None:
        loudest = max(abs(sample) for sample in array.array("h", frame))
        here, self._frame = self._frame, self._frame + 1
        if loudest >= LOUD:
            self._first = here if self._first is None else self._first
            self._last_loud, self._loud = here, self._loud + 1
            if self._owner.capabilities.partials and self._loud % 10 == 0:
                self._add(PieceKind.PARTIAL)
        elif self._first is not None and here - self._last_loud > PAUSE_FRAMES:
            self._end()

    def _end(self) -> None:
        if self._first is not None and self._loud >= LEAST_FRAMES:
            self._add(PieceKind.FINAL)
            self._owner.said += 1
        self._first, self._loud = None, 0

    def _add(self, kind: PieceKind) -> None:
        assert self._first is not None
        start, end = self._at + self._first / 50, self._at + (self._last_loud + 1) / 50
        text = self._owner.lines[self._owner.said % len(self._owner.lines)]
        step = (end - start) / len(text)
        words = tuple(
            Word(text=character, start=start + step * i, end=start + step * (i + 1), confidence=0.9)
            for i, character in enumerate(text)
        )
        if self._pieces and not self._pieces[-1].is_final:
            self._pieces.pop()
        self._pieces.append(
            Heard(
                kind=kind,
                text=text,
                start=start,
                end=end,
                words=words if kind is PieceKind.FINAL else (),
                engine=self._owner.engine,
                model=self._owner.model,
            )
        )

    async def heard(self) -> AsyncIterator[Heard]:
        """Yield what was heard."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._closed or self._ended:
                return
            if self._error is not None:
                raise self._error
            self._change.clear()
            await self._change.wait()

    async def finish(self) -> None:
        """Say the last utterance."""
        if not self._ended and not self._closed and self._error is None:
            self._end()
            self._ended = True
            self._owner.streams.discard(self)
            self._change.set()

    async def aclose(self) -> None:
        """Let go."""
        self._closed = True
        self._pieces.clear()
        self._owner.streams.discard(self)
        self._change.set()

    def lose(self) -> None:
        """Die, as a killed recogniser does."""
        self._error = RecogniserLost("the recogniser died (signal 9)")
        self._owner.streams.discard(self)
        self._change.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class FakeTranscriber:
    """Implements :class:`speech.ports.Transcriber`.

    Args:
        lines: what is said, utterance by utterance, again and again.
        most: streams at once.
    """

    def __init__(
        self,
        lines: Sequence[str] = ("我家卫生间漏水了", "请你们明天上门", "我要投诉"),
        *,
        languages: frozenset[str] = frozenset({"zh"}),
        most: int = 16,
    ) -> None:
        self.lines = lines
        self.said = 0
        self.most = most
        self.streams: set[FakeStream] = set()
        self.opened: list[FakeStream] = []
        self.refuses: HuifangError | None = None
        self._languages = languages

    engine = "fake"
    model = "fake-lines"

    @property
    def capabilities(self) -> Capabilities:
        """Everything."""
        return Capabilities(
            streaming=True, partials=True, word_times=True, phrases=True, languages=self._languages
        )

    async def open(
        self,
        language: str,
        *,
        at: float = 0.0,
        phrases: Sequence[str] = (),
        background: bool = False,
        patience: timedelta = timedelta(seconds=5),
    ) -> FakeStream:
        """Open a stream, or raise ``refuses``."""
        if language not in self._languages:
            raise LanguageUnknown(f"{self.model} does not know {language!r}", field="language")
        checked_phrases(phrases)
        if self.refuses is not None:
            raise self.refuses
        if len(self.streams) >= self.most:
            raise RecogniserBusy("every recogniser has a stream")
        stream = FakeStream(self, at)
        self.streams.add(stream)
        self.opened.append(stream)
        return stream

    def lose_all(self) -> None:
        """Kill the recogniser: every stream is lost."""
        for stream in list(self.streams):
            stream.lose()

    async def aclose(self) -> None:
        """End every stream."""
        self.lose_all()


class FakeRecognition:
    """Implements :class:`speech.ports.Recognition` with one transcriber for its languages."""

    def __init__(self, transcriber: Transcriber | None = None) -> None:
        self.transcriber = transcriber or FakeTranscriber()

    @property
    def languages(self) -> frozenset[str]:
        """Its transcriber's."""
        return self.transcriber.capabilities.languages

    def choose(self, language: str, *, background: bool = False) -> Transcriber:
        """Return the transcriber."""
        if language not in self.languages:
            raise ModelMissing(f"no model for the language {language!r} is installed", language=language)
        return self.transcriber
