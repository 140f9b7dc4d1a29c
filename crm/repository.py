"""Queries of ``crm``. Everything here runs inside a session that the service opened.

A ringing phone waits for the queries of a customer's card: they ask for plain columns, and are made once,
because making a statement costs more than running it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, Select, Table, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintLine
from crm.domain.case import CaseStatus
from crm.domain.project import Stage
from crm.tables import (
    CallNote,
    Contact,
    Crew,
    Customer,
    CustomerPhone,
    Department,
    Project,
    ServiceCase,
    Store,
)

MAX_SHARED = 8
"""How many customers of one number are shown; more is a number that identifies nobody."""
MAX_OPEN = 50
RECENT = 3

Record = Row[*tuple[Any, ...]]
Rows = Sequence[Record]
Statement = Select[*tuple[Any, ...]]


def _columns(cls: type[Any]) -> Any:
    table = cls.__table__
    assert isinstance(table, Table)
    return table.c


CUSTOMER, STORE, PHONE = _columns(Customer), _columns(Store), _columns(CustomerPhone)
PROJECT, CREW = _columns(Project), _columns(Crew)
CASE, DEPARTMENT = _columns(ServiceCase), _columns(Department)
_LINE = _columns(ComplaintLine)
CONTACT, NOTE = _columns(Contact), _columns(CallNote)

_OWNERS = (
    select(PHONE.customer_id)
    .where(PHONE.e164 == bindparam("e164"))
    .order_by(PHONE.customer_id)
    .limit(MAX_SHARED)
)
_OF_CUSTOMERS: BindParameter[Any] = bindparam("customer_ids", expanding=True)


def _customers(chosen: ColumnElement[bool]) -> Statement:
    return (
        select(
            CUSTOMER.id,
            CUSTOMER.name,
            CUSTOMER.salutation,
            CUSTOMER.level,
            CUSTOMER.level_reason,
            CUSTOMER.do_not_call,
            CUSTOMER.frozen_reason,
            CUSTOMER.problem_reason,
            CUSTOMER.elder_mode,
            STORE.name.label("store"),
            PHONE.e164,
        )
        .outerjoin(Store, STORE.id == CUSTOMER.store_id)
        .outerjoin(CustomerPhone, PHONE.customer_id == CUSTOMER.id)
        .where(chosen)
        .order_by(CUSTOMER.id, PHONE.position, PHONE.e164)
    )


_BY_PHONE = _customers(CUSTOMER.id.in_(_OWNERS))
_BY_ID = _customers(CUSTOMER.id.in_(_OF_CUSTOMERS))
_PROJECTS: Statement = (
    select(
        PROJECT.id,
        PROJECT.customer_id,
        PROJECT.contract_no,
        PROJECT.address,
        PROJECT.stage,
        PROJECT.project_manager,
        PROJECT.designer,
        PROJECT.inspector,
        PROJECT.warranty_until,
        CREW.name.label("crew"),
        CREW.status.label("crew_status"),
    )
    .outerjoin(Crew, CREW.id == PROJECT.crew_id)
    .where(PROJECT.customer_id.in_(_OF_CUSTOMERS))
)
# A card is the same for whoever takes the call.
_SECRET = exists().where(_LINE.case_id == CASE.id, _LINE.confidential.is_(True))
_OPEN_CASES: Statement = (
    select(
        CASE.id,
        CASE.customer_id,
        CASE.no,
        CASE.kind,
        CASE.status,
        CASE.summary,
        CASE.opened_at,
        DEPARTMENT.name.label("department"),
        _SECRET.label("secret"),
    )
    .outerjoin(Department, DEPARTMENT.code == CASE.department_code)
    .where(
        CASE.customer_id.in_(_OF_CUSTOMERS),
        CASE.status.not_in([status.value for status in CaseStatus if not status.is_open]),
    )
    .order_by(CASE.opened_at.desc())
    .limit(MAX_OPEN)
)
_CONTACTS: Statement = (
    select(
        CONTACT.id,
        CONTACT.at,
        CONTACT.channel,
        CONTACT.direction,
        CONTACT.ref,
        CONTACT.result,
        CONTACT.agent,
        CONTACT.queue,
        NOTE.disposition,
        NOTE.notes,
    )
    .outerjoin(CallNote, (NOTE.call_id == CONTACT.ref) & (CONTACT.channel == "call"))
    .where(CONTACT.customer_id == bindparam("customer_id"))
    .where(or_(NOTE.customer_id.is_(None), NOTE.customer_id == CONTACT.customer_id))
    .order_by(CONTACT.at.desc(), CONTACT.id.desc())
)
_RECENT = _CONTACTS.limit(RECENT)


async def customer_ids_by_phone(session: AsyncSession, e164: str) -> Sequence[str]:
    """Return the customers of a number, at most :data:`MAX_SHARED`, in a stable order."""
    return (await session.execute(_OWNERS, {"e164": e164})).scalars().all()


async def customers_by_phone(session: AsyncSession, e164: str) -> Rows:
    """Return the customers of a number, at most :data:`MAX_SHARED`: a row for each of their numbers."""
    return (await session.execute(_BY_PHONE, {"e164": e164})).all()


async def customers_by_id(session: AsyncSession, customer_ids: Iterable[str]) -> Rows:
    """Return customers by id: a row for each of their numbers, in order."""
    return (await session.execute(_BY_ID, {"customer_ids": list(customer_ids)})).all()


async def projects(session: AsyncSession, customer_ids: Sequence[str]) -> Rows:
    """Return the customers' projects with their crews: running ones first, then the furthest along."""
    rows = (await session.execute(_PROJECTS, {"customer_ids": customer_ids})).all()
    return sorted(rows, key=lambda row: (row.stage >= Stage.DELIVERED, -row.stage, row.id))


async def open_cases(session: AsyncSession, customer_ids: Sequence[str]) -> Rows:
    """Return cases that are not closed, newest first."""
    return (await session.execute(_OPEN_CASES, {"customer_ids": customer_ids})).all()


async def recent_contacts(session: AsyncSession, customer_id: str) -> Rows:
    """Return the last entries of one customer's time line with what agents noted, newest first."""
    return (await session.execute(_RECENT, {"customer_id": customer_id})).all()


async def contacts(session: AsyncSession, customer_id: str, *, limit: int, before: str | None = None) -> Rows:
    """Return entries of one customer's time line with what agents noted, newest first.

    ``before`` is the last contact id of the page before.
    """
    query = _CONTACTS.limit(limit)
    if before is not None:
        mark = await session.get(Contact, before)
        if mark is not None:
            earlier = (CONTACT.at < mark.at) | ((CONTACT.at == mark.at) & (CONTACT.id < mark.id))
            query = query.where(earlier)
    return (await session.execute(query, {"customer_id": customer_id})).all()


async def search_customers(session: AsyncSession, text: str, limit: int) -> Sequence[str]:
    """Return ids of customers whose name or contract number begins with ``text``."""
    pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    query = (
        select(Customer.id)
        .outerjoin(Project)
        .where(Customer.merged_into.is_(None))
        .where(Customer.name.like(pattern, escape="\\") | Project.contract_no.like(pattern, escape="\\"))
        .distinct()
        .order_by(Customer.id)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()
