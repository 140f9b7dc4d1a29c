"""What customers said of a call right after it. Private to the package."""

from datetime import datetime

from sqlalchemy import Boolean, Integer
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class CallRatingRow(Base):
    """The answers of one customer; the second question may be unanswered.

    Attributes:
        service: 1 content, 2 so-so, 3 not content.
        solved: whether their question was answered.
    """

    __tablename__ = "call_rating"

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    service: Mapped[int | None] = mapped_column(Integer)
    solved: Mapped[bool | None] = mapped_column(Boolean)
    rated_at: Mapped[datetime] = mapped_column(UtcDateTime)
