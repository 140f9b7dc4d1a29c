"""What is known of recordings. Private to the package."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime

LONGEST_NAME = 120


class RecordingRow(Base):
    """One recording of a call: a file of both speakers, and one of each beside it.

    Attributes:
        name: of its files, without what tells the speakers apart and without ``.wav``.
        noted_at: when it was first known of.
        missing_since: when its files were first not found; ``None`` while they are there.
    """

    __tablename__ = "recording"
    __table_args__ = (Index("ix_recording_call_id", "call_id"),)

    recording_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME), unique=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    node: Mapped[str] = mapped_column(String(32))
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecordingCheckRow(Base):
    """One comparison of what is known of recordings with the files that are there.

    Attributes:
        size: bytes of all files in the folder.
        adopted: files of known calls that nothing was known of.
        missing: recordings without their files.
        strangers: files of no call.
        names: some of those that are missing, and some of the strangers.
    """

    __tablename__ = "recording_check"
    __table_args__ = (Index("ix_recording_check_ended_at", "ended_at"),)

    check_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recordings: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    adopted: Mapped[int] = mapped_column(Integer)
    missing: Mapped[int] = mapped_column(Integer)
    strangers: Mapped[int] = mapped_column(Integer)
    names: Mapped[dict[str, Any]] = mapped_column(JSON)
