"""SQL table of follow-ups of closed cases. Private to ``crm``."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, UtcDateTime


class FollowUpRow(Base):
    """A closed case was followed up 跟进回访; each once. ``sound``: it really is as the case says."""

    __tablename__ = "case_follow_up"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    role: Mapped[str] = mapped_column(String(20))
    sound: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index("ix_case_follow_up_at", "at"),)
