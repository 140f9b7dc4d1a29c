"""SQL tables of major complaints, compensation and recovery (domain.md §4.4). Private to ``crm``."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class EscalationRow(Base):
    """A major complaint 升级客诉. ``open_key`` is the complaint while it is open: one at a time.

    ``shares``: party → percent as text; ``persons``: name, staff_id, percent, amount of each.
    """

    __tablename__ = "escalation"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("complaint.case_id"), index=True)
    open_key: Mapped[str | None] = mapped_column(String(26), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    cause: Mapped[str] = mapped_column(Text)
    process_so_far: Mapped[str] = mapped_column(Text)
    demand: Mapped[str] = mapped_column(Text)
    submitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_by: Mapped[str] = mapped_column(String(80))
    submitted_by_id: Mapped[str] = mapped_column(String(26))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_by: Mapped[str | None] = mapped_column(String(80))
    review_note: Mapped[str | None] = mapped_column(Text)
    visit_needed: Mapped[bool | None] = mapped_column(Boolean)
    visit_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_with: Mapped[str | None] = mapped_column(String(200))
    visited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_record: Mapped[str | None] = mapped_column(Text)
    shares: Mapped[dict[str, Any] | None] = mapped_column(Json)
    persons: Mapped[list[Any]] = mapped_column(Json, default=list)
    liability_with: Mapped[str | None] = mapped_column(String(80))
    liability_note: Mapped[str | None] = mapped_column(Text)
    liability_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    liability_by: Mapped[str | None] = mapped_column(String(80))
    plan: Mapped[str | None] = mapped_column(Text)
    costs: Mapped[bool] = mapped_column(Boolean, default=False)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    planned_by: Mapped[str | None] = mapped_column(String(80))
    recovery_open: Mapped[int | None] = mapped_column(Integer)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(String(80))
    outcome: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_escalation_state_submitted_at", "state", "submitted_at"),
        Index("ix_escalation_submitted_at", "submitted_at", "id"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CompensationRow(Base):
    """A request for compensation 赔付. Refused ones stay; the newest counts.

    ``entered_by``: ids of all who entered or changed an amount. ``bearers``: bearer → amount as text.
    """

    __tablename__ = "compensation"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    escalation_id: Mapped[str] = mapped_column(ForeignKey("escalation.id"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(12))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    bearers: Mapped[dict[str, Any]] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    requested_by: Mapped[str] = mapped_column(String(80))
    requested_by_id: Mapped[str] = mapped_column(String(26))
    entered_by: Mapped[list[Any]] = mapped_column(Json)
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_by: Mapped[str | None] = mapped_column(String(80))
    voucher_no: Mapped[str | None] = mapped_column(String(40), unique=True)
    voucher_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    voucher_by: Mapped[str | None] = mapped_column(String(80))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(String(80))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_by: Mapped[str | None] = mapped_column(String(80))
    refused_why: Mapped[str | None] = mapped_column(String(400))
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_by: Mapped[str | None] = mapped_column(String(80))
    receipt_no: Mapped[str | None] = mapped_column(String(40))


class RecoveryRow(Base):
    """What a member of the staff bears of a compensation; HR takes it from a month's pay and says so."""

    __tablename__ = "recovery"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    compensation_id: Mapped[str] = mapped_column(ForeignKey("compensation.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(40))
    staff_id: Mapped[str | None] = mapped_column(String(26))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    payroll_month: Mapped[str | None] = mapped_column(String(7))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by: Mapped[str | None] = mapped_column(String(80))
    done_note: Mapped[str | None] = mapped_column(String(400))

    __table_args__ = (Index("ix_recovery_payroll_month_done_at", "payroll_month", "done_at"),)
