"""Writes what was heard to the database, off the way of those who wait for it on a page."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.db import Database
from speech.masking_jobs import SETTLE, look_through
from speech.masking_tables import SilenceRow
from speech.said import AT_ONCE, QUIET, changed
from speech.tables import SegmentRow

log = structlog.get_logger(__name__)

LOST = Counter("huifang_speech_segments_lost_total", "Segments that could not be stored")
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one speaker said between two moments, or that something is missing there (``gap``).

    Times are seconds since the call began; ``words`` as stored: text, start, end, confidence.
    """

    segment_id: str
    call_id: str
    speaker: str
    agent_number: str | None
    start: float
    end: float
    raw: str = ""
    text: str = ""
    words: tuple[dict[str, Any], ...] = ()
    engine: str = ""
    model: str = ""
    source: str = "live"
    gap: str | None = None
    lost: float = 0.0
    corrected: str | None = None
    version: int = 1
    created_at: datetime

    @property
    def shown(self) -> str:
        """What a reader sees: the correction, if there is one."""
        return self.corrected if self.corrected is not None else self.text


class TranscriptWriter:
    """Stores segments in batches. While the database is away they wait here, the oldest go when too many do.

    What is lost here is made again from the recording after the call.

    Args:
        limit: segments that may wait.
    """

    def __init__(self, database: Database, *, limit: int = 20_000, retry_seconds: float = 1.0) -> None:
        self._database = database
        self._waiting: deque[Segment] = deque()
        self._merged: deque[tuple[str, str]] = deque(maxlen=1000)
        self._limit = limit
        self._retry = retry_seconds
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Segments that are not stored yet."""
        return len(self._waiting)

    def add(self, segment: Segment) -> None:
        """Have a segment stored soon. Never waits."""
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            LOST.inc()
        self._waiting.append(segment)
        self._wake.set()

    def merge(self, call_id: str, into: str) -> None:
        """Take that a call became part of another: its text is the other's."""
        self._merged.append((call_id, into))
        self._wake.set()

    async def run(self) -> None:
        """Store until cancelled; then what is left, once more."""
        try:
            while True:
                await self._wake.wait()
                if not await self._flush():
                    await asyncio.sleep(self._retry)
        finally:
            # The outcome is kept even while we are being ended.
            await asyncio.shield(self._last_words())

    async def _last_words(self) -> None:
        if (self._waiting or self._merged) and not await self._flush():
            log.error("segments_not_stored_at_end", segments=len(self._waiting))

    async def _flush(self) -> bool:
        """Return whether everything is stored."""
        self._wake.clear()
        while self._waiting or self._merged:
            batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
            merged = tuple(self._merged)
            try:
                async with asyncio.timeout(5), self._database.transaction() as session:
                    await _store(session, batch, merged)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("segments_not_stored", segments=len(self._waiting), error=type(error).__name__)
                self._wake.set()
                return False
            stored = {segment.segment_id for segment in batch}
            while self._waiting and self._waiting[0].segment_id in stored:
                self._waiting.popleft()
            for done in merged:
                if self._merged and self._merged[0] == done:
                    self._merged.popleft()
        return True


async def store_segments(session: AsyncSession, batch: Sequence[Segment]) -> None:
    """Store segments; those that are there already stay as they are."""
    if not batch:
        return
    ids = [segment.segment_id for segment in batch]
    # A batch whose commit was not heard of is there already.
    known = set(await session.scalars(select(SegmentRow.segment_id).where(SegmentRow.segment_id.in_(ids))))
    new = [segment for segment in batch if segment.segment_id not in known]
    if new:
        await session.execute(insert(SegmentRow), [_row(segment) for segment in new])
    spoken = [segment for segment in new if segment.gap is None]
    if spoken:
        at = max(segment.created_at for segment in spoken) + QUIET
        await changed(session, [segment.call_id for segment in spoken], at=at)
        settled = max(segment.created_at for segment in spoken) + SETTLE
        await look_through(session, [segment.call_id for segment in spoken], at=settled)


async def _store(session: AsyncSession, batch: Sequence[Segment], merged: Sequence[tuple[str, str]]) -> None:
    await store_segments(session, batch)
    for call_id, into in merged:
        await session.execute(
            update(SegmentRow).where(SegmentRow.call_id == call_id).values(call_id=into),
            execution_options={"synchronize_session": False},
        )
        await session.execute(
            update(SilenceRow).where(SilenceRow.call_id == call_id).values(call_id=into),
            execution_options={"synchronize_session": False},
        )
        await changed(session, (call_id, into), at=AT_ONCE)
        await look_through(session, (call_id, into), at=AT_ONCE)


def _row(segment: Segment) -> dict[str, Any]:
    started = max(0, round(segment.start * 1000))
    return {
        "segment_id": segment.segment_id,
        "call_id": segment.call_id,
        "speaker": segment.speaker,
        "agent_number": segment.agent_number,
        "started_ms": started,
        "ended_ms": max(started, round(segment.end * 1000)),
        "raw": segment.raw,
        "text": segment.text,
        "words": list(segment.words),
        "engine": segment.engine,
        "model": segment.model,
        "source": segment.source,
        "gap": segment.gap,
        "lost_ms": round(segment.lost * 1000),
        "created_at": segment.created_at,
    }


class Transcripts:
    """Reads what was said in a call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_call(self, call_id: str, *, limit: int = 5000) -> tuple[Segment, ...]:
        """Return the segments of a call in the order of time, gaps among them; the last of too many."""
        query = (
            select(SegmentRow)
            .where(SegmentRow.call_id == call_id, SegmentRow.replaced_at.is_(None))
            .order_by(SegmentRow.started_ms.desc(), SegmentRow.segment_id.desc())
            .limit(limit)
        )
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        return tuple(to_segment(row) for row in reversed(rows))


def to_segment(row: SegmentRow) -> Segment:
    """Return a stored segment."""
    return Segment(
        segment_id=row.segment_id,
        call_id=row.call_id,
        speaker=row.speaker,
        agent_number=row.agent_number,
        start=row.started_ms / 1000,
        end=row.ended_ms / 1000,
        raw=row.raw,
        text=row.text,
        words=tuple(row.words),
        engine=row.engine,
        model=row.model,
        source=row.source,
        gap=row.gap,
        lost=row.lost_ms / 1000,
        corrected=row.corrected,
        version=row.version,
        created_at=row.created_at,
    )
