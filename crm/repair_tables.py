"""SQL tables of repairs, their costs and the crews' deposits (domain.md §1.5, §4.4). Private to ``crm``."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    DDL,
    Boolean,
    Date,
    ExecutableDDLElement,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Json, Ulid, UtcDateTime


class WarrantyRow(Base):
    """A home's warranty card as it was issued 保修单, where more is known than the project's own columns."""

    __tablename__ = "warranty"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), primary_key=True)
    flag: Mapped[str] = mapped_column(String(10))
    no: Mapped[str | None] = mapped_column(String(40))
    issued_on: Mapped[date | None] = mapped_column(Date)
    until: Mapped[date | None] = mapped_column(Date)
    excluded: Mapped[list[str]] = mapped_column(Json, default=list)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)
    written_by: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class WarrantyItemRow(Base):
    """What a home is warranted for, from and until when, or why it is not."""

    __tablename__ = "warranty_item"

    project_id: Mapped[str] = mapped_column(ForeignKey("warranty.project_id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(40))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date] = mapped_column(Date)
    excluded: Mapped[bool] = mapped_column(Boolean)
    why: Mapped[str] = mapped_column(String(120))


class RepairRow(Base):
    """What a repair 报修 has besides the header; its version is the header's.

    Attributes:
        warranty: the snapshot taken when it was registered.
        original_crew_left: the crew that built the home was not active then.
        route, route_reason, crew_id: as they are now; ``repair_routing`` has all of them.
        callback_at: end of the appointment, from when on the customer is to be called back.
        proposed_at: the 24 h check proposed to route it anew.
        first_time_fix: known once the customer said that it is solved.
    """

    __tablename__ = "repair_order"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(60))
    repair_class: Mapped[str] = mapped_column(String(12))
    warranty: Mapped[dict[str, Any]] = mapped_column(Json)
    original_crew_id: Mapped[str | None] = mapped_column(ForeignKey("crew.id"), index=True)
    original_crew_name: Mapped[str | None] = mapped_column(String(60))
    original_crew_left: Mapped[bool] = mapped_column(Boolean)
    chain_at: Mapped[datetime] = mapped_column(UtcDateTime)
    route: Mapped[str | None] = mapped_column(String(12))
    route_reason: Mapped[str | None] = mapped_column(String(20))
    crew_id: Mapped[str | None] = mapped_column(ForeignKey("crew.id"))
    routed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reroutes: Mapped[int] = mapped_column(Integer, default=0)
    notified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    notified_by: Mapped[str | None] = mapped_column(String(80))
    notified_way: Mapped[str | None] = mapped_column(String(8))
    notified_whom: Mapped[str | None] = mapped_column(String(40))
    contacted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    contacted_by: Mapped[str | None] = mapped_column(String(80))
    customer_says: Mapped[str | None] = mapped_column(Text)
    not_contacted: Mapped[bool] = mapped_column(Boolean, default=False)
    plan: Mapped[str | None] = mapped_column(Text)
    appointed_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appointed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    callback_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_visit_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worked_visits: Mapped[int] = mapped_column(Integer, default=0)
    fixed: Mapped[bool] = mapped_column(Boolean, default=False)
    solved: Mapped[bool] = mapped_column(Boolean, default=False)
    first_time_fix: Mapped[bool | None] = mapped_column(Boolean)
    proposed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    close_reason: Mapped[str | None] = mapped_column(String(400))

    __table_args__ = (
        Index("ix_repair_order_callback_at", "callback_at"),
        Index("ix_repair_order_crew_id", "crew_id"),
        Index("ix_repair_order_appointed_from", "appointed_from"),
    )


class RepairRoutingRow(Base):
    """Each time somebody decided who repairs, with the reason that stands in the form's corner."""

    __tablename__ = "repair_routing"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("repair_order.case_id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    route: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(400))
    crew_id: Mapped[str | None] = mapped_column(ForeignKey("crew.id"))


class RepairVisitRow(Base):
    """A visit: on the way, arrived, done. One that was called off on the way has ``cancelled_at``."""

    __tablename__ = "repair_visit"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("repair_order.case_id"), index=True)
    open_key: Mapped[str | None] = mapped_column(Ulid, unique=True)
    appointed_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appointed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    en_route_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(12))
    result: Mapped[str] = mapped_column(Text, default="")
    signature_id: Mapped[str | None] = mapped_column(Ulid)
    by: Mapped[str] = mapped_column(String(80))


class RepairCallbackRow(Base):
    """A callback about a repair: whether somebody was reached, and what they said."""

    __tablename__ = "repair_callback"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("repair_order.case_id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(80))
    problem: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str | None] = mapped_column(String(16))
    contacted_in_time: Mapped[str | None] = mapped_column(String(8))
    timely: Mapped[str | None] = mapped_column(String(8))
    remark: Mapped[str] = mapped_column(Text, default="")
    no_visit_reason: Mapped[str | None] = mapped_column(String(200))
    call_id: Mapped[str | None] = mapped_column(Ulid)


