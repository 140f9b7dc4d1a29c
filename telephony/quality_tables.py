"""How calls were judged. Private to the package."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Date, Float, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class QualityFormRow(Base):
    """A version of the form; the one of the highest number is in force."""

    __tablename__ = "quality_form"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))


class QualityReviewRow(Base):
    """A judgement of an agent's part of a call.

    Attributes:
        reason: why this call: ``week``, ``rating``, ``queue``, ``person`` or ``calibration``.
        slot: "" for the one judgement that counts; of a calibration its id and whose it is.
        week: the Monday of the week it was drawn for.
        first_score: before it was corrected.
        outcome: ``upheld`` or ``corrected``, once a dispute is settled.
    """

    __tablename__ = "quality_review"
    __table_args__ = (
        UniqueConstraint("call_id", "agent_id", "slot"),
        Index("ix_quality_review_agent", "agent_id", "published_at"),
        Index("ix_quality_review_state", "state", "review_id"),
    )

    review_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    agent_id: Mapped[str] = mapped_column(Ulid)
    reason: Mapped[str] = mapped_column(String(16))
    slot: Mapped[str] = mapped_column(String(60), default="", server_default="")
    calibration_id: Mapped[str | None] = mapped_column(Ulid, index=True)
    week: Mapped[date | None] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(16))
    scorer_id: Mapped[str | None] = mapped_column(Ulid)
    scorer: Mapped[str] = mapped_column(String(80), default="", server_default="")
    form_version: Mapped[int]
    points: Mapped[dict[str, Any]] = mapped_column(Json)
    fatal: Mapped[list[str]] = mapped_column(Json)
    marks: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    comment: Mapped[str] = mapped_column(Text, default="", server_default="")
    score: Mapped[float | None] = mapped_column(Float)
    failed: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")
    passed: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")
    first_score: Mapped[float | None] = mapped_column(Float)
    dispute: Mapped[str] = mapped_column(String(500), default="", server_default="")
    disputed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    settled_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settle_reason: Mapped[str] = mapped_column(String(500), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class QualityCalibrationRow(Base):
    """One call that several people judge without seeing each other's, until it is closed."""

    __tablename__ = "quality_calibration"

    calibration_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    agent_id: Mapped[str] = mapped_column(Ulid)
    form_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_by: Mapped[str] = mapped_column(String(80))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
