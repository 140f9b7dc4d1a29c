"""SQL table of the links that show a hand-off without signing in. Private to ``crm``."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class HandoffLinkRow(Base):
    """A link to a hand-off; of its secret only the SHA-256 is kept, so that a stolen table opens nothing."""

    __tablename__ = "handoff_link"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    handoff_id: Mapped[str] = mapped_column(ForeignKey("case_handoff.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str] = mapped_column(String(80))
    made_by_id: Mapped[str] = mapped_column(String(26))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None] = mapped_column(String(80))
    opened: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    last_opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
