"""SQL tables of what is to be told at once, and of causes that came up in a heap. Private to ``crm``."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class AlertRuleRow(Base):
    """A version of the rules; never changed, a later one takes its place from its own day on."""

    __tablename__ = "alert_rule"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    words: Mapped[dict[str, Any]] = mapped_column(Json)
    clusters: Mapped[dict[str, Any]] = mapped_column(Json)
    why: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))


class CauseClusterHead(Base):
    """The latest heap of one cause and subject: who looks at a new complaint waits for its row."""

    __tablename__ = "cause_cluster_head"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    cluster_id: Mapped[str | None] = mapped_column(Ulid)


class CauseCluster(Base):
    """Complaints that came in a heap.

    Attributes:
        subject_kind: what they have in common; ``subject`` is its name as it was when they were told of.
        class_code, subclass: the cause, where it is one of the things that they have in common.
        needed, days: the rule that it began under.
    """

    __tablename__ = "cause_cluster"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    key: Mapped[str] = mapped_column(String(120))
    subject_kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(80))
    class_code: Mapped[int | None] = mapped_column(Integer)
    subclass: Mapped[str | None] = mapped_column(String(24))
    needed: Mapped[int] = mapped_column(Integer)
    days: Mapped[int] = mapped_column(Integer)
    cases: Mapped[int] = mapped_column(Integer)
    told_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (Index("ix_cause_cluster_last_at", "last_at", "id"),)


class CauseClusterCase(Base):
    """A complaint of a heap."""

    __tablename__ = "cause_cluster_case"

    cluster_id: Mapped[str] = mapped_column(ForeignKey("cause_cluster.id"), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_cause_cluster_case_case_id", "case_id"),)
