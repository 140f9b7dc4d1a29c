"""Published flows, which are in force, where calls went in them; rules of routing. Versions stay for ever."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Integer, String, Text, UniqueConstraint
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
    why: Mapped[str] = mapped_column(String(200), default="", server_default="")


class FlowTrafficRow(Base):
    """How many calls went from one node to another on a day of the site.

    Attributes:
        node: where they came from; "" for the beginning of the call.
        to_node: where they went, a node or ``*fallback`` or ``*gone`` (see :mod:`ivr.domain.engine`).
    """

    __tablename__ = "ivr_flow_traffic"

    flow: Mapped[str] = mapped_column(String(48), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    node: Mapped[str] = mapped_column(String(48), primary_key=True)
    to_node: Mapped[str] = mapped_column(String(48), primary_key=True)
    calls: Mapped[int]


class ActiveFlowRow(Base):
    """The version of a flow that callers hear."""

    __tablename__ = "ivr_active_flow"

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    version_id: Mapped[str] = mapped_column(Ulid, ForeignKey("ivr_flow_version.id"))
    activated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RoutingRuleRow(Base):
    """A version of the rules; the one of the highest number is in force."""

    __tablename__ = "ivr_routing_rule"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))


class LineMessageRow(Base):
    """What callers are told before they wait, for some hours: an emergency, a holiday.

    Attributes:
        queue: for callers of this queue; ``None`` for all.
        then: ``queue``, ``offer`` or ``hangup``: what follows.
        ended_at, ended_by: somebody switched it off before its time.
    """

    __tablename__ = "ivr_line_message"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    queue: Mapped[str | None] = mapped_column(String(32))
    text_zh: Mapped[str] = mapped_column(String(300))
    text_en: Mapped[str] = mapped_column(String(600), default="", server_default="")
    then: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_by: Mapped[str] = mapped_column(String(80))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(80))
