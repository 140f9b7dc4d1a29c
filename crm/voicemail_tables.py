"""SQL table of messages that callers left after the tone."""

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, false
from sqlalchemy.orm import Mapped, mapped_column

from crm.spoken_tables import SpokenColumns
from kernel.db import Base, Ulid, UtcDateTime


class VoiceMessageRow(SpokenColumns, Base):
    """A message 语音留言; ``path`` below the folder of messages.

    Attributes:
        e164: the caller's number; empty where it was withheld.
        origin: where in the menus it was left.
        request_id: the wish to be called back that it belongs to, as long as the number is on that list.
        route: whose it is by what was said: a word of :class:`crm.domain.voicemail.Route`.
        urgent: there is danger by water, electricity or gas.
        class_code: of the complaint in it, by the rules.
        heard_at, heard_by: who listened first.
    """

    __tablename__ = "voice_message"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    e164: Mapped[str] = mapped_column(String(20), default="", server_default="")
    path: Mapped[str] = mapped_column(String(200), unique=True)
    seconds: Mapped[float] = mapped_column(Float)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    origin: Mapped[str] = mapped_column(String(48), default="", server_default="")
    request_id: Mapped[str | None] = mapped_column(Ulid)
    route: Mapped[str] = mapped_column(String(12), default="", server_default="")
    urgent: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    class_code: Mapped[int | None] = mapped_column(Integer)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_voice_message_call_id", "call_id"),
        Index("ix_voice_message_request_id", "request_id"),
        Index("ix_voice_message_customer_id", "customer_id"),
        Index("ix_voice_message_at", "at", "id"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form
