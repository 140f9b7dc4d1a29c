"""SQL tables of the repair-point network 特约维修点 (domain.md §1.13). Private to ``crm``."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    Boolean,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

import crm.repair_tables  # noqa: F401 - a job names its repair
from kernel.db import Base, Json, Ulid, UtcDateTime


class RepairPoint(Base):
    """A workshop that repairs for the company, by agreement."""

    __tablename__ = "repair_point"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    agreement_no: Mapped[str] = mapped_column(String(40), unique=True)
    district: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(200), default="")
    contact: Mapped[str] = mapped_column(String(40))
    phone: Mapped[str] = mapped_column(String(20))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (Index("ix_repair_point_district", "district"),)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class PartIssue(Base):
    """Spare parts handed to a point, or brought back; never changed, a mistake is returned."""

    __tablename__ = "part_issue"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("repair_point.id"))
    kind: Mapped[str] = mapped_column(String(8))
    part: Mapped[str] = mapped_column(String(60))
    quantity: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    defective: Mapped[bool] = mapped_column(Boolean)
    on_day: Mapped[date] = mapped_column(Date)
    month: Mapped[str] = mapped_column(String(7))
    note: Mapped[str] = mapped_column(String(200), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_part_issue_point_id_month", "point_id", "month"),)


class MonthlyAccount(Base):
    """A point's repair costs of a month: what was planned, what it cost, who approved it."""

    __tablename__ = "monthly_repair_account"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("repair_point.id"))
    month: Mapped[str] = mapped_column(String(7))
    budget: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    actual: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    entered_by: Mapped[str] = mapped_column(String(80))
    entered_by_id: Mapped[str] = mapped_column(String(26))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(String(80))
    approved_why: Mapped[str | None] = mapped_column(String(400))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        UniqueConstraint("point_id", "month"),
        Index("ix_monthly_repair_account_month", "month"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class QualityFeedback(Base):
    """A row of a month's quality-information feedback 质量信息反馈表, and which departments it goes to."""

    __tablename__ = "quality_feedback"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    point_id: Mapped[str | None] = mapped_column(ForeignKey("repair_point.id"))
    month: Mapped[str] = mapped_column(String(7))
    product: Mapped[str] = mapped_column(String(60))
    problem: Mapped[str] = mapped_column(String(400))
    count: Mapped[int] = mapped_column(Integer)
    departments: Mapped[list[str]] = mapped_column(Json, default=list)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_quality_feedback_month", "month"),)


class PointVisit(Base):
    """Something planned with a repair point, and what came of it: a visit, a training, an audit."""

    __tablename__ = "repair_point_visit"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("repair_point.id"))
    kind: Mapped[str] = mapped_column(String(10))
    planned_on: Mapped[date] = mapped_column(Date)
    topic: Mapped[str] = mapped_column(String(200))
    planned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_by: Mapped[str] = mapped_column(String(80))
    done_on: Mapped[date | None] = mapped_column(Date)
    result: Mapped[str] = mapped_column(Text, default="", server_default="")
    sound: Mapped[bool | None] = mapped_column(Boolean)
    done_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (Index("ix_repair_point_visit_point_id", "point_id", "planned_on"),)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class PointFile(Base):
    """A page of a point's agreement, a photo or a PDF; it lies under its hash, as files of cases do."""

    __tablename__ = "repair_point_file"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("repair_point.id"))
    name: Mapped[str] = mapped_column(String(80))
    media_type: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    thumb_sha256: Mapped[str | None] = mapped_column(String(64))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uploaded_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_repair_point_file_point_id", "point_id"),)


class PointJob(Base):
    """A repair that a point has, from when until when; what it did in between is its own.

    Attributes:
        open_key: the repair, while the point has it: no two points have it at the same time.
        ended_how: :class:`crm.point_jobs.JobEnd`.
    """

    __tablename__ = "repair_point_job"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("repair_order.case_id"))
    point_id: Mapped[str] = mapped_column(ForeignKey("repair_point.id"))
    open_key: Mapped[str | None] = mapped_column(Ulid, unique=True)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    given_by: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(80))
    ended_how: Mapped[str | None] = mapped_column(String(12))
    end_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")

    __table_args__ = (
        Index("ix_repair_point_job_case_id", "case_id"),
        Index("ix_repair_point_job_point_id", "point_id", "given_at"),
    )
