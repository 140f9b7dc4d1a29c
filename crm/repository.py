"""Queries of ``crm``. Everything here runs inside a session that the service opened."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from crm.domain.case import CaseStatus
from crm.domain.project import Stage
from crm.tables import CallNote, Contact, Customer, CustomerPhone, Project, ServiceCase, Store

MAX_SHARED = 8
"""How many customers of one number are shown; more is a number that identifies nobody."""


async def customer_ids_by_phone(session: AsyncSession, e164: str) -> Sequence[str]:
    """Return the customers of a number, at most :data:`MAX_SHARED`, in a stable order."""
    query = (
        select(CustomerPhone.customer_id)
        .where(CustomerPhone.e164 == e164)
        .order_by(CustomerPhone.customer_id)
        .limit(MAX_SHARED)
    )
    return (await session.execute(query)).scalars().all()


def has_phone(e164: str) -> ColumnElement[bool]:
    """Return the condition for customers of a number, at most :data:`MAX_SHARED` of them."""
    owners = (
        select(CustomerPhone.customer_id)
        .where(CustomerPhone.e164 == e164)
        .order_by(CustomerPhone.customer_id)
        .limit(MAX_SHARED)
    )
    return Customer.id.in_(owners)


async def customers(
    session: AsyncSession, chosen: ColumnElement[bool]
) -> Sequence[tuple[Customer, str | None]]:
    """Return customers with phones and projects (with their crews) and their store's name, ordered by id."""
    query = (
        select(Customer, Store.name)
        .outerjoin(Store, Store.id == Customer.store_id)
        .where(chosen)
        .options(selectinload(Customer.phones), selectinload(Customer.projects).joinedload(Project.crew))
        .order_by(Customer.id)
    )
    return [(row, store) for row, store in await session.execute(query)]


async def open_cases(session: AsyncSession, customer_ids: Sequence[str]) -> Sequence[ServiceCase]:
    """Return cases that are not closed, newest first."""
    query = (
        select(ServiceCase)
        .where(ServiceCase.customer_id.in_(customer_ids), ServiceCase.status != CaseStatus.CLOSED)
        .options(joinedload(ServiceCase.department))
        .order_by(ServiceCase.opened_at.desc())
        .limit(50)
    )
    return (await session.execute(query)).scalars().all()


async def contacts(
    session: AsyncSession, customer_id: str, *, limit: int, before: str | None = None
) -> Sequence[tuple[Contact, CallNote | None]]:
    """Return entries of one customer's time line with what agents noted, newest first.

    ``before`` is the last contact id of the page before.
    """
    query = (
        select(Contact, CallNote)
        .outerjoin(CallNote, (CallNote.call_id == Contact.ref) & (Contact.channel == "call"))
        .where(Contact.customer_id == customer_id)
        .where(or_(CallNote.customer_id.is_(None), CallNote.customer_id == customer_id))
    )
    if before is not None:
        mark = await session.get(Contact, before)
        if mark is not None:
            earlier = (Contact.at < mark.at) | ((Contact.at == mark.at) & (Contact.id < mark.id))
            query = query.where(earlier)
    query = query.order_by(Contact.at.desc(), Contact.id.desc()).limit(limit)
    return [(contact, note) for contact, note in (await session.execute(query)).all()]


async def search_customers(session: AsyncSession, text: str, limit: int) -> Sequence[str]:
    """Return ids of customers whose name or contract number begins with ``text``."""
    pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    query = (
        select(Customer.id)
        .outerjoin(Project)
        .where(Customer.name.like(pattern, escape="\\") | Project.contract_no.like(pattern, escape="\\"))
        .distinct()
        .order_by(Customer.id)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


def main_project(projects: Sequence[Project]) -> list[Project]:
    """Order projects: running ones first, then the furthest along."""
    return sorted(
        projects, key=lambda project: (project.stage >= Stage.DELIVERED, -project.stage, project.id)
    )
