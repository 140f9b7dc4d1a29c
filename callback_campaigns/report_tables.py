"""SQL table of reports that come by themselves. Private to ``callback_campaigns``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.due import DueColumns


class RegularReportRow(DueColumns, Base):
    """A report of a month 定期报表: what it counts, and when it was sent; it is due when the month is over.

    Attributes:
        figures: counts by their codes, as they were at ``cut_off``.
    """

    __tablename__ = "regular_report"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    code: Mapped[str] = mapped_column(String(16))
    period: Mapped[str] = mapped_column(String(7))
    figures: Mapped[dict[str, Any] | None] = mapped_column(Json)
    cut_off: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("code", "period"),
        Index("ix_regular_report_sent_at", "sent_at", "id"),
    )
