"""The stored figures of the site's days, by half hours. Private to the package; durations in milliseconds."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, UtcDateTime


class QueueSlotRow(Base):
    """Half an hour of a queue, or (with an empty ``queue``) the time of all agents together.

    Written by the service as it counts, and again by ``huifang stats rebuild`` from the time lines of the
    calls and the log of the agents' states.

    Attributes:
        answer_within_ms, short_abandon_ms: the thresholds that it was counted under.
        handled, handling_ms: calls of agents, and the time they took with wrap-up.
        busy_ms, ready_ms: agents' time in calls and wrap-up, and in waiting for the next call.
    """

    __tablename__ = "queue_slot"
    __table_args__ = (Index("ix_queue_slot_slot_at", "slot_at"),)

    node: Mapped[str] = mapped_column(String(32), primary_key=True)
    slot_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    queue: Mapped[str] = mapped_column(String(64), primary_key=True)
    offered: Mapped[int] = mapped_column(Integer)
    answered: Mapped[int] = mapped_column(Integer)
    answered_in: Mapped[int] = mapped_column(Integer)
    abandoned: Mapped[int] = mapped_column(Integer)
    abandoned_in: Mapped[int] = mapped_column(Integer)
    abandoned_short: Mapped[int] = mapped_column(Integer)
    answered_wait_ms: Mapped[int] = mapped_column(BigInteger)
    handled: Mapped[int] = mapped_column(Integer)
    handling_ms: Mapped[int] = mapped_column(BigInteger)
    busy_ms: Mapped[int] = mapped_column(BigInteger)
    ready_ms: Mapped[int] = mapped_column(BigInteger)
    answer_within_ms: Mapped[int] = mapped_column(BigInteger)
    short_abandon_ms: Mapped[int] = mapped_column(BigInteger)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)
