"""SQL tables of customers, projects, cases and contacts (domain.md §4.1, §4.4). Private to ``crm``.

A column that came later and names a row elsewhere has no foreign key: SQLite cannot add one to a table.
"""

from datetime import date, datetime, time
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
    Time,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel.db import Base, Json, Ulid, UtcDateTime
from kernel.ids import new_ulid


class Store(Base):
    """A store 店面."""

    __tablename__ = "store"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    address: Mapped[str | None] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class Department(Base):
    """A department that answers for cases 责任部门.

    ``head`` and ``deputy`` are names, beside the ids of their users; either may sign for the department.
    """

    __tablename__ = "department"

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    head: Mapped[str | None] = mapped_column(String(40))
    deputy: Mapped[str | None] = mapped_column(String(40))
    head_user_id: Mapped[str | None] = mapped_column(Ulid)
    deputy_user_id: Mapped[str | None] = mapped_column(Ulid)
    escalation_contact: Mapped[str | None] = mapped_column(String(120))
    statistics_code: Mapped[str | None] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class Crew(Base):
    """A construction crew 施工队; ``status`` is ``active``, ``departed`` or ``suspended``.

    ``direct``: employed by the company itself, rather than through a contractor.
    """

    __tablename__ = "crew"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    head: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(16), default="active")
    phone: Mapped[str | None] = mapped_column(String(20))
    direct: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    departed_on: Mapped[date | None] = mapped_column(Date)
    departed_reason: Mapped[str | None] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class Customer(Base):
    """A customer 客户.

    Attributes:
        do_not_call: some entry of ``do_not_call_entry`` is in force; kept for the screen-pop.
        frozen_reason: of the freeze in force, with its scope and last day; kept for the screen-pop.
        merged_into: the customer that this one turned out to be; its id goes on leading there.
    """

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
    level_set_by: Mapped[str | None] = mapped_column(String(80))
    level_set_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    preferred_channel: Mapped[str] = mapped_column(String(8), default="phone", server_default="phone")
    preferred_from: Mapped[time | None] = mapped_column(Time)
    preferred_until: Mapped[time | None] = mapped_column(Time)
    frozen_scope: Mapped[str | None] = mapped_column(String(8))
    frozen_until: Mapped[date | None] = mapped_column(Date)
    merged_into: Mapped[str | None] = mapped_column(Ulid, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(80))
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1)

    phones: Mapped[list["CustomerPhone"]] = relationship(
        back_populates="customer", order_by="CustomerPhone.position", lazy="raise"
    )
    projects: Mapped[list["Project"]] = relationship(back_populates="customer", lazy="raise")

    __table_args__ = (
        Index("ix_customer_created_at", "created_at", "id"),
        Index(
            "ix_customer_frozen",
            "created_at",
            sqlite_where=text("frozen_reason IS NOT NULL"),
            postgresql_where=text("frozen_reason IS NOT NULL"),
        ),
        Index(
            "ix_customer_problem",
            "id",
            sqlite_where=text("problem_reason IS NOT NULL"),
            postgresql_where=text("problem_reason IS NOT NULL"),
        ),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


class CustomerPhone(Base):
    """A number of a customer; a family may share one, so the number alone is not unique.

    Attributes:
        ref: names the row to people who may not see the number itself.
        kind: ``mobile``, ``landline`` or ``other``.
        verified_at: when somebody was reached on it.
        bad_since: nobody can be reached on it since then; ``bad_reason`` says why.
    """

    __tablename__ = "customer_phone"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    label: Mapped[str | None] = mapped_column(String(20))
    ref: Mapped[str | None] = mapped_column(Ulid, default=new_ulid)
    kind: Mapped[str | None] = mapped_column(String(10))
    preferred: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bad_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bad_reason: Mapped[str | None] = mapped_column(String(20))

    customer: Mapped[Customer] = relationship(back_populates="phones", lazy="raise")

    __table_args__ = (Index("ix_customer_phone_e164", "e164", "customer_id"),)


class Project(Base):
    """A renovation contract 项目/合同.

    Attributes:
        address: the whole address in one line, made of its parts where those are known.
        stage: rank of the stage, negative when the work stands still (domain.md §4.3).
        stage_before: where a suspended or ended project stood.
        amount: of the contract; ``changes`` approved since are added to it.
        started_on: when the work really began; ``finished_on`` when it was complete.
        delivery_state: N, S, Y, X, T or W (domain.md §1.1, hand-over states).
        appraised_at: when the appraisal after the completion callback was posted, with its points; without
            points the manager goes without it, and the note says why.
    """

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
    community: Mapped[str | None] = mapped_column(String(60))
    building: Mapped[str | None] = mapped_column(String(20))
    unit: Mapped[str | None] = mapped_column(String(20))
    room: Mapped[str | None] = mapped_column(String(20))
    area_m2: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    store_id: Mapped[str | None] = mapped_column(Ulid)
    kind: Mapped[str] = mapped_column(String(8), default="home", server_default="home")
    package: Mapped[str | None] = mapped_column(String(60))
    changes: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    signed_on: Mapped[date | None] = mapped_column(Date)
    contract_starts_on: Mapped[date | None] = mapped_column(Date)
    contract_ends_on: Mapped[date | None] = mapped_column(Date)
    finished_on: Mapped[date | None] = mapped_column(Date)
    sales_person: Mapped[str | None] = mapped_column(String(40))
    gang: Mapped[str | None] = mapped_column(String(60))
    concealed_planned: Mapped[date | None] = mapped_column(Date)
    midterm_planned: Mapped[date | None] = mapped_column(Date)
    delivery_state: Mapped[str] = mapped_column(String(1), default="N", server_default="N")
    warranty_no: Mapped[str | None] = mapped_column(String(40))
    audit_ref: Mapped[str | None] = mapped_column(String(40))
    archive_no: Mapped[str | None] = mapped_column(String(40))
    stage_before: Mapped[int | None] = mapped_column(Integer)
    appraised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appraised_by: Mapped[str | None] = mapped_column(String(80))
    appraisal_points: Mapped[int | None] = mapped_column(Integer)
    appraisal_note: Mapped[str | None] = mapped_column(String(400))
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(80))
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_by: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    customer: Mapped[Customer] = relationship(back_populates="projects", lazy="raise")
    crew: Mapped[Crew | None] = relationship(lazy="raise")

    __table_args__ = (Index("ix_project_stage_warranty_until", "stage", "warranty_until"),)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's form


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
    nature: Mapped[str | None] = mapped_column(String(16))
    urgency: Mapped[str] = mapped_column(String(12), default="normal", server_default="normal")
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
        # Open cases by when they were opened: SQLite takes this one, PostgreSQL the one below.
        Index("ix_service_case_closed_at_opened_at", "closed_at", "opened_at", "id"),
        Index(
            "ix_service_case_open",
            "opened_at",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("uq_service_case_source_external_no", "source", "external_no", unique=True),
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
    """A caller asked to be called back; one open request per number.

    Attributes:
        wanted_at: when, where that was agreed; else as soon as somebody can.
    """

    __tablename__ = "callback_request"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), index=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    call_id: Mapped[str] = mapped_column(Ulid)
    reason: Mapped[str] = mapped_column(String(40))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    wanted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    open_key: Mapped[str | None] = mapped_column(String(20), unique=True)
