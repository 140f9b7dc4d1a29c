"""SQL tables of the duty roster, the duty log and patrols (domain.md §1.13). Private to ``crm``."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class DutyShift(Base):
    """Who is on duty in a shift of a day; ``people`` holds ids and names, as they were called then."""

    __tablename__ = "duty_shift"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    shift: Mapped[str] = mapped_column(String(8))
    people: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (UniqueConstraint("day", "shift"),)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class DutyEntry(Base):
    """A line of the duty log, never changed."""

    __tablename__ = "duty_entry"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_duty_entry_at", "at", "id"),)


class PatrolRow(Base):
    """One of a day's two patrols; ``late`` was written down after its slot."""

    __tablename__ = "patrol"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    slot: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    sound: Mapped[bool] = mapped_column(Boolean)
    found: Mapped[str] = mapped_column(Text, default="", server_default="")
    late: Mapped[bool] = mapped_column(Boolean)

    __table_args__ = (UniqueConstraint("day", "slot"),)
