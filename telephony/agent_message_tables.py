"""Messages of supervisors to agents. Private to the package."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class AgentMessageRow(Base):
    """One message, to one agent or to all who were at work."""

    __tablename__ = "agent_message"

    message_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    text: Mapped[str] = mapped_column(String(300))
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))
    to_all: Mapped[bool] = mapped_column(Boolean)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AgentMessageReceiptRow(Base):
    """That a message is for an agent; ``confirmed_at``: when they said that they have read it."""

    __tablename__ = "agent_message_receipt"
    __table_args__ = (Index("ix_agent_message_receipt_agent_id", "agent_id", "confirmed_at"),)

    message_id: Mapped[str] = mapped_column(
        ForeignKey("agent_message.message_id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent.agent_id", ondelete="CASCADE"), primary_key=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
