"""One speaker of one call, listened to: sound from the network in, texts and marks for what is missing out.

Whatever happens to the recogniser, the network's side never waits and the text is never late for long: what
cannot be listened to in time becomes a gap. A recogniser that dies, or that is not free, is asked for again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Histogram

from kernel.clock import Clock
from kernel.errors import HuifangError
from speech.buffer import BufferConfig, Gap, GapReason, Sound, SoundBuffer, Track
from speech.listener import Ended
from speech.ports import BYTES_PER_SECOND, Heard, RecogniserBehind, Recognition, Stream

log = structlog.get_logger(__name__)

DELAY = Histogram(
    "huifang_speech_delay_seconds",
    "From the end of what was said to its text",
    ["kind"],
    buckets=(0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
)
GAPS = Counter("huifang_speech_gaps_total", "Gaps in live text", ["reason"])


class Hears(Protocol):
    """Who is told what an ear hears. Its methods return at once."""

    def heard(self, piece: Heard, delay: float) -> None:
        """Take a text; its times are on the call's clock. ``delay``: seconds from its end until now."""
        ...

    def missed(self, gap: Gap) -> None:
        """Take that sound is missing."""
        ...

    def state(self, state: str, delay: float, reason: str) -> None:
        """Take how listening goes: ``listening``, ``waiting`` or ``ended``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EarConfig:
    """Patience of an ear.

    Attributes:
        gather: sound is given on when so much has come: 20 ms at a time costs more than it brings.
        silence: given to the recogniser for a gap, so that what stood on both sides is not one sentence.
        patience: how long a recogniser may take nothing.
        retry: first pause before a recogniser is asked for again; doubles up to ``retry_most``.
        finish: how long the last words may take after the end.
        tell: how often the delay is told while nothing else is.
    """

    gather: timedelta = timedelta(milliseconds=100)
    silence: timedelta = timedelta(milliseconds=600)
    patience: timedelta = timedelta(seconds=2)
    retry: timedelta = timedelta(milliseconds=250)
    retry_most: timedelta = timedelta(seconds=10)
    finish: timedelta = timedelta(seconds=10)
    tell: timedelta = timedelta(seconds=1)
    buffer: BufferConfig = field(default_factory=BufferConfig)


class Ear:
    """A :class:`speech.listener.Sink` with a recogniser behind it. Run :meth:`run` until it returns.

    Args:
        began: when the call began, on the clock's monotonic seconds: zero of the call's clock.
        phrases: names that may be said.
    """

    def __init__(
        self,
        recognition: Recognition,
        language: str,
        hears: Hears,
        *,
        clock: Clock,
        began: float,
        phrases: Sequence[str] = (),
        config: EarConfig | None = None,
    ) -> None:
        self._recognition = recognition
        self._language = language
        self._hears = hears
        self._clock = clock
        self._phrases = phrases
        self._config = config or EarConfig()
        now = clock.monotonic()
        self._buffer = SoundBuffer(now=now, at=now - began, config=self._config.buffer)
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._partial = ""
        self._told: tuple[str, str] = ("", "")
        self._told_at = 0.0

    @property
    def covered(self) -> float | None:
        """Up to where on the call's clock sound came, or was missed for a reason; ``None`` before any."""
        return self._buffer.until

    # -- the network's side --------------------------------------------------------------------------

    def opened(self) -> None:
        """Take that sound follows."""

    def sound(self, pcm: bytes) -> None:
        """Take sound; never waits."""
        self._buffer.push(pcm, self._clock.monotonic())
        if self._buffer.waiting >= self._config.gather.total_seconds():
            self._wake.set()

    def closed(self, reason: Ended) -> None:
        """Take that nothing more comes."""
        self._buffer.end()
        self._closed.set()
        self._wake.set()

    # -- the recogniser's side -----------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until the stream has ended and its last words are told. Cancelling leaves them out."""
        pause = self._config.retry.total_seconds()
        try:
            while not (self._closed.is_set() and self._buffer.empty):
                try:
                    transcriber = self._recognition.choose(self._language)
                    stream = await transcriber.open(
                        self._language, phrases=self._phrases, patience=self._config.patience
                    )
                except HuifangError as error:
                    self._tell("waiting", error.code)
                    log.warning("speech_recogniser_missing", error=error.code, retryable=error.retryable)
                    await self._rest(pause)
                    pause = min(pause * 2, self._config.retry_most.total_seconds())
                    continue
                async with stream:
                    if await _Listening(self, stream, self._config).whole():
                        return
                await self._rest(pause)
                pause = min(pause * 2, self._config.retry_most.total_seconds())
        finally:
            self._tell("ended")

    async def _rest(self, seconds: float) -> None:
        """Wait for a recogniser; what comes meanwhile is kept within the buffer's bounds."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        # Nobody listens any more: what waits is missed, and so is the end.
        start = end = lost = 0.0
        while (item := self._buffer.take()) is not None:
            gap = item if isinstance(item, Gap) else _missed(item, GapReason.NOT_TAPPED)
            start, end, lost = (start if end else gap.start), gap.end, lost + gap.lost
        if end:
            self.miss(Gap(start, end, GapReason.NOT_TAPPED, lost))

    async def next(self) -> Sound | Gap | None:
        """Return what comes next; ``None`` at the end."""
        while True:
            item = self._buffer.take()
            if item is not None or self._closed.is_set():
                return item
            self._wake.clear()
            await self._wake.wait()

    def hear(self, piece: Heard) -> None:
        """Tell a text whose times are on the call's clock."""
        if not piece.is_final and piece.text == self._partial:
            return
        self._partial = "" if piece.is_final else piece.text
        delay = max(0.0, self._buffer.position(self._clock.monotonic()) - piece.end)
        DELAY.labels(piece.kind.value).observe(delay)
        self._hears.heard(piece, delay)

    def miss(self, gap: Gap) -> None:
        """Tell that sound is missing."""
        GAPS.labels(gap.reason.value).inc()
        self._hears.missed(gap)

    def listening(self, lag: float) -> None:
        """Tell how far behind the recogniser is, now and then."""
        now = self._clock.monotonic()
        if self._told[0] == "listening" and now - self._told_at < self._config.tell.total_seconds():
            return
        self._told_at = now
        self._tell("listening", delay=lag + self._buffer.waiting)

    def _tell(self, state: str, reason: str = "", *, delay: float = 0.0) -> None:
        if state == "listening" or (state, reason) != self._told:
            self._told = (state, reason)
            self._hears.state(state, delay, reason)


