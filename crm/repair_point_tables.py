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
