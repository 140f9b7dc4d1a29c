"""The SQL table of handle records. Private to ``crm``; a row is written once and never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class LineRecord(Base):
    """What somebody did about a line of a complaint 处理记录. ``photos`` are ids of stored pictures."""

    __tablename__ = "complaint_record"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    line_id: Mapped[str] = mapped_column(ForeignKey("complaint_line.id"))
    round: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(12))
    done_at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(80))
    done: Mapped[str] = mapped_column(Text)
    photos: Mapped[list[Any]] = mapped_column(Json, default=list)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    noted_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_complaint_record_line_id_id", "line_id", "id"),)
