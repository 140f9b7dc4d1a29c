"""SQL tables of improvement measures (domain.md §1.15). Private to ``crm``."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class ImprovementMeasure(Base):
    """A measure against a problem.

    Attributes:
        month: whose causes it answers, ``2026-03``.
        class_code: class of the complaints it answers; ``case_id`` is the one complaint.
        owner_id: user who sees to it; ``None``: the department's head.
        reported_on: the site's day.
    """

    __tablename__ = "improvement_measure"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    month: Mapped[str] = mapped_column(String(7))
    problem: Mapped[str] = mapped_column(Text)
    measure: Mapped[str] = mapped_column(Text)
    class_code: Mapped[int | None] = mapped_column(Integer)
    subclass: Mapped[str | None] = mapped_column(String(24))
    case_id: Mapped[str | None] = mapped_column(ForeignKey("service_case.id"))
    department: Mapped[str] = mapped_column(ForeignKey("department.code"))
    owner_id: Mapped[str | None] = mapped_column(String(26))
    owner_name: Mapped[str] = mapped_column(String(80), default="", server_default="")
    due_on: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(12))
    round: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    reported_on: Mapped[date | None] = mapped_column(Date)
    reported_by_id: Mapped[str | None] = mapped_column(String(26))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_improvement_measure_department_state", "department", "state"),
        Index("ix_improvement_measure_due_on", "due_on", "id"),
        Index("ix_improvement_measure_case_id", "case_id"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class ImprovementStep(Base):
    """What was done with a measure, only ever added; the rounds can be told from it."""

    __tablename__ = "improvement_step"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    measure_id: Mapped[str] = mapped_column(ForeignKey("improvement_measure.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    step: Mapped[str] = mapped_column(String(16))
    round: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text, default="", server_default="")

    __table_args__ = (Index("ix_improvement_step_measure_id", "measure_id"),)


class ImprovementFile(Base):
    """Evidence that a measure was taken; the file lies under its hash, as those of cases do."""

    __tablename__ = "improvement_file"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    measure_id: Mapped[str] = mapped_column(ForeignKey("improvement_measure.id"))
    round: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))
    media_type: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    thumb_sha256: Mapped[str | None] = mapped_column(String(64))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uploaded_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_improvement_file_measure_id", "measure_id"),)
