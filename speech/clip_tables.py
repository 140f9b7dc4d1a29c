"""Short recordings that text is to be made of: spoken answers, messages. Private to the package."""

from datetime import datetime

from sqlalchemy import Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime
from kernel.due import DueColumns


class ClipJobRow(DueColumns, Base):
    """One recording. Its text is with whoever asked for it, never here.

    Attributes:
        clip_id: id of the record that it belongs to.
        kind: what that record is, and in which folder ``path`` is.
        state: a :class:`speech.clips.ClipState`.
        reason: code of the error that it waits or failed for; "" without one.
    """

    __tablename__ = "clip_job"
    __table_args__ = (Index("ix_clip_job_state", "state", "finished_at"),)

    clip_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    path: Mapped[str] = mapped_column(String(200))
    priority: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(String(8))
    language: Mapped[str] = mapped_column(String(8))
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
