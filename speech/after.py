"""Text after the call, from its recording: what was not tapped, had gaps, or was heard by a lesser model.

Each ended call is a row that is due; complaints come first. A recogniser of its own, which yields to
everything else on the machine, listens to one recording at a time, and stops while live text is late.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from pathlib import Path

import structlog
from prometheus_client import Counter
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import HuifangError
from kernel.ids import new_ulid
from kernel.outbox import add_fact
from speech.after_plan import Stretch, replaced_by, to_hear, without
from speech.after_tables import TranscriptJobRow
from speech.batch import transcribe
from speech.events import MAX_TEXT, TranscriptMade
from speech.ports import EngineMissing, Heard, ModelDamaged, ModelMissing, Recognition, Transcriber
from speech.recorded import sound, tracks_of
from speech.tables import SegmentRow
from speech.transcripts import Segment, store_segments, to_segment

log = structlog.get_logger(__name__)

MADE = Counter("huifang_speech_after_seconds_total", "Recorded sound that was made text after the call")
FAILED = Counter("huifang_speech_after_failed_total", "Recordings that no text could be made of", ["reason"])

SETTLE = timedelta(seconds=5)
"""After the call: the last live words and the end of the recording are written."""
LEASE = timedelta(minutes=2)
TOLD = timedelta(seconds=15)
"""How often it is written down how far it is; the lease begins anew then."""
MODEL_PAUSE = timedelta(minutes=5)
"""Until it is tried again when no model is installed, or it is damaged."""
RETRY = timedelta(seconds=30)
MOST_TRIES = 6
KEPT = timedelta(days=30)
"""How long it is known that a call was done."""
YIELD_SECONDS = 1.0
MOST_YIELDS = 600


class Priority(IntEnum):
    """What is heard first."""

    COMPLAINT = 0
    CALLBACK = 1
    OTHER = 2


class JobState(StrEnum):
    """How far a call is."""

    WAITING = "waiting"
    DONE = "done"
    NOTHING = "nothing"
    """There is no recording, or nothing in it that was not text already."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A call of which text is being made. ``audio_seconds`` is ``None`` until somebody has looked."""

    call_id: str
    priority: Priority
    state: JobState
    reason: str
    audio_seconds: float | None
    heard_seconds: float
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the text after the calls is.

    Attributes:
        waiting: calls, those in work among them.
        working: calls that somebody listens to at the moment.
        oldest_at: since when the one waits that has waited longest.
        reason: why nothing moves, as the code of an error; "" if it does.
        done, failed: since the given moment.
    """

    waiting: int
    working: tuple[JobView, ...]
    oldest_at: datetime | None
    reason: str
    done: int
    failed: int


async def want_text(
    session: AsyncSession,
    call_id: str,
    *,
    priority: Priority,
    language: str,
    call_at: datetime,
    began: float,
    agent_number: str | None,
    now: datetime,
) -> None:
    """Have text made of a call's recording soon; asked twice it is made once.

    Args:
        call_at: when the call began.
        began: seconds from there to its first recorded sound.
    """
    if await session.get(TranscriptJobRow, call_id) is not None:
        return
    session.add(
        TranscriptJobRow(
            call_id=call_id,
            priority=priority.value,
            state=JobState.WAITING.value,
            language=language,
            agent_number=agent_number,
            call_at=call_at,
            began=max(0.0, began),
            heard_seconds=0.0,
            reason="",
            tries=0,
            created_at=now,
            due_at=now + SETTLE,
        )
    )


async def progress_of(database: Database, *, since: datetime, now: datetime) -> Progress:
    """Return how far the text after the calls is; finished ones are counted from ``since`` on."""
    table = TranscriptJobRow
    async with database.session() as session:
        waits = table.state == JobState.WAITING.value
        waiting, oldest = (
            await session.execute(select(func.count(), func.min(table.created_at)).where(waits))
        ).one()
        busy = await session.scalars(
            select(table).where(waits, table.claimed_until > now, table.audio_seconds.is_not(None)).limit(20)
        )
        working = tuple(job_view(row) for row in busy)
        reason = await session.scalar(
            select(table.reason).where(waits, table.reason != "").order_by(table.due_at).limit(1)
        )
        query = select(table.state, func.count()).where(table.finished_at >= since).group_by(table.state)
        ended = dict((await session.execute(query)).all())
    return Progress(
        waiting=waiting,
        working=working,
        oldest_at=oldest,
        reason="" if working else reason or "",
        done=ended.get(JobState.DONE.value, 0) + ended.get(JobState.NOTHING.value, 0),
        failed=ended.get(JobState.FAILED.value, 0),
    )


class AfterCall:
    """Makes text of recordings. Give :meth:`run` to the supervisor.

    Args:
        folder: where recordings are.
        read: makes what a recogniser wrote fit to read.
        late: whether live text is late at the moment: it comes first.
    """

    def __init__(
        self,
        database: Database,
        recognition: Recognition,
        *,
        clock: Clock,
        bus: Bus,
        folder: Path,
        worker: str,
        read: Callable[[str], str] = str,
        phrases: Callable[[], Sequence[str]] = tuple,
        late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._recognition = recognition
        self._clock = clock
        self._bus = bus
        self._folder = folder
        self._read = read
        self._phrases = phrases
        self._late = late
        self._worker = DueWorker(
            database,
            clock,
            TranscriptJobRow,
            self._handle,
            worker=worker,
            lease=LEASE,
            poll=timedelta(seconds=2),
            batch=1,
            first=(TranscriptJobRow.priority,),
        )

    def wake(self) -> None:
        """Look at once."""
        self._worker.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        await self._worker.run()

    async def run_once(self) -> int:
        """Do the first call that is due; return how many there were: none or one."""
        return await self._worker.run_once()

    async def _handle(self, rows: Sequence[TranscriptJobRow]) -> None:
        for row in rows:
            try:
                await self._work(row)
            except HuifangError as error:
                await self._put_off(row, error)
            except OSError as error:
                log.warning("recording_not_read", call_id=row.call_id, error=type(error).__name__)
                await self._end(row, JobState.FAILED, "recording_unreadable")

    async def _work(self, row: TranscriptJobRow) -> None:
        transcriber = self._recognition.choose(row.language, background=True)
        segments = await self._segments(row.call_id)
        tracks = await asyncio.to_thread(
            tracks_of, self._folder, row.call_id, began=row.began, started_at=row.call_at.timestamp()
        )
        stretches = [one for track in tracks for one in to_hear(track, segments, transcriber.model)]
        if not stretches:
            await self._end(row, JobState.NOTHING)
            return
        row.audio_seconds, row.heard_seconds = sum(one.seconds for one in stretches), 0.0
        await self._tell(row)
        for stretch in stretches:
            said = await self._listen(row, stretch, transcriber)
            if not await self._keep(row, stretch, said, transcriber):
                return
        await self._end(row, JobState.DONE)

    async def _listen(
        self, row: TranscriptJobRow, stretch: Stretch, transcriber: Transcriber
    ) -> tuple[Segment, ...]:
        found: list[Segment] = []
        heard = transcribe(
            transcriber,
            self._sound(row, stretch),
            row.language,
            at=stretch.start,
            phrases=self._phrases(),
        )
        async for piece in heard:
            segment = self._segment(row, stretch, piece)
            if segment is not None:
                found.append(segment)
        return tuple(found)

    async def _sound(self, row: TranscriptJobRow, stretch: Stretch) -> AsyncIterator[bytes]:
        """Yield the stretch, slowly while live text is late, and write down how far it is."""
        before, told = row.heard_seconds, self._clock.monotonic()
        given = 0
        async for piece in sound(stretch.track, stretch.start, stretch.end):
            for _ in range(MOST_YIELDS):
                if not self._late():
                    break
                await asyncio.sleep(YIELD_SECONDS)
                told = await self._told(row, told)
            yield piece
            given += 1
            row.heard_seconds = min(before + given, row.audio_seconds or 0.0)
            told = await self._told(row, told)
        MADE.inc(given)

    async def _told(self, row: TranscriptJobRow, told: float) -> float:
        now = self._clock.monotonic()
        if now - told < TOLD.total_seconds():
            return told
        await self._tell(row)
        return now

    async def _tell(self, row: TranscriptJobRow) -> None:
        """Write down how far it is; the claim is ours for another while."""
        until = self._clock.now() + LEASE
        async with self._database.transaction() as session:
            await session.execute(
                update(TranscriptJobRow)
                .where(TranscriptJobRow.call_id == row.call_id)
                .values(
                    audio_seconds=row.audio_seconds, heard_seconds=row.heard_seconds, claimed_until=until
                ),
                execution_options={"synchronize_session": False},
            )

    def _segment(self, row: TranscriptJobRow, stretch: Stretch, piece: Heard) -> Segment | None:
        raw = piece.text[:MAX_TEXT]
        text = self._read(raw)[:MAX_TEXT]
        if not text:
            return None
        speaker = stretch.track.speaker
        return Segment(
            segment_id=new_ulid(),
            call_id=row.call_id,
            speaker=speaker,
            agent_number=row.agent_number if speaker == "agent" else None,
            start=piece.start,
            end=piece.end,
            raw=raw,
            text=text,
            words=tuple(asdict(word) for word in piece.words[:MAX_TEXT]),
            engine=piece.engine,
            model=piece.model,
            source="after",
            created_at=self._clock.now(),
        )

    async def _keep(
        self, row: TranscriptJobRow, stretch: Stretch, said: Sequence[Segment], transcriber: Transcriber
    ) -> bool:
        """Put the new text in the place of the old, which stays readable; done twice it is there once.

        Of a call that was erased meanwhile nothing is kept; then it returns false.
        """
        now = self._clock.now()
        async with self._database.transaction() as session:
            if await session.get(TranscriptJobRow, row.call_id, with_for_update=True) is None:
                return False
            query = select(SegmentRow).where(
                SegmentRow.call_id == row.call_id, SegmentRow.replaced_at.is_(None)
            )
            there = [to_segment(one) for one in await session.scalars(query)]
            gone = set(replaced_by(stretch, there, model=transcriber.model))
            if gone:
                await session.execute(
                    update(SegmentRow).where(SegmentRow.segment_id.in_(gone)).values(replaced_at=now),
                    execution_options={"synchronize_session": False},
                )
            new = without(said, [one for one in there if one.segment_id not in gone])
            await store_segments(session, new)
        return True

    async def _segments(self, call_id: str) -> tuple[Segment, ...]:
        query = select(SegmentRow).where(SegmentRow.call_id == call_id, SegmentRow.replaced_at.is_(None))
        async with self._database.session() as session:
            return tuple(to_segment(one) for one in await session.scalars(query))

    async def _put_off(self, row: TranscriptJobRow, error: HuifangError) -> None:
        """Try again later what may work then."""
        now = self._clock.now()
        if error.retryable and row.tries < MOST_TRIES:
            due = now + RETRY * 2 ** min(row.tries, 8)
        elif isinstance(error, WAITS_FOR_MODEL):
            due = now + MODEL_PAUSE
        else:
            log.warning("no_text_of_recording", call_id=row.call_id, error=error.code)
            await self._end(row, JobState.FAILED, error.code)
            return
        log.info("text_after_call_waits", call_id=row.call_id, error=error.code)
        async with self._database.transaction() as session:
            await session.execute(
                update(TranscriptJobRow)
                .where(TranscriptJobRow.call_id == row.call_id)
                .values(due_at=due, claimed_by=None, claimed_until=None, reason=error.code[:40]),
                execution_options={"synchronize_session": False},
            )

    async def _end(self, row: TranscriptJobRow, state: JobState, reason: str = "") -> None:
        now = self._clock.now()
        if state is JobState.FAILED:
            FAILED.labels(reason).inc()
        done = {
            "state": state.value,
            "reason": reason[:40],
            "due_at": None,
            "claimed_by": None,
            "claimed_until": None,
            "finished_at": now,
            "audio_seconds": row.audio_seconds,
            "heard_seconds": row.audio_seconds or 0.0,
        }
        made = TranscriptMade(at=now, call_id=row.call_id, state=state.value)
        async with self._database.transaction() as session:
            table = TranscriptJobRow
            mine = update(table).where(table.call_id == row.call_id).values(done)
            await session.execute(mine, execution_options={"synchronize_session": False})
            old = delete(table).where(table.finished_at < now - KEPT)
            await session.execute(old, execution_options={"synchronize_session": False})
            add_fact(session, made)
        self._bus.publish(made)


WAITS_FOR_MODEL = (ModelMissing, ModelDamaged, EngineMissing)


def job_view(row: TranscriptJobRow) -> JobView:
    """Return a stored job."""
    return JobView(
        call_id=row.call_id,
        priority=Priority(row.priority),
        state=JobState(row.state),
        reason=row.reason,
        audio_seconds=row.audio_seconds,
        heard_seconds=row.heard_seconds,
        created_at=row.created_at,
    )
