"""Tables of the web shell: users, sessions, known devices, API tokens and kept answers."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime

HASH_LENGTH = 64


class UserRow(Base):
    """A person who may sign in.

    ``agent_id`` names their agent in telephony, ``department`` the code of theirs in the CRM; no key crosses
    packages. ``password_due``: the password was given by an administrator, and nothing but another one can be
    done with it.
    """

    __tablename__ = "user_account"

    user_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    pin_hash: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    department: Mapped[str | None] = mapped_column(String(16))
    agent_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    locale: Mapped[str] = mapped_column(String(10), default="zh-CN")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    password_changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    password_due: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class SessionRow(Base):
    """A signed-in browser; the key is the SHA-256 of the cookie, so that a stolen table opens nothing."""

    __tablename__ = "user_session"

    session_id: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        Ulid, ForeignKey("user_account.user_id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(200))


class DeviceRow(Base):
    """A browser that has signed this user in before; it is throttled on its own account (``throttle.py``)."""

    __tablename__ = "user_device"

    device_id: Mapped[str] = mapped_column(String(HASH_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        Ulid, ForeignKey("user_account.user_id", ondelete="CASCADE"), index=True
    )
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TokenRow(Base):
    """A bearer token of the API; only its SHA-256 is kept."""

    __tablename__ = "api_token"

    token_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(HASH_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    department: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WallScreenRow(Base):
    """A big screen that shows the figures (:mod:`web.wall_screens`); of its secrets only the SHA-256 is kept.

    Attributes:
        code_hash: of the code that opens it, until it was typed in; it holds until ``code_until``.
        secret_hash: of what its cookie carries.
    """

    __tablename__ = "wall_screen"

    screen_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    code_hash: Mapped[str | None] = mapped_column(String(HASH_LENGTH), unique=True)
    code_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    secret_hash: Mapped[str | None] = mapped_column(String(HASH_LENGTH), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiAnswerRow(Base):
    """A request with an ``Idempotency-Key`` and its answer (:mod:`web.idempotency`).

    Attributes:
        user_id: person or token that sent it; ``route`` is method and path.
        token: of whoever carries it out now.
        claimed_until: from then on somebody else may carry it out, unless it was committed.
    """

    __tablename__ = "api_answer"

    user_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    token: Mapped[str] = mapped_column(Ulid, unique=True)
    body_hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    state: Mapped[str] = mapped_column(String(12))
    status: Mapped[int | None] = mapped_column(Integer)
    etag: Mapped[str | None] = mapped_column(String(40))
    answer: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
