"""SQL tables of notices and outgoing messages. Private to ``crm.notices``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.notices.domain import KEY_LENGTH, LINK_LENGTH
from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.due import DueColumns

ERROR_LENGTH = 200


class Notice(Base):
    """One thing to hear about: a code and what fills its texts, so that each reader has their language."""

    __tablename__ = "notice"

    notice_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    code: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, str]] = mapped_column(Json)
    link: Mapped[str] = mapped_column(String(LINK_LENGTH))
    severity: Mapped[str] = mapped_column(String(8))
    source_fact_id: Mapped[str | None] = mapped_column(Ulid)
    dedupe_key: Mapped[str] = mapped_column(String(KEY_LENGTH), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class LaterNotice(DueColumns, Base):
    """A notice that is given when it is due, unless it is forgotten before."""

    __tablename__ = "later_notice"

    dedupe_key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    subject: Mapped[str] = mapped_column(String(KEY_LENGTH), index=True)
    code: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, str]] = mapped_column(Json)
    link: Mapped[str] = mapped_column(String(LINK_LENGTH))
    party: Mapped[dict[str, str | None]] = mapped_column(Json)
    also: Mapped[list[str]] = mapped_column(Json)
    source_fact_id: Mapped[str | None] = mapped_column(Ulid)


class NoticeRecipient(Base):
    """Who reads a notice, as :attr:`crm.notices.domain.Target.key`; whoever it means today."""

    __tablename__ = "notice_recipient"

    target: Mapped[str] = mapped_column(String(80), primary_key=True)
    notice_id: Mapped[str] = mapped_column(
        Ulid, ForeignKey("notice.notice_id", ondelete="CASCADE"), primary_key=True, index=True
    )


class NoticeRead(Base):
    """That a person has read a notice."""

    __tablename__ = "notice_read"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    notice_id: Mapped[str] = mapped_column(
        Ulid, ForeignKey("notice.notice_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeRule(Base):
    """Who hears of a code, how urgently and over which channels; shipped in ``rules.yaml``, changed here."""

    __tablename__ = "notice_rule"

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    recipients: Mapped[list[str]] = mapped_column(Json)
    channels: Mapped[list[str]] = mapped_column(Json)
    severity: Mapped[str] = mapped_column(String(8))
    active: Mapped[bool] = mapped_column(Boolean)
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class NoticeAddress(Base):
    """Where a person is reached over a channel; one each. No key crosses packages.

    One that was removed stays as a row with no address, so that its version goes on.
    """

    __tablename__ = "notice_address"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    address: Mapped[str] = mapped_column(String(254))
    verified: Mapped[bool] = mapped_column(Boolean)
    active: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class OutgoingMessage(DueColumns, Base):
    """A message on its way out: due until it is sent, given up or suppressed.

    ``tries`` counts claims; ``attempts`` counts what was handed to the other side. ``cleared`` says how many
    of its rate limits the message has passed: 0 none, 1 the recipient's, 2 the channel's as well.
    """

    __tablename__ = "outgoing_message"

    message_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))
    address: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[str | None] = mapped_column(String(40))
    to_customer: Mapped[bool] = mapped_column(Boolean)
    code: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    link: Mapped[str] = mapped_column(String(LINK_LENGTH))
    language: Mapped[str] = mapped_column(String(10))
    severity: Mapped[str] = mapped_column(String(8))
    dedupe_key: Mapped[str] = mapped_column(String(KEY_LENGTH + 80), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer)
    cleared: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str] = mapped_column(String(ERROR_LENGTH))
    provider_ref: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_outgoing_message_state_message_id", "state", "message_id"),)


class MessageRate(Base):
    """A bucket of a rate limit: the moment until which it is booked."""

    __tablename__ = "message_rate"

    bucket: Mapped[str] = mapped_column(String(120), primary_key=True)
    booked_until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
