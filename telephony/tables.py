"""Tables of calls, legs, time lines and epochs. Private to the package; durations in milliseconds."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class CallRow(Base):
    """One call; written again each time it changes.

    Attributes:
        language: of the caller, where they chose another than the centre's own.
        customer_id: set by :func:`telephony.history.link_customer`, never by the writer.
        merged_into: the call that this consultation became part of; such rows are not shown.
        resume: what the model needs to go on with an open call after a restart of ours.
        told: the fact of its end is in the outbox.
    """

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_started_at", "started_at", "call_id"),
        Index("ix_call_from_number", "from_number", "started_at"),
        Index("ix_call_to_number", "to_number", "started_at"),
        Index("ix_call_queue", "queue", "started_at"),
        Index("ix_call_agent_number", "agent_number", "started_at"),
        Index("ix_call_result", "result", "started_at"),
        Index("ix_call_customer_id", "customer_id", "started_at"),
        Index("ix_call_state", "state", "node"),
    )

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    direction: Mapped[str] = mapped_column(String(8))
    from_number: Mapped[str] = mapped_column(String(64))
    to_number: Mapped[str] = mapped_column(String(64))
    from_name: Mapped[str] = mapped_column(String(80))
    customer_id: Mapped[str | None] = mapped_column(String(26))
    queue: Mapped[str | None] = mapped_column(String(64))
    agent_id: Mapped[str | None] = mapped_column(String(26))
    agent_number: Mapped[str | None] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[str | None] = mapped_column(String(16))
    menu_path: Mapped[list[str]] = mapped_column(Json)
    language: Mapped[str | None] = mapped_column(String(8))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wait_ms: Mapped[int | None] = mapped_column(BigInteger)
    talk_ms: Mapped[int] = mapped_column(BigInteger)
    hold_ms: Mapped[int] = mapped_column(BigInteger)
    hangup_by: Mapped[str | None] = mapped_column(String(8))
    end_reason: Mapped[str | None] = mapped_column(String(16))
    cause: Mapped[int | None] = mapped_column(Integer)
    adopted: Mapped[bool] = mapped_column(Boolean, default=False)
    merged_into: Mapped[str | None] = mapped_column(Ulid)
    resume: Mapped[dict[str, Any] | None] = mapped_column(Json)
    told: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")


class CallLegRow(Base):
    """One channel. Its call changes when a consultation becomes part of another call."""

    __tablename__ = "call_leg"
    __table_args__ = (
        Index("ix_call_leg_call_id", "call_id"),
        Index("ix_call_leg_agent_number", "agent_number", "call_id"),
    )

    node: Mapped[str] = mapped_column(String(32), primary_key=True)
    uniqueid: Mapped[str] = mapped_column(String(64), primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("call.call_id", ondelete="CASCADE"))
    linkedid: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(8))
    agent_number: Mapped[str | None] = mapped_column(String(16))
    number: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    taken: Mapped[bool] = mapped_column(Boolean)
    cause: Mapped[int | None] = mapped_column(Integer)
    resume: Mapped[dict[str, Any] | None] = mapped_column(Json)


class CallEventRow(Base):
    """One row of a time line."""

    __tablename__ = "call_event"

    call_id: Mapped[str] = mapped_column(ForeignKey("call.call_id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str | None] = mapped_column(String(128))
    agent: Mapped[str | None] = mapped_column(String(16))
    queue: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, str]] = mapped_column(Json)


class AmiEpochRow(Base):
    """One connection to a PBX during which every event was seen.

    Attributes:
        boot_id: names the run of Asterisk; another one means that it was restarted.
        seen_until: until when we are sure to have followed it; where a gap begins.
    """

    __tablename__ = "ami_epoch"
    __table_args__ = (Index("ix_ami_epoch_node", "node", "started_at"),)

    epoch_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[int] = mapped_column(Integer)
    boot_id: Mapped[str] = mapped_column(String(64))
    asterisk_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    live_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_until: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(16))
