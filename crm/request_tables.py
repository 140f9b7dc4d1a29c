"""SQL table of what people ask about their own data. Private to ``crm``."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class DataRequestRow(Base):
    """A request to see, copy, correct or delete one's data (domain.md §6.4, PIPL art. 44–50).

    Attributes:
        due_at: when the limit ``RQ.ANSWER`` ends; ``None`` while its calendar is not loaded.
        kept_until: of a deletion, until when the law keeps what is left; then it goes as well.
        erased_on: when nothing was left that names the person.
    """

    __tablename__ = "data_request"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    no: Mapped[str] = mapped_column(String(20), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8))
    evidence: Mapped[str] = mapped_column(String(400))
    wish: Mapped[str] = mapped_column(String(1000))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_by: Mapped[str] = mapped_column(String(80))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(String(1000))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by: Mapped[str | None] = mapped_column(String(80))
    kept_until: Mapped[date | None] = mapped_column(Date)
    erased_on: Mapped[date | None] = mapped_column(Date)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __table_args__ = (
        Index("ix_data_request_state_received_at", "state", "received_at"),
        Index("ix_data_request_customer_id", "customer_id"),
        Index("ix_data_request_kept_until", "kept_until"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form