class RepairCostRow(Base):
    """The settlement of a repair, one for each record; the figures follow from the lines."""

    __tablename__ = "repair_cost"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("repair_order.case_id"), unique=True)
    crew_id: Mapped[str | None] = mapped_column(ForeignKey("crew.id"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(8))
    labour: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    travel: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    material: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    receipt_no: Mapped[str | None] = mapped_column(String(40))
    author_id: Mapped[str] = mapped_column(String(26))
    author: Mapped[str] = mapped_column(String(80))
    costed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    service_id: Mapped[str | None] = mapped_column(String(26))
    service_name: Mapped[str | None] = mapped_column(String(80))
    service_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    company_id: Mapped[str | None] = mapped_column(String(26))
    company_name: Mapped[str | None] = mapped_column(String(80))
    company_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    filed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    filed_by: Mapped[str | None] = mapped_column(String(80))
    month: Mapped[str | None] = mapped_column(String(7))
    reconciled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reconciled_by: Mapped[str | None] = mapped_column(String(80))
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[str | None] = mapped_column(String(80))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(400), default="")
    revision: Mapped[int] = mapped_column(Integer, default=1)
    version: Mapped[int] = mapped_column(Integer, default=1)

    __table_args__ = (
        Index("ix_repair_cost_state_costed_at", "state", "costed_at"),
        Index("ix_repair_cost_month", "month"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CostBearerRow(Base):
    """What one bears of a repair's cost."""

    __tablename__ = "repair_cost_bearer"

    cost_id: Mapped[str] = mapped_column(ForeignKey("repair_cost.id"), primary_key=True)
    bearer: Mapped[str] = mapped_column(String(12), primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class DepositAccountRow(Base):
    """A crew's account: only the number of its last posting, and the row that postings queue at."""

    __tablename__ = "deposit_account"

    crew_id: Mapped[str] = mapped_column(ForeignKey("crew.id"), primary_key=True)
    last: Mapped[int] = mapped_column(Integer, default=0)


class DepositPostingRow(Base):
    """A posting with its sign. The balance is the sum; the database refuses to change a posting."""

    __tablename__ = "deposit_posting"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    crew_id: Mapped[str] = mapped_column(ForeignKey("deposit_account.crew_id"))
    seq: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    month: Mapped[str] = mapped_column(String(7))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id"))
    case_id: Mapped[str | None] = mapped_column(ForeignKey("service_case.id"))
    cost_id: Mapped[str | None] = mapped_column(ForeignKey("repair_cost.id"), unique=True)
    note: Mapped[str] = mapped_column(String(200), default="")
    by: Mapped[str] = mapped_column(String(80))
    by_id: Mapped[str] = mapped_column(String(26))

    __table_args__ = (UniqueConstraint("crew_id", "seq"),)


class ReceivableRow(Base):
    """What a crew owes beyond its deposit."""

    __tablename__ = "crew_receivable"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    crew_id: Mapped[str] = mapped_column(ForeignKey("crew.id"), index=True)
    cost_id: Mapped[str] = mapped_column(ForeignKey("repair_cost.id"), unique=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_by: Mapped[str | None] = mapped_column(String(80))
    clear_note: Mapped[str | None] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


DEPOSIT_APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER deposit_posting_no_update BEFORE UPDATE ON deposit_posting "
        "BEGIN SELECT RAISE(ABORT, 'a posting never changes'); END",
        "CREATE TRIGGER deposit_posting_no_delete BEFORE DELETE ON deposit_posting "
        "BEGIN SELECT RAISE(ABORT, 'a posting never changes'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION deposit_posting_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a posting never changes'; END $$",
        "CREATE TRIGGER deposit_posting_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON deposit_posting "
        "FOR EACH STATEMENT EXECUTE FUNCTION deposit_posting_refuse()",
    ),
}
"""Statements that make the database itself keep postings as they are; the migration runs the same ones."""

DEPOSIT_APPEND_ONLY_DOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": (
        "DROP TRIGGER deposit_posting_no_change ON deposit_posting",
        "DROP FUNCTION deposit_posting_refuse()",
    ),
}

for _dialect, _statements in DEPOSIT_APPEND_ONLY.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(DepositPostingRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))

_BACKFILL = (
    "INSERT INTO repair_order (case_id, place, repair_class, warranty, original_crew_id, original_crew_name, "
    "original_crew_left, chain_at, reroutes, not_contacted, worked_visits, fixed, solved) "
    "SELECT head.id, '', 'out', '{}', crew.id, crew.name, "
    "CASE WHEN crew.status = 'departed' THEN true ELSE false END, head.opened_at, 0, false, 0, false, false "
    "FROM service_case AS head LEFT JOIN project ON project.id = head.project_id "
    "LEFT JOIN crew ON crew.id = project.crew_id WHERE head.kind = 'repair' "
    "AND NOT EXISTS (SELECT 1 FROM repair_order WHERE repair_order.case_id = head.id)",
)
REPAIR_BACKFILL: dict[str, tuple[str, ...]] = {"sqlite": _BACKFILL, "postgresql": _BACKFILL}
"""What repairs of version 0.1 need to stand in these tables as well; the migration runs it."""
