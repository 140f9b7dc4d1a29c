"""How the lines of browser telephones were. Private to the package."""

from datetime import datetime

from sqlalchemy import Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class CallQualityRow(Base):
    """What one browser measured in one call; written again while the call goes on.

    Attributes:
        stretch: made by the page for each conversation; a page that was loaded again measures another one.
        seconds: how long was measured, ``poor_seconds`` how much of it the line was poor.
        measures: name → ``[lowest, mean, highest]``; see :class:`telephony.call_quality.Measures`.
    """

    __tablename__ = "call_quality"
    __table_args__ = (UniqueConstraint("call_id", "agent_id", "stretch"),)

    quality_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    call_id: Mapped[str] = mapped_column(Ulid)
    agent_id: Mapped[str] = mapped_column(Ulid)
    agent_number: Mapped[str] = mapped_column(String(16))
    stretch: Mapped[str] = mapped_column(String(32))
    seconds: Mapped[int] = mapped_column(Integer)
    poor_seconds: Mapped[int] = mapped_column(Integer)
    measures: Mapped[dict[str, list[float]]] = mapped_column(Json)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
