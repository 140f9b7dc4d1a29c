"""SQL tables of the rules for quality deposits and what they led to (domain.md §1.5). Private to ``crm``."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Index, Integer, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, UtcDateTime


class DepositRuleRow(Base):
    """A rule from a day on; never changed, a later one follows."""

    __tablename__ = "deposit_rule"

    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    cap: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    initial: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    release_months: Mapped[int] = mapped_column(Integer)
    floor: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(80))


class DepositShareRow(Base):
    """What was withheld of a project, once; ``released`` is what of it was paid out so far.

    Removed when the completion is voided: the postings tell of it, and the next completion has its own.
    """

    __tablename__ = "deposit_share"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), primary_key=True)
    crew_id: Mapped[str] = mapped_column(ForeignKey("crew.id"))
    rule_from: Mapped[date] = mapped_column(ForeignKey("deposit_rule.valid_from"))
    completed_on: Mapped[date] = mapped_column(Date)
    withheld: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    withheld_at: Mapped[datetime] = mapped_column(UtcDateTime)
    release_on: Mapped[date] = mapped_column(Date)
    released: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_deposit_share_crew_id", "crew_id"),
        Index("ix_deposit_share_release_on", "release_on"),
    )
