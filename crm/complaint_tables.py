"""SQL tables of complaints: what only they have besides the header in ``service_case`` (domain.md §4.4).

Private to ``crm``. Nothing here is deleted; a receipt never changes once it is signed or rejected.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    DDL,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.db import Base, Json, Ulid, UtcDateTime


class Complaint(Base):
    """A complaint 投诉.

    Attributes:
        called_back_at: the customer was reached about the result of this round and nothing is unsolved since.
        escalation_owed: it has to become a major complaint; ``escalation_why`` says for what.
        satisfaction: the final one, a word of ``Verdict``; ``timeliness`` likewise.
    """

    __tablename__ = "complaint"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    demand: Mapped[str] = mapped_column(Text, default="")
    want_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    complained_at: Mapped[datetime] = mapped_column(UtcDateTime)
    registered_by_id: Mapped[str] = mapped_column(String(26))
    called_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_reached: Mapped[int] = mapped_column(Integer, default=0)
    satisfaction: Mapped[str | None] = mapped_column(String(16))
    timeliness: Mapped[str | None] = mapped_column(String(16))
    contacted_in_time: Mapped[str | None] = mapped_column(String(8))
    waived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waived_by: Mapped[str | None] = mapped_column(String(80))
    waived_why: Mapped[str | None] = mapped_column(String(400))
    escalation_owed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    escalation_why: Mapped[str | None] = mapped_column(String(60))
    reply_text: Mapped[str | None] = mapped_column(Text)
    replied_by: Mapped[str | None] = mapped_column(String(80))
    not_filed_why: Mapped[str | None] = mapped_column(String(400))
    not_filed_by: Mapped[str | None] = mapped_column(String(80))
    root_cause: Mapped[str | None] = mapped_column(Text)
    preventive_step: Mapped[str | None] = mapped_column(Text)
    analysis_owner: Mapped[str | None] = mapped_column(String(40))
    analysed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    analysed_by: Mapped[str | None] = mapped_column(String(80))
    closed_by: Mapped[str | None] = mapped_column(String(80))


class ComplaintLine(Base):
    """A department's part in a complaint 责任线; the ``*_due_at`` repeat its open limits, for lists."""

    __tablename__ = "complaint_line"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("complaint.case_id"))
    position: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(16))
    class_code: Mapped[int] = mapped_column(Integer)
    subclass: Mapped[str | None] = mapped_column(String(24))
    cause: Mapped[str] = mapped_column(Text)
    department_code: Mapped[str] = mapped_column(ForeignKey("department.code"))
    confidential: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    person: Mapped[str | None] = mapped_column(String(40))
    person_id: Mapped[str | None] = mapped_column(String(26))
    manufacturer: Mapped[str | None] = mapped_column(String(60))
    rerouted_from: Mapped[str | None] = mapped_column(Ulid)
    mode: Mapped[str | None] = mapped_column(String(16))
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    handed_off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str | None] = mapped_column(String(80))
    rejected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rejected_by: Mapped[str | None] = mapped_column(String(80))
    reject_reason: Mapped[str | None] = mapped_column(String(400))
    settled_why: Mapped[str | None] = mapped_column(String(400))
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_by: Mapped[str | None] = mapped_column(String(80))
    verified_noted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    facts: Mapped[str | None] = mapped_column(Text)
    planned_visit_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    planned_plan_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    planned_solve_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    callback_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    needs_contact: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    planner: Mapped[str | None] = mapped_column(String(26))
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by: Mapped[str | None] = mapped_column(String(80))
    done_note: Mapped[str | None] = mapped_column(Text)
    unsolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accept_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verify_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    plan_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    callback_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        UniqueConstraint("case_id", "position"),
        Index("ix_complaint_line_department_code_status", "department_code", "status"),
        Index("ix_complaint_line_status", "status"),
        Index("ix_complaint_line_accepted_at", "accepted_at"),
        # Few lines are not closed; SQLite knows that of this index, not of the states in the one above.
        Index(
            "ix_complaint_line_open",
            "status",
            sqlite_where=text("status <> 'closed'"),
            postgresql_where=text("status <> 'closed'"),
        ),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class LinePlan(Base):
    """A plan that a department made; the newest counts, the others are how it came to it.

    ``pay_customer`` and ``penalty`` are proposals. ``approved`` is ``None`` while nobody has decided.
    """

    __tablename__ = "complaint_plan"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    line_id: Mapped[str] = mapped_column(ForeignKey("complaint_line.id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str] = mapped_column(String(80))
    plan: Mapped[str] = mapped_column(Text)
    visit_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visit_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    solve_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pay_customer: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    penalty: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    needs_approval: Mapped[bool] = mapped_column(Boolean)
    approved: Mapped[bool | None] = mapped_column(Boolean)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_why: Mapped[str | None] = mapped_column(String(400))


class LineVisit(Base):
    """Somebody of a department was at the customer's 上门记录. ``photos`` are ids of stored pictures."""

    __tablename__ = "complaint_visit"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    line_id: Mapped[str] = mapped_column(ForeignKey("complaint_line.id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(80))
    record: Mapped[str] = mapped_column(Text)
    photos: Mapped[list[Any]] = mapped_column(Json, default=list)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    noted_by: Mapped[str] = mapped_column(String(80))


class ComplaintCall(Base):
    """A call of the customer about a complaint: the first, and each time he called again."""

    __tablename__ = "complaint_call"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("complaint.case_id"))
    call_id: Mapped[str | None] = mapped_column(Ulid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    noted_by: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (UniqueConstraint("case_id", "call_id"),)


class ComplaintCallback(Base):
    """The customer was called about the result (C7, TS); ``lines``: line id → problem status."""

    __tablename__ = "complaint_callback"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("complaint.case_id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    call_id: Mapped[str | None] = mapped_column(Ulid)
    verdict: Mapped[str] = mapped_column(String(16))
    lines: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    satisfaction: Mapped[str | None] = mapped_column(String(16))
    timeliness: Mapped[str | None] = mapped_column(String(16))
    contacted_in_time: Mapped[str | None] = mapped_column(String(8))
    compensation_mentioned: Mapped[bool] = mapped_column(Boolean, default=False)
    note: Mapped[str] = mapped_column(Text, default="")
    leads_to: Mapped[str] = mapped_column(String(20))


class CaseHandoff(Base):
    """A hand-off to a department and its receipt 部门签收.

    ``open_key`` is the line while the hand-off waits, so that a line waits for one signature only.
    ``strokes`` are drawn lines; ``verification`` is the hash over all that the receipt says.
    ``call_at``: from when the department is called if it has not signed; ``called_at``: when it was.
    """

    __tablename__ = "case_handoff"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    receipt_no: Mapped[str] = mapped_column(String(24), unique=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), index=True)
    line_id: Mapped[str] = mapped_column(String(26), default="")
    department_code: Mapped[str] = mapped_column(ForeignKey("department.code"))
    confidential: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    state: Mapped[str] = mapped_column(String(16))
    form: Mapped[str] = mapped_column(String(16))
    copy_left: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str] = mapped_column(String(400), default="")
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_by: Mapped[str] = mapped_column(String(80))
    sent_by_id: Mapped[str] = mapped_column(String(26))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_by: Mapped[str | None] = mapped_column(String(80))
    received_by_id: Mapped[str | None] = mapped_column(String(26))
    received_ip: Mapped[str | None] = mapped_column(String(45))
    signature_kind: Mapped[str | None] = mapped_column(String(12))
    signature_hash: Mapped[str | None] = mapped_column(String(64))
    strokes: Mapped[list[Any] | None] = mapped_column(Json)
    reject_reason: Mapped[str | None] = mapped_column(String(400))
    verification: Mapped[str | None] = mapped_column(String(64))
    open_key: Mapped[str | None] = mapped_column(String(60), unique=True)
    call_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    called_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        Index("ix_case_handoff_department_code_state", "department_code", "state", "sent_at"),
        Index("ix_case_handoff_state_sent_at", "state", "sent_at"),
    )


HANDOFF_FIXED: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER case_handoff_no_update BEFORE UPDATE ON case_handoff WHEN OLD.state <> 'waiting' "
        "BEGIN SELECT RAISE(ABORT, 'a receipt never changes'); END",
        "CREATE TRIGGER case_handoff_no_delete BEFORE DELETE ON case_handoff "
        "BEGIN SELECT RAISE(ABORT, 'a receipt is never deleted'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION case_handoff_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a receipt never changes'; END $$",
        "CREATE TRIGGER case_handoff_no_update BEFORE UPDATE ON case_handoff "
        "FOR EACH ROW WHEN (OLD.state <> 'waiting') EXECUTE FUNCTION case_handoff_refuse()",
        "CREATE TRIGGER case_handoff_no_delete BEFORE DELETE ON case_handoff "
        "FOR EACH ROW EXECUTE FUNCTION case_handoff_refuse()",
    ),
}
"""Statements that make the database itself refuse a change; the migrations run the same ones."""

