"""SQL table of what customers say that is no case (domain.md §1.12). Private to ``crm``."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class CustomerVoice(Base):
    """A suggestion, or news of a competitor; never changed. ``month`` is the site's, ``2026-03``."""

    __tablename__ = "customer_voice"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    text: Mapped[str] = mapped_column(Text)
    competitor: Mapped[str] = mapped_column(String(60), default="", server_default="")
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    case_id: Mapped[str | None] = mapped_column(ForeignKey("service_case.id"))
    call_id: Mapped[str | None] = mapped_column(Ulid)
    month: Mapped[str] = mapped_column(String(7))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))

    __table_args__ = (
        Index("ix_customer_voice_month_kind", "month", "kind"),
        Index("ix_customer_voice_by_id", "by_id", "at"),
        Index("ix_customer_voice_at", "at", "id"),
    )
