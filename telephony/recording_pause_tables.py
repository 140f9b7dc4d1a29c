"""Pauses of recordings. Private to the package."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class RecordingPauseRow(Base):
    """One pause of a call's recording and text.

    Attributes:
        open_call: the call while the pause lasts, so that a call has one at most; then ``None``.
        agent_number: who spoke with the customer when it began; with somebody else it is over.
        by, by_id: who began it.
        why: a :class:`telephony.recording_pauses.PauseWhy`.
        until: when it ends by itself.
        muted_at: when the PBX had silenced the recording.
        ended_why: a :class:`telephony.recording_pauses.PauseEnd`.
        settled_at: when the PBX records again, or the call was over.
    """

    __tablename__ = "recording_pause"
    __table_args__ = (
        Index("ix_recording_pause_call_id", "call_id", "began_at"),
        Index("ix_recording_pause_settled_at", "settled_at"),
    )

    pause_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    node: Mapped[str] = mapped_column(String(32))
    open_call: Mapped[str | None] = mapped_column(Ulid, unique=True)
    agent_number: Mapped[str | None] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str | None] = mapped_column(Ulid)
    why: Mapped[str] = mapped_column(String(12))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    muted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(80))
    ended_why: Mapped[str | None] = mapped_column(String(12))
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
