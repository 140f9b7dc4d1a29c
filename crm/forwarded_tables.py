"""SQL table of replies to hotlines that forwarded a case. Private to ``crm``."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class SourceReply(Base):
    """A forwarding hotline was told the result of its order 回复转办单; one for each case."""

    __tablename__ = "source_reply"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    id: Mapped[str] = mapped_column(Ulid, unique=True)
    replied_at: Mapped[datetime] = mapped_column(UtcDateTime)
    replied_by: Mapped[str] = mapped_column(String(80))
    replied_by_id: Mapped[str] = mapped_column(String(26))
    way: Mapped[str] = mapped_column(String(16))
    told: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