class _Listening:
    """One recogniser at work for an ear, until the stream ends or the recogniser does."""

    def __init__(self, ear: Ear, stream: Stream, config: EarConfig) -> None:
        self._ear = ear
        self._stream = stream
        self._track = Track()
        self._said_until = 0.0
        self._config = config

    async def whole(self) -> bool:
        """Return whether the stream was listened to until its end."""
        reading = asyncio.create_task(self._read())
        feeding = asyncio.create_task(self._feed())
        try:
            await asyncio.wait({reading, feeding}, return_when=asyncio.FIRST_EXCEPTION)
            if feeding.done() and not feeding.cancelled() and feeding.exception() is None:
                await asyncio.wait({reading}, timeout=self._config.finish.total_seconds())
            for task in (feeding, reading):
                if task.done() and (error := task.exception()) is not None:
                    self._lost(error)
                    return False
            if not reading.done():
                self._lost(TimeoutError())
            return True
        finally:
            for task in (feeding, reading):
                task.cancel()
            await asyncio.gather(feeding, reading, return_exceptions=True)

    async def _feed(self) -> None:
        while (item := await self._ear.next()) is not None:
            if isinstance(item, Gap):
                # A telephone that sends nothing while nobody speaks leaves a hole, in the recording as well:
                # what Asterisk had has come. Only what came and was dropped is missing.
                if item.reason is not GapReason.STOPPED or item.lost:
                    self._ear.miss(item)
                await self._pause()
                continue
            self._track.note(self._stream.fed, item.start)  # before: its text may come at once
            try:
                await self._stream.feed(item.pcm)
            except RecogniserBehind:
                self._ear.miss(_missed(item, GapReason.BEHIND))
                continue
            self._ear.listening(self._stream.lag)
        await self._stream.finish()

    async def _pause(self) -> None:
        if self._stream.fed > 0:
            size = int(self._config.silence.total_seconds() * BYTES_PER_SECOND) // 2 * 2
            try:
                await self._stream.feed(bytes(size))
            except RecogniserBehind:
                return

    async def _read(self) -> None:
        async for piece in self._stream.heard():
            if piece.is_final:
                self._said_until = max(self._said_until, piece.end)
            self._ear.hear(self._placed(piece))

    def _placed(self, piece: Heard) -> Heard:
        place = self._track.place
        start = place(piece.start)
        words = tuple(
            replace(word, start=place(word.start), end=max(place(word.start), place(word.end)))
            for word in piece.words
        )
        return replace(piece, start=start, end=max(start, place(piece.end)), words=words)

    def _lost(self, error: BaseException) -> None:
        if not isinstance(error, HuifangError | TimeoutError):
            raise error
        code = error.code if isinstance(error, HuifangError) else "deadline_exceeded"
        log.warning("speech_recogniser_lost", error=code)
        start, end = self._said_until, self._stream.fed
        if end - start > 0.05:
            gap = Gap(
                self._track.place(start), self._track.place(end), GapReason.RECOGNISER_LOST, end - start
            )
            self._ear.miss(gap)


def _missed(sound: Sound, reason: GapReason) -> Gap:
    return Gap(sound.start, sound.end, reason, sound.end - sound.start)
