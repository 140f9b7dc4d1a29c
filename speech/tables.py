"""What was said, segment by segment. Private to the package; times in milliseconds since the call began."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class SegmentRow(Base):
    """What one speaker said between two moments, or that there something of theirs is missing.

    Attributes:
        call_id: no foreign key: a call is written by its own writer, perhaps later.
        speaker: ``customer`` or ``agent``.
        agent_number: which agent, of an agent's.
        raw: as the recogniser wrote it; never changed.
        text: made fit to read.
        words: ``[{"text", "start", "end", "confidence"}]``, seconds since the call began; ``confidence`` may
            be ``null``.
        source: ``live``, or ``after`` for text made from the recording.
        gap: why sound is missing here (:class:`speech.buffer.GapReason`); ``None`` for text.
        lost_ms: of a gap: sound that came and was dropped.
        corrected: what a person made of it last; ``raw`` and ``text`` stay.
        version: grows with each correction.
        replaced_at: when a better text, or the recording of a gap, took its place; it is kept, not shown.
    """

    __tablename__ = "transcript_segment"
    __table_args__ = (Index("ix_transcript_segment_call_id", "call_id", "started_ms", "segment_id"),)

    segment_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    speaker: Mapped[str] = mapped_column(String(8))
    agent_number: Mapped[str | None] = mapped_column(String(16))
    started_ms: Mapped[int] = mapped_column(Integer)
    ended_ms: Mapped[int] = mapped_column(Integer)
    raw: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    words: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    engine: Mapped[str] = mapped_column(String(20))
    model: Mapped[str] = mapped_column(String(80))
    source: Mapped[str] = mapped_column(String(8))
    gap: Mapped[str | None] = mapped_column(String(20))
    lost_ms: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    corrected: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    replaced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CorrectionRow(Base):
    """One correction: what stood there before, and who changed it."""

    __tablename__ = "transcript_correction"
    __table_args__ = (Index("ix_transcript_correction_segment_id", "segment_id"),)

    correction_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    segment_id: Mapped[str] = mapped_column(Ulid)
    call_id: Mapped[str] = mapped_column(Ulid)
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str | None] = mapped_column(Ulid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
