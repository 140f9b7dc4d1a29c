"""Calls whose words are looked through for card numbers, and what was cut out. Private to the package."""

from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime
from kernel.due import DueColumns


class MaskJobRow(DueColumns, Base):
    """One call whose words changed; it goes when they were looked through and the sound is silent."""

    __tablename__ = "mask_job"

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)


class SilenceRow(Base):
    """A stretch of a call that held a number which nobody may keep.

    Attributes:
        from_ms, until_ms: since the call began.
        kind: a :class:`speech.reading.sensitive.Kind`; never the number.
        silenced_at: when the recording was made silent there; ``None`` before.
    """

    __tablename__ = "speech_silence"
    __table_args__ = (Index("ix_speech_silence_call_id", "call_id", "from_ms"),)

    silence_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    speaker: Mapped[str] = mapped_column(String(8))
    from_ms: Mapped[int] = mapped_column(Integer)
    until_ms: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(12))
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    silenced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
