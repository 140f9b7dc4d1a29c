"""SQL table of the photos and scans that belong to cases. Private to ``crm``."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid, UtcDateTime


class AttachmentRow(Base):
    """A file of a case.

    Attributes:
        name: what the person called it; it is shown, and never part of a path.
        sha256: of the file as it is stored, under which it lies; ``thumb_sha256`` that of its small picture.
        visit_id: the visit it was taken at.
        line_id: the line of a complaint that it belongs to; ``None``: the case as a whole.
    """

    __tablename__ = "attachment"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"))
    purpose: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80))
    media_type: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(Integer)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    thumb_sha256: Mapped[str | None] = mapped_column(String(64))
    visit_id: Mapped[str | None] = mapped_column(Ulid)
    line_id: Mapped[str | None] = mapped_column(Ulid)
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uploaded_by: Mapped[str] = mapped_column(String(80))
    uploader_id: Mapped[str] = mapped_column(String(26))

    __table_args__ = (Index("ix_attachment_case_id", "case_id"),)
