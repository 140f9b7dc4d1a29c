"""SQL tables of what is held and of what was deleted at its end. Private to ``crm``."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime

MAJOR_HELD = "重大客诉"
"""Why a major case is held of which nobody has said anything."""


class LegalHoldRow(Base):
    """That the manager keeps a case beyond its end, or lets a major one go.

    Attributes:
        open_key: the case while it is held: one hold at a time.
    """

    __tablename__ = "legal_hold"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"))
    open_key: Mapped[str | None] = mapped_column(Ulid, unique=True)
    reason: Mapped[str] = mapped_column(String(400))
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str | None] = mapped_column(String(80))
    release_reason: Mapped[str | None] = mapped_column(String(400))

    __table_args__ = (Index("ix_legal_hold_case_id", "case_id"),)


class ErasureRow(Base):
    """That what a record said of people was deleted; its figures stay where they are."""

    __tablename__ = "erasure"

    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    ref_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    retention_class: Mapped[str] = mapped_column(String(12))
    ended_on: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
