"""The table of callers' places in queues. Private to the package."""

from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class QueuePlaceRow(Base):
    """A place; see :class:`callback_campaigns.domain.queue_place.QueuePlace`.

    Attributes:
        open_number: the number while the place is open: one for each.
        call_id: of the call in which it was asked for.
        agent_number: the telephone that rings first in the call that goes on.
        ended_by: who took it out of the queue, where a person did.
    """

    __tablename__ = "queue_place"
    __table_args__ = (
        Index("ix_queue_place_state_queue", "state", "queue", "joined_at"),
        Index("ix_queue_place_number", "number", "asked_at"),
        Index("ix_queue_place_customer_id", "customer_id"),
        Index("ix_queue_place_call_id", "call_id"),
        Index("ix_queue_place_attempt_id", "attempt_id"),
    )

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    open_number: Mapped[str | None] = mapped_column(String(20), unique=True)
    number: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str | None] = mapped_column(Ulid)
    call_id: Mapped[str] = mapped_column(Ulid)
    queue: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    priority: Mapped[int] = mapped_column(Integer)
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(12))
    attempt_id: Mapped[str | None] = mapped_column(Ulid)
    agent_number: Mapped[str | None] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    misses: Mapped[int] = mapped_column(Integer, default=0)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form
