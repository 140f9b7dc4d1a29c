"""Live text: an ear for every tapped speaker, its texts to the pages and to the database."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.ids import new_ulid
from speech.buffer import Gap, GapReason
from speech.ear import Ear, EarConfig
from speech.events import MAX_TEXT, SpeechHeard, SpeechMissed, SpeechState, SpokenWord
from speech.listener import Ended, StreamListener
from speech.ports import Heard, Recognition
from speech.transcripts import Segment, TranscriptWriter

log = structlog.get_logger(__name__)

Read = Callable[[str], str]
"""Makes what a recogniser wrote fit to read; never fails."""

LATE = 1.5
"""Seconds behind the voice from which on live text is late."""
LATE_FOR = 10.0
"""Seconds for which it then counts as late: whoever makes text after the call waits."""
UNTAPPED = 2.0
"""Seconds at the end of a tap that had no sound and are no gap: the channel was hanging up."""


@dataclass(slots=True, eq=False)
class _Speaker:
    call_id: str
    speaker: str
    agent_number: str | None
    began: float
    stream: UUID | None = None
    ear: Ear | None = None


class LiveText:
    """Listens to speakers whose sound comes to the listener. All of it belongs to one event loop."""

    def __init__(
        self,
        listener: StreamListener,
        recognition: Recognition,
        writer: TranscriptWriter,
        *,
        bus: Bus,
        clock: Clock,
        language: str = "zh",
        phrases: Callable[[], Sequence[str]] = tuple,
        read: Read = str,
        config: EarConfig | None = None,
    ) -> None:
        self._listener = listener
        self._recognition = recognition
        self._writer = writer
        self._bus = bus
        self._clock = clock
        self._language = language
        self._phrases = phrases
        self._read = read
        self._config = config
        self._speakers: dict[UUID, _Speaker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._late_until = 0.0

    def is_late(self) -> bool:
        """Return whether live text was late a moment ago."""
        return self._clock.monotonic() < self._late_until

    @property
    def available(self) -> bool:
        """Whether something installed knows the language."""
        return self._language in self._recognition.languages

    @property
    def speakers(self) -> int:
        """Speakers who are listened to, or are about to be."""
        return len(self._speakers)

    def expect(
        self,
        call_id: str,
        speaker: str,
        *,
        agent_number: str | None = None,
        call_age: timedelta,
        on_end: Callable[[str], None] | None = None,
        language: str = "",
    ) -> UUID:
        """Have an ear ready for a speaker; return the id under which their sound must come.

        Args:
            call_age: how long ago the call began: text is timed from there.
            language: of the call; without one, or if nothing installed knows it, the usual one.
            on_end: told why the stream ended (:class:`speech.listener.Ended`), once.

        Raises:
            TooMany: as many streams as there may be.
        """
        known = _Speaker(
            call_id, speaker, agent_number, self._clock.monotonic() - max(0.0, call_age.total_seconds())
        )
        told = _Told(self, known)
        spoken = language if language in self._recognition.languages else self._language
        ear = Ear(
            self._recognition,
            spoken,
            told,
            clock=self._clock,
            began=known.began,
            phrases=self._phrases() if spoken == self._language else (),
            config=self._config,
        )
        known.ear = ear
        stream = known.stream = self._listener.expect(_Stream(self, known, ear, on_end))
        self._speakers[stream] = known
        return stream

    def close(self, stream: UUID) -> None:
        """End a stream: Asterisk hangs its tap up. The last words are told still."""
        self._listener.close(stream)

    def merge(self, call_id: str, into: str) -> None:
        """Take that a call became part of another."""
        for known in self._speakers.values():
            if known.call_id == call_id:
                known.call_id = into
        self._writer.merge(call_id, into)

    def missed(
        self, call_id: str, speaker: str, start: float, end: float, *, agent_number: str | None = None
    ) -> None:
        """Note that nobody listened to a speaker for a while."""
        if end - start > UNTAPPED:
            self._note_gap(call_id, speaker, agent_number, Gap(start, end, GapReason.NOT_TAPPED))

    async def close_all(self) -> None:
        """End every stream and wait for the last words, for some seconds."""
        for stream in tuple(self._speakers):
            self._listener.close(stream)
        left = tuple(self._tasks)
        if left:
            _, late = await asyncio.wait(left, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- what ears tell ------------------------------------------------------------------------------

    def begin(self, known: _Speaker) -> None:
        """Take that a speaker's sound comes."""
        assert known.ear is not None
        task = asyncio.create_task(known.ear.run(), name=f"ear-{known.call_id}-{known.speaker}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("ear_failed", error=f"{type(error).__name__}: {error}"[:200])

    def forget(self, known: _Speaker) -> None:
        """Take that no more sound of a speaker comes."""
        if known.stream is not None:
            self._speakers.pop(known.stream, None)

    def note(self, known: _Speaker, piece: Heard, delay: float) -> None:
        """Tell a text, and keep it if it is final."""
        if delay > LATE:
            self._late_until = self._clock.monotonic() + LATE_FOR
        raw = piece.text[:MAX_TEXT]
        text = self._read(raw)[:MAX_TEXT]
        if not text:
            return
        segment_id = new_ulid() if piece.is_final else ""
        words = tuple(
            SpokenWord(text=word.text, start=word.start, end=word.end, confidence=word.confidence)
            for word in piece.words[:MAX_TEXT]
        )
        if piece.is_final:
            self._writer.add(
                Segment(
                    segment_id=segment_id,
                    call_id=known.call_id,
                    speaker=known.speaker,
                    agent_number=known.agent_number,
                    start=piece.start,
                    end=piece.end,
                    raw=raw,
                    text=text,
                    words=tuple(asdict(word) for word in words),
                    engine=piece.engine,
                    model=piece.model,
                    created_at=self._clock.now(),
                )
            )
        self._bus.publish(
            SpeechHeard(
                at=self._clock.now(),
                call_id=known.call_id,
                speaker=known.speaker,
                agent_number=known.agent_number,
                kind=piece.kind.value,
                segment_id=segment_id,
                text=text,
                start=piece.start,
                end=piece.end,
                delay_seconds=delay,
                words=words,
                engine=piece.engine,
                model=piece.model,
            )
        )

    def note_gap(self, known: _Speaker, gap: Gap) -> None:
        """Tell and keep that sound is missing."""
        self._note_gap(known.call_id, known.speaker, known.agent_number, gap)

    def _note_gap(self, call_id: str, speaker: str, agent_number: str | None, gap: Gap) -> None:
        segment_id, now = new_ulid(), self._clock.now()
        self._writer.add(
            Segment(
                segment_id=segment_id,
                call_id=call_id,
                speaker=speaker,
                agent_number=agent_number,
                start=gap.start,
                end=gap.end,
                gap=gap.reason.value,
                lost=gap.lost,
                created_at=now,
            )
        )
        self._bus.publish(
            SpeechMissed(
                at=now,
                call_id=call_id,
                speaker=speaker,
                segment_id=segment_id,
                start=gap.start,
                end=gap.end,
                reason=gap.reason.value,
                lost_seconds=gap.lost,
            )
        )

    def note_state(self, known: _Speaker, state: str, delay: float, reason: str) -> None:
        """Tell how listening goes."""
        if delay > LATE:
            self._late_until = self._clock.monotonic() + LATE_FOR
        self._bus.publish(
            SpeechState(
                at=self._clock.now(),
                call_id=known.call_id,
                speaker=known.speaker,
                state=state,
                delay_seconds=round(delay, 2),
                reason=reason,
            )
        )


class _Told:
    """Takes what an ear hears."""

    def __init__(self, live: LiveText, known: _Speaker) -> None:
        self._live = live
        self._known = known

    def heard(self, piece: Heard, delay: float) -> None:
        self._live.note(self._known, piece, delay)

    def missed(self, gap: Gap) -> None:
        self._live.note_gap(self._known, gap)

    def state(self, state: str, delay: float, reason: str) -> None:
        self._live.note_state(self._known, state, delay, reason)


class _Stream:
    """The listener's sink: the ear, and whoever wants to know of the end."""

    def __init__(
        self, live: LiveText, known: _Speaker, ear: Ear, on_end: Callable[[str], None] | None
    ) -> None:
        self._live = live
        self._known = known
        self._ear = ear
        self._on_end = on_end

    def opened(self) -> None:
        self._live.begin(self._known)

    def sound(self, pcm: bytes) -> None:
        self._ear.sound(pcm)

    def closed(self, reason: Ended) -> None:
        self._ear.closed(reason)
        self._live.forget(self._known)
        if self._on_end is not None:
            self._on_end(reason.value)
