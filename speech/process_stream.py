"""One speaker's stream into a recogniser's process: what was given, what was listened to, what was heard."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from prometheus_client import Counter

from kernel.errors import HuifangError
from speech.ports import (
    BYTES_PER_SECOND,
    SAMPLE_BYTES,
    AudioInvalid,
    Heard,
    RecogniserBehind,
    RecogniserLost,
)
from speech.wire import AUDIO_BYTES, Frame, Kind, encode, heard_from_json

SOUND = Counter("huifang_recogniser_sound_seconds_total", "Sound that was listened to", ["engine"])

BACKLOG_SECONDS = 10.0
"""So much sound may wait for a recogniser; then ``feed`` waits."""

UNREAD_PIECES = 500
"""So many pieces may wait to be read; then ``feed`` waits."""


class Home(Protocol):
    """The process that a stream is in."""

    @property
    def engine(self) -> str: ...
    @property
    def model(self) -> str: ...
    def send(self, data: bytes) -> None:
        """Write to the process."""
        ...

    def forget(self, number: int, *, ended: bool) -> None:
        """Let go of a stream."""
        ...


class ProcessStream:
    """Implements :class:`speech.ports.Stream`."""

    def __init__(self, process: Home, number: int, at: float, patience: timedelta) -> None:
        self._process = process
        self._number = number
        self._at = at
        self._patience = patience.total_seconds()
        self._half = b""
        self._given = 0  # bytes
        self._taken = 0
        self._pieces: deque[Heard] = deque()
        self._change = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._error: HuifangError | None = None
        self._finished = self._ended = self._closed = False
        self.opened = asyncio.Event()

    @property
    def fed(self) -> float:
        """Seconds on the stream's clock up to which sound was given."""
        return self._at + self._given / BYTES_PER_SECOND

    @property
    def lag(self) -> float:
        """Seconds of sound that were given and not yet listened to."""
        return max(self._given - self._taken, 0) / BYTES_PER_SECOND

    @property
    def waits(self) -> bool:
        """Whether the process owes it something."""
        if self._ended or self._closed:
            return False
        return not self.opened.is_set() or self._finished or self.lag > 1.0

    async def feed(self, pcm: bytes) -> None:
        """Give the next piece of sound; see the port."""
        if not isinstance(pcm, bytes | bytearray | memoryview):
            raise AudioInvalid(f"sound is bytes, not {type(pcm).__name__}", field="pcm")
        if self._finished or self._closed:
            raise AudioInvalid("the stream was finished: open another", field="pcm")
        data = self._half + bytes(pcm)
        self._half = b""
        whole = len(data) // SAMPLE_BYTES * SAMPLE_BYTES
        for start in range(0, whole, AUDIO_BYTES):
            await self._wait_for_room()
            part = data[start : min(start + AUDIO_BYTES, whole)]
            self._given += len(part)
            self._look_for_room()
            self._process.send(encode(Kind.AUDIO, self._number, part))
        self._half = data[whole:]
        if self._error is not None:
            raise self._error

    async def _wait_for_room(self) -> None:
        if self._error is None and not self._room.is_set():
            try:
                async with asyncio.timeout(self._patience):
                    await self._room.wait()
            except TimeoutError as error:
                raise RecogniserBehind(
                    f"the recogniser has been behind for {self._patience:.0f} s", lag=round(self.lag, 1)
                ) from error
        if self._error is not None:
            raise self._error

    def _look_for_room(self) -> None:
        if self.lag < BACKLOG_SECONDS and len(self._pieces) < UNREAD_PIECES:
            self._room.set()
        else:
            self._room.clear()

    async def heard(self) -> AsyncIterator[Heard]:
        """Yield pieces as they are heard; see the port."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._look_for_room()
                yield piece
            if self._closed or self._ended:
                return
            if self._error is not None:
                raise self._error
            self._change.clear()
            await self._change.wait()

    async def finish(self) -> None:
        """Say that no more sound comes."""
        if not (self._finished or self._closed):
            self._finished = True
            self._half = b""
            self._process.send(encode(Kind.FINISH, self._number))

    async def aclose(self) -> None:
        """Let go of the stream now."""
        if not self._closed:
            self._closed = True
            self._pieces.clear()
            self._process.forget(self._number, ended=self._ended)
            self._wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the stream."""
        await self.aclose()

    def take(self, frame: Frame) -> None:
        """Take what the process says to this stream."""
        if frame.kind is Kind.OPENED:
            self.opened.set()
        elif frame.kind is Kind.HEARD:
            home = self._process
            self._add(heard_from_json(frame.json(), at=self._at, engine=home.engine, model=home.model))
        elif frame.kind is Kind.TAKEN:
            count = int.from_bytes(frame.payload, "big")
            self._taken += count
            SOUND.labels(self._process.engine).inc(count / BYTES_PER_SECOND)
        elif frame.kind is Kind.FINISHED:
            self._ended = True
            self._process.forget(self._number, ended=True)
        self._wake()

    def _add(self, piece: Heard) -> None:
        # A partial that nobody has read is no longer true.
        if self._pieces and not self._pieces[-1].is_final:
            self._pieces.pop()
        self._pieces.append(piece)

    def lose(self, error: HuifangError) -> None:
        """End with an error."""
        self._error = error
        self.opened.set()
        self._wake()
        self._room.set()

    def _wake(self) -> None:
        self._look_for_room()
        self._change.set()

    async def wait_open(self, within: timedelta) -> None:
        """Return when the recogniser is ready for the stream.

        Raises:
            RecogniserLost: it died, or was not ready in time.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self.opened.wait()
        except TimeoutError as error:
            await self.aclose()
            raise RecogniserLost("the recogniser did not open a stream in time") from error
        if self._error is not None:
            raise self._error
