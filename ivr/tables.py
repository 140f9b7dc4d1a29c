"""Published flows: every version for ever, and which one is in force."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class FlowVersionRow(Base):
    """One published text; never changed."""

    __tablename__ = "ivr_flow_version"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(48))
    version: Mapped[int]
    yaml: Mapped[str] = mapped_column(Text)
    checksum: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(String(80))


class ActiveFlowRow(Base):
    """The version of a flow that callers hear."""

    __tablename__ = "ivr_active_flow"

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    version_id: Mapped[str] = mapped_column(Ulid, ForeignKey("ivr_flow_version.id"))
    activated_at: Mapped[datetime] = mapped_column(UtcDateTime)
