"""Queries of ``crm``. Everything here runs inside a session that the service opened.

A ringing phone waits for the query of a customer's card: it is one, because each is a trip to the database;
it asks for plain columns, and is made once, because making a statement costs more than running it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, Table, bindparam, exists, or_, select
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
from kernel.db import Base
from kernel.nested import nested

MAX_SHARED = 8
"""How many customers of one number are shown; more is a number that identifies nobody."""
MAX_OWN = 50
"""How many numbers, projects and open cases a card shows of each."""
RECENT = 3

Record = Row[*tuple[Any, ...]]
Rows = Sequence[Record]
Statement = Select[*tuple[Any, ...]]


def _table(cls: type[Base]) -> Table:
    table = cls.__table__
    assert isinstance(table, Table)
    return table


_CUSTOMER, _STORE, _PHONE = _table(Customer), _table(Store), _table(CustomerPhone)
_PROJECT, _CREW = _table(Project), _table(Crew)
_CASE, _LINE, _DEPARTMENT = _table(ServiceCase), _table(ComplaintLine), _table(Department)
_CONTACT, _NOTE = _table(Contact), _table(CallNote)
CUSTOMER, STORE, PHONE = _CUSTOMER.c, _STORE.c, _PHONE.c
PROJECT, CREW = _PROJECT.c, _CREW.c
CASE, LINE, DEPARTMENT = _CASE.c, _LINE.c, _DEPARTMENT.c
CONTACT, NOTE = _CONTACT.c, _NOTE.c

_OWNERS = (
    select(PHONE.customer_id)
    .where(PHONE.e164 == bindparam("e164"))
    .order_by(PHONE.customer_id)
    .limit(MAX_SHARED)
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
    .outerjoin_from(_CONTACT, _NOTE, (NOTE.call_id == CONTACT.ref) & (CONTACT.channel == "call"))
    .where(or_(NOTE.customer_id.is_(None), NOTE.customer_id == CONTACT.customer_id))
    .order_by(CONTACT.at.desc(), CONTACT.id.desc())
)


# What a card shows of a customer's own, as columns of the customer's row.

_PHONES = nested(
    select(PHONE.e164)
    .where(PHONE.customer_id == CUSTOMER.id)
    .order_by(PHONE.position, PHONE.e164)
    .limit(MAX_OWN),
    of=_CUSTOMER,
)
_PROJECTS = nested(
    select(
        PROJECT.id,
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
    .outerjoin_from(_PROJECT, _CREW, CREW.id == PROJECT.crew_id)
    .where(PROJECT.customer_id == CUSTOMER.id)
    # Running ones first, then the furthest along.
    .order_by(PROJECT.stage >= Stage.DELIVERED.value, PROJECT.stage.desc(), PROJECT.id)
    .limit(MAX_OWN),
    of=_CUSTOMER,
)
_OPEN_CASES = nested(
    select(
        CASE.id,
        CASE.no,
        CASE.kind,
        CASE.status,
        CASE.summary,
        CASE.opened_at,
        DEPARTMENT.name.label("department"),
        exists().where(LINE.case_id == CASE.id, LINE.confidential.is_(True)).label("secret"),
    )
    .outerjoin_from(_CASE, _DEPARTMENT, DEPARTMENT.code == CASE.department_code)
    .where(CASE.customer_id == CUSTOMER.id)
    .where(*(CASE.status != status.value for status in CaseStatus if not status.is_open))
    .order_by(CASE.opened_at.desc())
    .limit(MAX_OWN),
    of=_CUSTOMER,
)
_RECENT = nested(_CONTACTS.where(CONTACT.customer_id == CUSTOMER.id).limit(RECENT), of=_CUSTOMER)
_CARDS: Statement = (
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
        _PHONES.label("phones"),
        _PROJECTS.label("projects"),
        _OPEN_CASES.label("open_cases"),
        _RECENT.label("recent_contacts"),
    )
    .outerjoin_from(_CUSTOMER, _STORE, STORE.id == CUSTOMER.store_id)
    .order_by(CUSTOMER.id)
)
_CARDS_BY_PHONE = _CARDS.where(CUSTOMER.id.in_(_OWNERS))
_CARDS_BY_ID = _CARDS.where(CUSTOMER.id.in_(bindparam("customer_ids", expanding=True)))


async def customer_ids_by_phone(session: AsyncSession, e164: str) -> Sequence[str]:
    """Return the customers of a number, at most :data:`MAX_SHARED`, in a stable order."""
    return (await session.execute(_OWNERS, {"e164": e164})).scalars().all()


async def cards_by_phone(session: AsyncSession, e164: str) -> Rows:
    """Return what the cards of a number's customers show, at most :data:`MAX_SHARED`, in a stable order."""
    return (await session.execute(_CARDS_BY_PHONE, {"e164": e164})).all()


async def cards_by_id(session: AsyncSession, customer_ids: Iterable[str]) -> Rows:
    """Return what the cards of customers show, in order."""
    return (await session.execute(_CARDS_BY_ID, {"customer_ids": list(customer_ids)})).all()


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
