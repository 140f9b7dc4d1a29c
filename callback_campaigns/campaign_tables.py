"""SQL tables of campaigns (features.md C2, C9)."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, Float, Index, Integer, String, false, true
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class CampaignRow(Base):
    """A campaign; ``kinds``, ``levels`` and ``store_ids`` are lists in order."""

    __tablename__ = "campaign"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    mode: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(8))
    kinds: Mapped[list[str]] = mapped_column(Json)
    levels: Mapped[list[str]] = mapped_column(Json)
    store_ids: Mapped[list[str]] = mapped_column(Json)
    tasks_from: Mapped[str] = mapped_column(String(8))
    queue: Mapped[str | None] = mapped_column(String(40))
    trunk: Mapped[str] = mapped_column(String(40))
    carrier: Mapped[str] = mapped_column(String(40))
    caller_id: Mapped[str] = mapped_column(String(20))
    lines: Mapped[int] = mapped_column(Integer)
    per_second: Mapped[int] = mapped_column(Integer)
    agents_least: Mapped[int] = mapped_column(Integer)
    abandon_cap: Mapped[float] = mapped_column(Float)
    ratio: Mapped[float] = mapped_column(Float)
    amd: Mapped[bool] = mapped_column(Boolean)
    priority: Mapped[int] = mapped_column(Integer)
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    live_text: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    record: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())

    __table_args__ = (
        Index("ix_campaign_state", "state"),
        Index("ix_campaign_created_at", "created_at", "id"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form