HANDOFF_FIXED_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("DROP FUNCTION IF EXISTS case_handoff_refuse() CASCADE",),
}

for _dialect, _statements in HANDOFF_FIXED.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(CaseHandoff.__table__, "after_create", _ddl.execute_if(dialect=_dialect))

_BACKFILL = (
    # Its hand-off was none that could be signed.
    "UPDATE service_case SET status = 'registered' WHERE kind = 'complaint' AND status = 'handed_off'",
    "INSERT INTO complaint (case_id, demand, complained_at, registered_by_id, not_reached, called_back_at) "
    "SELECT id, '', opened_at, '', 0, CASE WHEN status IN ('callback', 'closed') THEN opened_at END "
    "FROM service_case WHERE kind = 'complaint'",
    # A line's id is the complaint's: ids of one table need not differ from those of another.
    "INSERT INTO complaint_line (id, case_id, position, status, class_code, cause, department_code, mode, "
    "registered_at, accepted_at, verified_at, done_at) "
    "SELECT id, id, 1, CASE status WHEN 'callback' THEN 'closed' WHEN 'not_filed' THEN 'unfounded' "
    "ELSE status END, 10, summary, department_code, "
    "CASE WHEN status NOT IN ('registered', 'rejected', 'not_filed') THEN 'plan_first' END, opened_at, "
    "CASE WHEN status NOT IN ('registered', 'rejected', 'not_filed') THEN opened_at END, "
    "CASE WHEN status NOT IN ('registered', 'rejected', 'not_filed', 'accepted') THEN opened_at END, "
    "CASE WHEN status IN ('done', 'callback', 'closed') THEN opened_at END "
    "FROM service_case WHERE kind = 'complaint' AND department_code IS NOT NULL",
    "INSERT INTO case_party (case_id, department_code) SELECT id, department_code FROM service_case AS head "
    "WHERE kind = 'complaint' AND department_code IS NOT NULL AND NOT EXISTS (SELECT 1 FROM case_party "
    "WHERE case_party.case_id = head.id AND case_party.department_code = head.department_code)",
)
COMPLAINT_BACKFILL: dict[str, tuple[str, ...]] = {"sqlite": _BACKFILL, "postgresql": _BACKFILL}
"""What complaints of version 0.1 need to stand in these tables as well; the migration runs it."""
