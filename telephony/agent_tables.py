"""Tables of agents, queues, pauses, dispositions and the agents' days."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.due import DueColumns

CODE = String(32)


class AgentRow(Base):
    """A person with an extension. ``number`` is the SIP endpoint's name and its user."""

    __tablename__ = "agent"

    agent_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(40))
    sip_password: Mapped[str] = mapped_column(String(64))
    browser_phone: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class QueueRow(Base):
    """A queue; its settings become ``queues.conf``. Times in seconds."""

    __tablename__ = "queue"

    name: Mapped[str] = mapped_column(CODE, primary_key=True)
    label_zh: Mapped[str] = mapped_column(String(40))
    label_en: Mapped[str] = mapped_column(String(40))
    strategy: Mapped[str] = mapped_column(String(20), default="rrmemory")
    ring_timeout_seconds: Mapped[int] = mapped_column(Integer, default=15)
    retry_seconds: Mapped[int] = mapped_column(Integer, default=1)
    wrap_up_seconds: Mapped[int] = mapped_column(Integer, default=60)
    max_wait_seconds: Mapped[int] = mapped_column(Integer, default=600)
    answer_within_seconds: Mapped[int] = mapped_column(Integer, default=20)
    weight: Mapped[int] = mapped_column(Integer, default=0)
    position: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    live_text: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    rating: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class QueueMemberRow(Base):
    """An agent works in a queue. The truth that Asterisk's dynamic members follow."""

    __tablename__ = "queue_member"
    __table_args__ = (CheckConstraint("penalty >= 0", name="penalty"),)

    queue: Mapped[str] = mapped_column(ForeignKey("queue.name", ondelete="CASCADE"), primary_key=True)
    agent_id: Mapped[str] = mapped_column(
        ForeignKey("agent.agent_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    penalty: Mapped[int] = mapped_column(Integer, default=0)


class PauseReasonRow(Base):
    """Why an agent takes no calls. ``selectable`` false: only the system gives it."""

    __tablename__ = "pause_reason"

    code: Mapped[str] = mapped_column(CODE, primary_key=True)
    label_zh: Mapped[str] = mapped_column(String(40))
    label_en: Mapped[str] = mapped_column(String(40))
    position: Mapped[int] = mapped_column(Integer, default=0)
    selectable: Mapped[bool] = mapped_column(Boolean, default=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    limit_seconds: Mapped[int | None] = mapped_column(Integer)
    ends_itself: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class DispositionRow(Base):
    """What became of a call, in the agent's judgement; see :mod:`telephony.domain.disposition`."""

    __tablename__ = "disposition"

    code: Mapped[str] = mapped_column(CODE, primary_key=True)
    label_zh: Mapped[str] = mapped_column(String(40))
    label_en: Mapped[str] = mapped_column(String(40))
    parent: Mapped[str | None] = mapped_column(ForeignKey("disposition.code"))
    queues: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    needs: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    position: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class AgentSessionRow(Base):
    """The agent's state machine, stored after each of its steps; ``version`` counts the steps."""

    __tablename__ = "agent_session"

    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.agent_id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=0)
    signed_in: Mapped[bool] = mapped_column(Boolean, default=False, index=True)
    leaving: Mapped[bool] = mapped_column(Boolean, default=False)
    pause_reason: Mapped[str | None] = mapped_column(CODE)
    asleep: Mapped[bool] = mapped_column(Boolean, default=False)
    legs: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    wrap_up_call_id: Mapped[str | None] = mapped_column(Ulid)
    wrap_up_queue: Mapped[str | None] = mapped_column(CODE)
    wrap_up_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    no_answers: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(CODE)
    call_id: Mapped[str | None] = mapped_column(Ulid)
    queue: Mapped[str | None] = mapped_column(CODE)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    next_state: Mapped[str | None] = mapped_column(String(16))
    next_reason: Mapped[str | None] = mapped_column(CODE)
    signed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AgentStateLogRow(Base):
    """One stretch of an agent's day in one state; the open one has no end."""

    __tablename__ = "agent_state_log"
    __table_args__ = (Index("ix_agent_state_log_agent_started", "agent_id", "started_at"),)

    entry_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.agent_id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(CODE)
    call_id: Mapped[str | None] = mapped_column(Ulid)
    queue: Mapped[str | None] = mapped_column(CODE)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WrapUpRow(DueColumns, Base):
    """A call that an agent took, and what they wrote about it.

    Born when the agent takes the call, so that a disposition may be saved during it, in wrap-up and long
    after. ``due_at`` is the end of the wrap-up while it runs, and empty at all other times.
    """

    __tablename__ = "wrap_up"

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.agent_id", ondelete="CASCADE"), primary_key=True)
    queue: Mapped[str | None] = mapped_column(CODE)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disposition: Mapped[str | None] = mapped_column(ForeignKey("disposition.code"))
    notes: Mapped[str] = mapped_column(Text, default="")
    customer_id: Mapped[str | None] = mapped_column(String(64))
    draft_notes: Mapped[str | None] = mapped_column(Text)
    draft_disposition: Mapped[str | None] = mapped_column(CODE)
    saved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
