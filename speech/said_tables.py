"""Calls whose words the search is to read anew. Private to the package."""

from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Ulid
from kernel.due import DueColumns


class SaidJobRow(DueColumns, Base):
    """One call of which what was said changed; it goes when the search has read it."""

    __tablename__ = "said_job"

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
