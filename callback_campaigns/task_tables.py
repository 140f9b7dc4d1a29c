"""SQL tables of callback tasks, attempts to reach somebody, and refusals to dial (domain.md §1.2, §4.2)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from callback_campaigns.domain.early_media import MAX_TEXT
from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.due import DueColumns

OPEN_ATTEMPT = "state <> 'ended'"
OPEN_TASK = "current_key IS NOT NULL"
WAITING_TASK = "coalesce(current_key, '') <> ''"
"""The same, written so that SQLite does not take the index of ``current_key`` for it."""
READY_TASK = "status || '' = 'ready'"
"""Written so that only the partial index fits: SQLite would take another one of ``status``, and sort."""
READY_APPOINTED = "status || '' = 'ready' AND appointed"


class CallbackTaskRow(DueColumns, Base):
    """A callback task; ``due_at`` is set only while the task waits for a moment to come, ``call_at`` always.

    Attributes:
        key: the same event gives the same, so that it makes one task.
        current_key: of the project and type, or the case and type, while the task is open: one at a time
            (CB-1).
        planned_for: when it was first to be made; what ``call_at`` became since does not change it.
        holds: what holds it back, joined by commas.
        tried: its attempts, each ``[moment, outcome, channel]``.
        finding: the result as it was given; what is counted by stands in columns of its own.
        campaign_id: the campaign whose list brought it; no other campaign works on it.
        tried_campaign_id: the last campaign that called about it, in whose figures its end counts.
        assignee_id, assignee_name: the agent who is to call, so that a project hears the same voice;
            ``None`` for whoever is free.
    """

    __tablename__ = "callback_task"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)
    current_key: Mapped[str | None] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(8))
    category: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(12))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    project_id: Mapped[str | None] = mapped_column(Ulid)
    case_id: Mapped[str | None] = mapped_column(Ulid)
    point: Mapped[str] = mapped_column(String(8), default="", server_default="")
    level: Mapped[str] = mapped_column(String(1))
    channel: Mapped[str] = mapped_column(String(12))
    origin: Mapped[str] = mapped_column(String(12))
    origin_ref: Mapped[str] = mapped_column(String(80))
    previous_id: Mapped[str | None] = mapped_column(Ulid)
    replaced_by: Mapped[str | None] = mapped_column(Ulid)
    revisit_id: Mapped[str | None] = mapped_column(Ulid)
    call_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_for: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    window_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appointed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    holds: Mapped[str] = mapped_column(String(40), default="", server_default="")
    attempt_id: Mapped[str | None] = mapped_column(Ulid)
    attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tried: Mapped[list[Any]] = mapped_column(Json)
    ends_in_call: Mapped[str | None] = mapped_column(String(20))
    result_code: Mapped[str | None] = mapped_column(String(12))
    verdict: Mapped[str | None] = mapped_column(String(12))
    score: Mapped[int | None] = mapped_column(Integer)
    finding: Mapped[dict[str, Any] | None] = mapped_column(Json)
    answered: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    cancelled_why: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    campaign_id: Mapped[str | None] = mapped_column(Ulid)
    tried_campaign_id: Mapped[str | None] = mapped_column(Ulid)
    assignee_id: Mapped[str | None] = mapped_column(Ulid)
    assignee_name: Mapped[str] = mapped_column(String(80), default="", server_default="")
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_callback_task_status_call_at", "status", "call_at", "id"),
        Index("ix_callback_task_campaign_id", "campaign_id", "status"),
        # What campaigns look for, in the order in which it presses; nothing of the row is needed to choose.
        Index(
            "ix_callback_task_ready",
            "level",
            "window_end",
            "call_at",
            "id",
            "kind",
            "channel",
            "campaign_id",
            sqlite_where=text(READY_TASK),
            postgresql_where=text(READY_TASK),
        ),
        Index(
            "ix_callback_task_appointed",
            "call_at",
            "id",
            sqlite_where=text(READY_APPOINTED),
            postgresql_where=text(READY_APPOINTED),
        ),
        Index("ix_callback_task_call_at", "call_at", "id"),
        # The work list: what is open, in order, however much is over.
        Index(
            "ix_callback_task_open",
            "call_at",
            "id",
            sqlite_where=text(OPEN_TASK),
            postgresql_where=text(OPEN_TASK),
        ),
        # What campaigns came to, and what waits for them; nothing of the row is needed to count.
        Index("ix_callback_task_tried", "tried_campaign_id", "status", "verdict", "ended_at"),
        Index(
            "ix_callback_task_waiting",
            "campaign_id",
            "kind",
            "channel",
            "level",
            "status",
            "call_at",
            # SQLite looks at what the condition names, although all of them fulfil it.
            "current_key",
            sqlite_where=text(WAITING_TASK),
            postgresql_where=text(WAITING_TASK),
        ),
        # What a period came to.
        Index("ix_callback_task_result", "id", "kind", "status", "ended_at"),
        Index("ix_callback_task_window", "kind", "window_end", "status", "ended_at"),
        Index(
            "ix_callback_task_ended",
            "kind",
            "ended_at",
            "status",
            "verdict",
            "score",
            "planned_for",
            "customer_id",
            "project_id",
        ),
        Index("ix_callback_task_ended_at", "ended_at"),
        Index("ix_callback_task_customer_id", "customer_id"),
        Index("ix_callback_task_project_id_kind", "project_id", "kind"),
        Index("ix_callback_task_case_id", "case_id"),
        Index("ix_callback_task_origin_ref", "origin_ref"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CallbackStepRow(Base):
    """A step of a task: who made it, when, and from which status to which."""

    __tablename__ = "callback_task_step"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    task_id: Mapped[str] = mapped_column(Ulid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    step: Mapped[str] = mapped_column(String(24))
    status_was: Mapped[str | None] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(12))
    detail: Mapped[dict[str, Any]] = mapped_column(Json)

    __table_args__ = (Index("ix_callback_task_step_task_id", "task_id", "at"),)


class InvalidAttemptRow(Base):
    """An attempt that brought nothing 无效回访, shown at the next one (CB-8)."""

    __tablename__ = "callback_invalid_attempt"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    task_id: Mapped[str] = mapped_column(Ulid)
    attempt_id: Mapped[str] = mapped_column(String(26))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(12))
    channel: Mapped[str] = mapped_column(String(12))
    agent: Mapped[str | None] = mapped_column(String(80))
    node: Mapped[str] = mapped_column(String(40), default="", server_default="")
    remark: Mapped[str] = mapped_column(String(200), default="", server_default="")

    __table_args__ = (Index("ix_callback_invalid_attempt_task_id", "task_id", "at"),)


class CallbackStopRow(Base):
    """Callbacks of one type are stopped for one project (CB-9)."""

    __tablename__ = "callback_stop"

    project_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class GateOverrideRow(Base):
    """The manager's decision to open a gate of a project (domain.md §1.1)."""

    __tablename__ = "callback_gate_override"

    project_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    gate: Mapped[str] = mapped_column(String(16), primary_key=True)
    reason: Mapped[str] = mapped_column(String(400))
    by: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class DialAttemptRow(Base):
    """An attempt to reach a number, committed before anything is sent (architecture.md §3).

    The index on ``number`` is what keeps two campaigns, processes or people from calling a number at once.

    Attributes:
        carrier: whose rules it was dialled by; attempts from before this was kept have none.
        connect_seconds: from the answer to the first of ours who took the call, where somebody was to.
        case_id: of a call that somebody asked for from the page of a case; such a call has no task.
        user_id: who asked for it, and was rung first.
        cause: why the network ended it (Q.850), where nobody answered.
        heard, heard_as, heard_sure: what its voice said before that, what it means, and how sure that is.
    """

    __tablename__ = "dial_attempt"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(String(40), unique=True)
    task_id: Mapped[str | None] = mapped_column(Ulid)
    campaign_id: Mapped[str | None] = mapped_column(Ulid)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    number: Mapped[str] = mapped_column(String(20))
    node: Mapped[str] = mapped_column(String(40))
    trunk: Mapped[str] = mapped_column(String(40))
    carrier: Mapped[str | None] = mapped_column(String(40))
    agent: Mapped[str | None] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(12))
    outcome: Mapped[str | None] = mapped_column(String(12))
    survey: Mapped[bool] = mapped_column(Boolean)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    corrected: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    connect_seconds: Mapped[float | None] = mapped_column(Float)
    case_id: Mapped[str | None] = mapped_column(Ulid)
    user_id: Mapped[str | None] = mapped_column(Ulid)
    cause: Mapped[int | None] = mapped_column(Integer)
    heard: Mapped[str | None] = mapped_column(String(MAX_TEXT))
    heard_as: Mapped[str | None] = mapped_column(String(12))
    heard_sure: Mapped[float | None] = mapped_column(Float)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index(
            "uq_dial_attempt_open_number",
            "number",
            unique=True,
            sqlite_where=text(OPEN_ATTEMPT),
            postgresql_where=text(OPEN_ATTEMPT),
        ),
        Index("ix_dial_attempt_number_began_at", "number", "began_at"),
        Index("ix_dial_attempt_customer_id_answered_at", "customer_id", "answered_at"),
        Index("ix_dial_attempt_task_id", "task_id", "began_at"),
        Index("ix_dial_attempt_campaign_id_began_at", "campaign_id", "began_at"),
        Index("ix_dial_attempt_began_at", "began_at", "id", "state", "outcome", "task_id"),
        Index(
            "ix_dial_attempt_figures",
            "campaign_id",
            "state",
            "outcome",
            "answered_at",
            "connect_seconds",
            "task_id",
        ),
        Index("ix_dial_attempt_state_since", "state", "since"),
        Index("ix_dial_attempt_case_id_began_at", "case_id", "began_at"),
        Index("ix_dial_attempt_user_id_began_at", "user_id", "began_at"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class DialRefusalRow(Base):
    """A call that was not made, with the reason's code."""

    __tablename__ = "dial_refusal"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    task_id: Mapped[str | None] = mapped_column(Ulid)
    campaign_id: Mapped[str | None] = mapped_column(Ulid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    code: Mapped[str] = mapped_column(String(24))
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    detail: Mapped[str] = mapped_column(String(120), default="", server_default="")

    __table_args__ = (
        Index("ix_dial_refusal_at", "at"),
        Index("ix_dial_refusal_campaign_id_at", "campaign_id", "at"),
        Index("ix_dial_refusal_task_id", "task_id"),
        Index("ix_dial_refusal_campaign_id_code", "campaign_id", "code"),
    )
