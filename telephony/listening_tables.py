"""Supervisors who listen to calls. Private to the package."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class ListeningRow(Base):
    """A supervisor listens to a call, from the wish to its end.

    Attributes:
        agent_number: whose call it was when it began.
        listener_number: the telephone of the supervisor.
        open_listener: their number while it lasts, so that they have one at most; then ``None``.
        open_taking: the call while they take it over or have it, so that one of them does; else ``None``.
        wanted: a :class:`telephony.domain.listening.Mode`; ``None``: they want to leave.
        now: what the PBX does, a mode; ``None``: nothing is heard.
        rung_at: when their telephone was rung; set before it is, so that it is never rung twice.
        answered_at: when they were first heard of.
        taken_at: when they were connected with the customer.
        ended_why: a :class:`telephony.domain.listening.ListeningEnd`.
    """

    __tablename__ = "listening"
    __table_args__ = (
        Index("ix_listening_call_id", "call_id", "began_at"),
        Index("ix_listening_ended_at", "ended_at"),
    )

    listening_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    node: Mapped[str] = mapped_column(String(32))
    agent_number: Mapped[str | None] = mapped_column(String(16))
    listener_number: Mapped[str] = mapped_column(String(16))
    open_listener: Mapped[str | None] = mapped_column(String(16), unique=True)
    open_taking: Mapped[str | None] = mapped_column(Ulid, unique=True)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    wanted: Mapped[str | None] = mapped_column(String(12))
    now: Mapped[str | None] = mapped_column(String(12))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rung_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str | None] = mapped_column(String(16))
