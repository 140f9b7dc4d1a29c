"""Calls of which text is to be made from the recording. Private to the package."""

from datetime import datetime

from sqlalchemy import Float, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime
from kernel.due import DueColumns


class TranscriptJobRow(DueColumns, Base):
    """One ended call that text is to be made of, or was.

    Attributes:
        priority: lower comes first (:class:`speech.after.Priority`).
        state: a :class:`speech.after.JobState`.
        call_at: when the call began; times of text count from there.
        began: seconds from there to its first recorded sound.
        audio_seconds: sound to be listened to; ``None`` until somebody has looked.
        heard_seconds: of it, what was listened to.
        reason: code of the error that it waits or failed for; "" without one.
    """

    __tablename__ = "transcript_job"
    __table_args__ = (Index("ix_transcript_job_state", "state", "finished_at"),)

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(String(8))
    language: Mapped[str] = mapped_column(String(8))
    agent_number: Mapped[str | None] = mapped_column(String(16))
    call_at: Mapped[datetime] = mapped_column(UtcDateTime)
    began: Mapped[float] = mapped_column(Float)
    audio_seconds: Mapped[float | None] = mapped_column(Float)
    heard_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    reason: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
