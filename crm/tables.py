"""SQL tables of customers, projects, cases and contacts (domain.md §4.1, §4.4). Private to ``crm``."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel.db import Base, Json, Ulid, UtcDateTime


class Store(Base):
    """A store 店面."""

    __tablename__ = "store"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)


class Department(Base):
    """A department that answers for cases 责任部门."""

    __tablename__ = "department"

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    head: Mapped[str | None] = mapped_column(String(40))


class Crew(Base):
    """A construction crew 施工队; ``status`` is ``active``, ``departed`` or ``suspended``."""

    __tablename__ = "crew"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    head: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(16), default="active")


class Customer(Base):
    """A customer 客户."""

    __tablename__ = "customer"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    salutation: Mapped[str | None] = mapped_column(String(8))
    level: Mapped[str] = mapped_column(String(1))
    level_reason: Mapped[str | None] = mapped_column(String(200))
    store_id: Mapped[str | None] = mapped_column(ForeignKey("store.id"))
    do_not_call: Mapped[bool] = mapped_column(Boolean, default=False)
    frozen_reason: Mapped[str | None] = mapped_column(String(200))
    problem_reason: Mapped[str | None] = mapped_column(String(200))
    elder_mode: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)

    phones: Mapped[list["CustomerPhone"]] = relationship(
        back_populates="customer", order_by="CustomerPhone.position", lazy="raise"
    )
    projects: Mapped[list["Project"]] = relationship(back_populates="customer", lazy="raise")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CustomerPhone(Base):
    """A number of a customer; a family may share one, so the number alone is not unique."""

    __tablename__ = "customer_phone"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    label: Mapped[str | None] = mapped_column(String(20))

    customer: Mapped[Customer] = relationship(back_populates="phones", lazy="raise")

    __table_args__ = (Index("ix_customer_phone_e164", "e164", "customer_id"),)


class Project(Base):
    """A renovation contract 项目/合同."""

    __tablename__ = "project"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    contract_no: Mapped[str] = mapped_column(String(40), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    address: Mapped[str] = mapped_column(String(200))
    stage: Mapped[int] = mapped_column(Integer)
    crew_id: Mapped[str | None] = mapped_column(ForeignKey("crew.id"))
    project_manager: Mapped[str | None] = mapped_column(String(40))
    designer: Mapped[str | None] = mapped_column(String(40))
    inspector: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    started_on: Mapped[date | None] = mapped_column(Date)
    warranty_until: Mapped[date | None] = mapped_column(Date)

    customer: Mapped[Customer] = relationship(back_populates="projects", lazy="raise")
    crew: Mapped[Crew | None] = relationship(lazy="raise")


class ServiceCase(Base):
    """The header that complaints 投诉, repairs 报修 and problem tickets 回访问题单 share.

    What only one kind has stands in that kind's own tables, under the same id.

    Attributes:
        summary: one line of the content, for lists.
        major: a major complaint 重大客诉.
        call_count: how often the customer called about it.
        specialist_id: user who tracks it to the end.
        store: name of the store recorded when it was registered.
        external_no: the forwarding hotline's number; such an order must be replied to before it is closed.
        limit_set: name of the limits that it started under.
    """

    __tablename__ = "service_case"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    no: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id"))
    department_code: Mapped[str | None] = mapped_column(ForeignKey("department.code"))
    status: Mapped[str] = mapped_column(String(16))
    summary: Mapped[str] = mapped_column(String(400))
    content: Mapped[str] = mapped_column(Text, default="", server_default="")
    severity: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    major: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    source: Mapped[str] = mapped_column(String(20), default="phone", server_default="phone")
    external_no: Mapped[str | None] = mapped_column(String(60))
    replied_to_source_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    call_count: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    call_id: Mapped[str | None] = mapped_column(Ulid)
    specialist_id: Mapped[str | None] = mapped_column(String(26))
    specialist_name: Mapped[str | None] = mapped_column(String(80))
    store: Mapped[str | None] = mapped_column(String(60))
    round: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    limit_set: Mapped[str | None] = mapped_column(String(40))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_by: Mapped[str | None] = mapped_column(String(80))
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    department: Mapped[Department | None] = relationship(lazy="raise")

    __table_args__ = (
        Index("ix_service_case_customer_id_status", "customer_id", "status"),
        Index("ix_service_case_kind_status_opened_at", "kind", "status", "opened_at"),
        Index("ix_service_case_specialist_id_closed_at", "specialist_id", "closed_at"),
        Index("ix_service_case_project_id", "project_id"),
        Index("ix_service_case_opened_at", "opened_at"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CaseParty(Base):
    """A department that has, or had, a part in a case; its people may see the case."""

    __tablename__ = "case_party"

    case_id: Mapped[str] = mapped_column(ForeignKey("service_case.id"), primary_key=True)
    department_code: Mapped[str] = mapped_column(ForeignKey("department.code"), primary_key=True)

    __table_args__ = (Index("ix_case_party_department_code", "department_code", "case_id"),)


class CaseNumber(Base):
    """The last number given out for a kind and a day of the site."""

    __tablename__ = "case_number"

    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    last: Mapped[int] = mapped_column(Integer)


class Contact(Base):
    """One entry of a customer's time line: a call, a callback, a visit, a message.

    ``ref`` names the thing (a call id) and is unique per channel and customer, so that a fact delivered
    twice stays one entry. A call from a shared number stands on the time line of every customer it may
    belong to until an agent says whose it was; one of an unknown number belongs to nobody yet.
    """

    __tablename__ = "contact"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    channel: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(8))
    ref: Mapped[str] = mapped_column(String(40))
    result: Mapped[str | None] = mapped_column(String(32))
    agent: Mapped[str | None] = mapped_column(String(60))
    queue: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    __table_args__ = (
        UniqueConstraint("channel", "ref", "customer_id"),
        Index("ix_contact_customer_id_at", "customer_id", "at"),
    )


class CallNote(Base):
    """What an agent noted about a call; apart from the entry because either may be stored first."""

    __tablename__ = "call_note"

    call_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    disposition: Mapped[str] = mapped_column(String(40))
    notes: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CallbackRequest(Base):
    """A caller asked to be called back; one open request per number."""

    __tablename__ = "callback_request"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), index=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    call_id: Mapped[str] = mapped_column(Ulid)
    reason: Mapped[str] = mapped_column(String(40))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    open_key: Mapped[str | None] = mapped_column(String(20), unique=True)
