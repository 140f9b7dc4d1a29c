"""SQL tables about customers and projects that grow with time: freezes, refusals, consents, stages, payments.

Private to ``crm``. What ended stays: nothing here is deleted.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class FreezeRow(Base):
    """Callbacks of a customer stand still 回访冻结 (domain.md CB-3).

    It is in force until ``thawed_at``, or until the site's day is ``planned_thaw``. What the thaw asks for
    (``callback_needed``, then kind and day) may be answered later.
    """

    __tablename__ = "customer_freeze"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    scope: Mapped[str] = mapped_column(String(8))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_thaw: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(80))
    thawed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    thawed_by: Mapped[str | None] = mapped_column(String(80))
    thaw_reason: Mapped[str | None] = mapped_column(String(200))
    callback_needed: Mapped[bool | None] = mapped_column(Boolean)
    callback_kind: Mapped[str | None] = mapped_column(String(8))
    callback_on: Mapped[date | None] = mapped_column(Date)
    answered_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (Index("ix_customer_freeze_open", "thawed_at", "planned_thaw"),)


class DoNotCallRow(Base):
    """A refusal to be called (domain.md §6.4); the numbers that it holds for stand in their own table."""

    __tablename__ = "do_not_call_entry"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"), index=True)
    level: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(16))
    evidence: Mapped[str] = mapped_column(String(400))
    by: Mapped[str] = mapped_column(String(80))
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_by: Mapped[str | None] = mapped_column(String(80))
    lift_reason: Mapped[str | None] = mapped_column(String(400))
    lift_evidence: Mapped[str | None] = mapped_column(String(400))


class DoNotCallNumber(Base):
    """A number that a refusal holds for, whoever has it."""

    __tablename__ = "do_not_call_number"

    entry_id: Mapped[str] = mapped_column(ForeignKey("do_not_call_entry.id"), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True)

    __table_args__ = (Index("ix_do_not_call_number_e164", "e164", "entry_id"),)


class ConsentRow(Base):
    """A consent given, and perhaps withdrawn; a new one is a new row."""

    __tablename__ = "customer_consent"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    purpose: Mapped[str] = mapped_column(String(24))
    basis: Mapped[str] = mapped_column(String(10))
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    evidence: Mapped[str] = mapped_column(String(400))
    text_version: Mapped[str] = mapped_column(String(40))
    recorded_by: Mapped[str] = mapped_column(String(80))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_evidence: Mapped[str | None] = mapped_column(String(400))
    withdrawn_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (Index("ix_customer_consent_customer_id_purpose", "customer_id", "purpose"),)


class MergeRow(Base):
    """Two customers became one: what was moved and changed, so that it can be taken back."""

    __tablename__ = "customer_merge"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kept_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    gone_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200))
    moved: Mapped[dict[str, Any]] = mapped_column(Json)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_by: Mapped[str | None] = mapped_column(String(80))
    undo_reason: Mapped[str | None] = mapped_column(String(200))


class StageEventRow(Base):
    """A stage was reached 工程进度登记; one that was wrong is voided, never removed."""

    __tablename__ = "stage_event"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    stage: Mapped[int] = mapped_column(Integer)
    happened_on: Mapped[date] = mapped_column(Date)
    planned_on: Mapped[date | None] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[str] = mapped_column(String(80))
    sheet_ref: Mapped[str | None] = mapped_column(String(60))
    photos: Mapped[int] = mapped_column(Integer, default=0)
    note: Mapped[str | None] = mapped_column(String(400))
    callback_ref: Mapped[str | None] = mapped_column(String(40))
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    voided_by: Mapped[str | None] = mapped_column(String(80))
    void_reason: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        Index("ix_stage_event_project_id", "project_id"),
        Index(
            "uq_stage_event_in_force",
            "project_id",
            "stage",
            unique=True,
            sqlite_where=text("voided_at IS NULL"),
            postgresql_where=text("voided_at IS NULL"),
        ),
    )


class SuspensionRow(Base):
    """The work stood still 停工; ``until`` is missing while it does."""

    __tablename__ = "project_suspension"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    since: Mapped[date] = mapped_column(Date)
    until: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(80))
    resumed_by: Mapped[str | None] = mapped_column(String(80))


class PaymentRow(Base):
    """Money received 收款. Never edited: a wrong one is reversed by a row with the amount below zero.

    ``receipt_key`` is the receipt's number while the payment counts, so that none is posted twice.
    """

    __tablename__ = "project_payment"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    period: Mapped[str] = mapped_column(String(8))
    due: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    paid_at: Mapped[datetime] = mapped_column(UtcDateTime)
    receipt_no: Mapped[str] = mapped_column(String(40))
    posted_by: Mapped[str] = mapped_column(String(80))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reverses_id: Mapped[str | None] = mapped_column(ForeignKey("project_payment.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(String(200))
    released_by: Mapped[str | None] = mapped_column(String(40))
    receipt_key: Mapped[str | None] = mapped_column(String(40), unique=True)


class StaffRow(Base):
    """Somebody who works for the company 员工: project manager, designer, inspector, specialist, captain.

    ``agent_no``: the number of their telephone 工号; ``skills``: what they can do, in the centre's words.
    """

    __tablename__ = "staff"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    role: Mapped[str] = mapped_column(String(4))
    department_code: Mapped[str | None] = mapped_column(ForeignKey("department.code"))
    store_id: Mapped[str | None] = mapped_column(ForeignKey("store.id"))
    phone: Mapped[str | None] = mapped_column(String(20))
    user_id: Mapped[str | None] = mapped_column(Ulid)
    agent_no: Mapped[str | None] = mapped_column(String(16))
    skills: Mapped[list[str] | None] = mapped_column(Json)
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    version: Mapped[int] = mapped_column(Integer, default=1)

    __table_args__ = (
        # Whoever leaves makes the number free.
        Index(
            "uq_staff_agent_no_active",
            "agent_no",
            unique=True,
            postgresql_where=text("active"),
            sqlite_where=text("active"),
        ),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class ImportRow(Base):
    """A file to import: its content until it is done, and what became of it.

    Attributes:
        campaign_id: the campaign whose list it is; ``None`` for customers and projects.
    """

    __tablename__ = "import_job"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    filename: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(12))
    good_rows_only: Mapped[bool] = mapped_column(Boolean, default=False)
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uploaded_by: Mapped[str] = mapped_column(String(80))
    uploader_id: Mapped[str] = mapped_column(String(26))
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    problem: Mapped[str | None] = mapped_column(Text)
    campaign_id: Mapped[str | None] = mapped_column(Ulid)

    __table_args__ = (
        Index("ix_import_job_uploaded_at", "uploaded_at"),
        Index("ix_import_job_campaign_id", "campaign_id", "uploaded_at"),
    )


_BACKFILL = (
    "UPDATE customer_phone SET kind = CASE WHEN substr(e164, 1, 4) = '+861' AND length(e164) = 14 "
    "THEN 'mobile' WHEN substr(e164, 1, 3) = '+86' THEN 'landline' ELSE 'other' END WHERE kind IS NULL",
    "UPDATE customer SET frozen_scope = 'all' WHERE frozen_reason IS NOT NULL",
    "INSERT INTO customer_freeze (id, customer_id, scope, since, reason, by) "
    "SELECT id, id, 'all', created_at, frozen_reason, '0.1' FROM customer WHERE frozen_reason IS NOT NULL",
    "INSERT INTO do_not_call_entry (id, customer_id, level, since, source, evidence, by) "
    "SELECT id, id, 3, created_at, 'import', '0.1', '0.1' FROM customer WHERE do_not_call",
    "INSERT INTO do_not_call_number (entry_id, e164) SELECT phone.customer_id, phone.e164 "
    "FROM customer_phone AS phone JOIN customer ON customer.id = phone.customer_id "
    "WHERE customer.do_not_call",
)
PEOPLE_BACKFILL: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "UPDATE customer_phone SET ref = '0' || substr(hex(randomblob(13)), 1, 25) WHERE ref IS NULL",
        *_BACKFILL,
    ),
    "postgresql": (
        "UPDATE customer_phone SET ref = '0' || upper(substr(md5(random()::text || e164), 1, 25)) "
        "WHERE ref IS NULL",
        *_BACKFILL,
    ),
}
"""What rows of version 0.1 need to stand in these tables as well; the migration runs it."""
