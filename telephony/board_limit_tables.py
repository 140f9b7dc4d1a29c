"""SQL table of the limits from which on a queue's figure is an alert. Private to ``telephony``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, UtcDateTime


class BoardLimitRow(Base):
    """A version of the limits; never changed, the latest holds. ``queues``: queue → kind → limit."""

    __tablename__ = "board_limit"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    queues: Mapped[dict[str, Any]] = mapped_column(Json)
    begins_after_seconds: Mapped[int] = mapped_column(Integer)
    ends_after_seconds: Mapped[int] = mapped_column(Integer)
    sound: Mapped[bool] = mapped_column(Boolean)
    why: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))
