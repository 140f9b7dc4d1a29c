"""A recogniser that hears loudness and says what a script has it say; the port's behaviour, no model.

A stretch of sound is one utterance: while it goes on a partial grows by a character for each 0.2 s, and after
a pause the next line of the script is final.
"""

import array
import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from speech.ports import (
    BYTES_PER_SECOND,
    Capabilities,
    Heard,
    LanguageUnknown,
    ModelMissing,
    PieceKind,
    RecogniserBehind,
    RecogniserBusy,
    RecogniserLost,
    Word,
)

LOUD = 500


class FakeStream:
    """One speaker. ``lose()`` kills the recogniser, ``stall`` makes it take nothing."""

    def __init__(self, owner: "FakeRecogniser", at: float, patience: timedelta) -> None:
        self._owner = owner
        self._patience = patience.total_seconds()
        self._pieces: asyncio.Queue[Heard | RecogniserLost | None] = asyncio.Queue()
        self._started: float | None = None
        self._silent = 0.0
        self.fed = at
        self.lag = 0.0
        self.stalled = asyncio.Event()
        self.stalled.set()
        self.ended = False

    def lose(self) -> None:
        """Die as a killed process does."""
        self.ended = True
        self._pieces.put_nowait(RecogniserLost("killed"))

    async def feed(self, pcm: bytes) -> None:
        if self.ended:
            raise RecogniserLost("killed")
        try:
            async with asyncio.timeout(self._patience):
                await self.stalled.wait()
        except TimeoutError:
            raise RecogniserBehind("stalled") from None
        for at in range(0, len(pcm), 320):
            self._hear(pcm[at : at + 320])

    def _hear(self, pcm: bytes) -> None:
        length = len(pcm) / BYTES_PER_SECOND
        samples = array.array("h", pcm[: len(pcm) // 2 * 2])
        start, self.fed = self.fed, self.fed + length
        if max(map(abs, samples), default=0) >= LOUD:
            self._started = start if self._started is None else self._started
            self._silent = 0.0
            grown = int((self.fed - self._started) / 0.2)
            if grown:
                line = self._owner.line()
                self._pieces.put_nowait(self._piece(PieceKind.PARTIAL, line[:grown] or line, self.fed))
        elif self._started is not None:
            self._silent += length
            if self._silent >= self._owner.pause:
                self._finish()

    def _finish(self) -> None:
        if self._started is not None:
            piece = self._piece(PieceKind.FINAL, self._owner.next_line(), self.fed - self._silent)
            self._pieces.put_nowait(piece)
            self._started = None

    def _piece(self, kind: PieceKind, text: str, end: float) -> Heard:
        start = self._started or 0.0
        words: tuple[Word, ...] = ()
        if kind is PieceKind.FINAL:
            step = (end - start) / max(1, len(text))
            words = tuple(
                Word(text=char, start=start + n * step, end=start + (n + 1) * step, confidence=0.9)
                for n, char in enumerate(text)
            )
        return Heard(kind=kind, text=text, start=start, end=end, words=words, engine="fake", model="script")

    async def heard(self) -> AsyncIterator[Heard]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, RecogniserLost):
                raise piece
            yield piece

    async def finish(self) -> None:
        self._finish()
        self._pieces.put_nowait(None)

    async def aclose(self) -> None:
        if self in self._owner.streams:
            self._owner.streams.remove(self)
        self._pieces.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class FakeRecogniser:
    """Implements :class:`speech.ports.Transcriber` and :class:`speech.ports.Recognition`.

    Args:
        script: what is said, line by line; the last one again and again.
        pause: seconds of silence that end an utterance.
    """

    engine = "fake"
    model = "script"

    def __init__(
        self, *script: str, places: int = 16, languages: Sequence[str] = ("zh",), pause: float = 0.3
    ) -> None:
        self._script = script or ("我家卫生间漏水",)
        self._said = 0
        self.places = places
        self.pause = pause
        self.languages = frozenset(languages)
        self.streams: list[FakeStream] = []
        self.opened = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streaming=True, partials=True, word_times=True, phrases=False, languages=self.languages
        )

    def line(self) -> str:
        """Return the line that is being said."""
        return self._script[min(self._said, len(self._script) - 1)]

    def next_line(self) -> str:
        """Return it and go on to the next."""
        line = self.line()
        self._said += 1
        return line

    def choose(self, language: str, *, background: bool = False) -> "FakeRecogniser":
        if not self.languages:
            raise ModelMissing("no model: install one")
        if language not in self.languages:
            raise LanguageUnknown(language)
        return self

    async def open(
        self,
        language: str,
        *,
        at: float = 0.0,
        phrases: Sequence[str] = (),
        background: bool = False,
        patience: timedelta = timedelta(seconds=5),
    ) -> FakeStream:
        if len(self.streams) >= self.places:
            raise RecogniserBusy("every recogniser has a stream")
        stream = FakeStream(self, at, patience)
        self.streams.append(stream)
        self.opened += 1
        return stream

    async def aclose(self) -> None:
        for stream in tuple(self.streams):
            await stream.aclose()
