"""What is kept of one person: their copy of it, and taking it away (domain.md §6.4)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.people_tables import ConsentRow, DoNotCallRow
from crm.retention_texts import GONE, erase_call_notes
from crm.search import Kind, SearchIndex
from crm.tables import CallNote, Contact, Customer, CustomerPhone, Project, ServiceCase
from kernel.db import Base

_CUSTOMER = ("name", "salutation", "level", "preferred_channel", "elder_mode", "created_at")
_PHONE = ("e164", "label")
_PROJECT = (
    *("contract_no", "address", "area_m2", "package", "amount", "signed_on", "started_on", "finished_on"),
    *("project_manager", "designer", "inspector", "stage", "warranty_no", "warranty_until"),
)
_CASE = ("no", "kind", "status", "content", "source", "opened_at", "closed_at")
_CONTACT = ("at", "channel", "direction", "result")
_CONSENT = ("purpose", "basis", "given_at", "evidence", "text_version", "withdrawn_at")
_REFUSAL = ("level", "since", "source", "lifted_at")


async def copy_of(session: AsyncSession, customer_id: str) -> dict[str, Any]:
    """Return everything that is kept of a customer, as they get it: values as text, times as they are."""
    customer = await session.get_one(Customer, customer_id)

    async def rows(table: type[Base], names: Sequence[str], order: Any) -> list[dict[str, Any]]:
        mine: Any = table
        query = select(table).where(mine.customer_id == customer_id).order_by(order)
        return [_picked(row, names) for row in await session.scalars(query)]

    notes = select(CallNote).where(CallNote.customer_id == customer_id, CallNote.notes != "")
    return {
        "customer": _picked(customer, _CUSTOMER),
        "phones": await rows(CustomerPhone, _PHONE, CustomerPhone.position),
        "projects": await rows(Project, _PROJECT, Project.id),
        "cases": await rows(ServiceCase, _CASE, ServiceCase.opened_at),
        "contacts": await rows(Contact, _CONTACT, Contact.at),
        "call_notes": [
            {"at": row.noted_at.isoformat(), "notes": row.notes}
            for row in await session.scalars(notes.order_by(CallNote.noted_at))
        ],
        "consents": await rows(ConsentRow, _CONSENT, ConsentRow.given_at),
        "refusals": await rows(DoNotCallRow, _REFUSAL, DoNotCallRow.since),
    }


def _picked(row: object, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(row, name)
        plain = value is None or isinstance(value, bool | int)
        found[name] = value if plain else (value.isoformat() if hasattr(value, "isoformat") else str(value))
    return found


async def erase_unneeded(session: AsyncSession, customer_id: str, index: SearchIndex) -> None:
    """Take away what neither a contract nor the law asks for: notes of ordinary calls, preferences."""
    of_cases = select(ServiceCase.call_id).where(
        ServiceCase.customer_id == customer_id, ServiceCase.call_id.is_not(None)
    )
    calls = select(Contact.ref).where(
        Contact.customer_id == customer_id, Contact.channel == "call", Contact.ref.not_in(of_cases)
    )
    await erase_call_notes(session, list(await session.scalars(calls)), index)
    change = (
        update(Customer)
        .where(Customer.id == customer_id)
        .values(level_reason=None, problem_reason=None, preferred_channel="phone")
    )
    await session.execute(change)


async def erase_customer(session: AsyncSession, customer_id: str, index: SearchIndex) -> None:
    """Make a customer and their homes anonymous; contracts, stages and payments stay as figures."""
    await erase_unneeded(session, customer_id, index)
    mine = CustomerPhone.customer_id == customer_id
    homes = (await session.scalars(select(Project.id).where(Project.customer_id == customer_id))).all()
    for change in (
        delete(CustomerPhone).where(mine),
        delete(Contact).where(Contact.customer_id == customer_id, Contact.channel != "payment"),
        update(Customer)
        .where(Customer.id == customer_id)
        .values(name=GONE, salutation=None, frozen_reason=None, elder_mode=False),
        update(Project)
        .where(Project.customer_id == customer_id)
        .values(address=GONE, community=None, building=None, unit=None, room=None),
        update(ConsentRow)
        .where(ConsentRow.customer_id == customer_id)
        .values(evidence=GONE, withdrawn_evidence=None),
    ):
        await session.execute(change, execution_options={"synchronize_session": False})
    await index.remove(session, Kind.CUSTOMER, customer_id)
    for project_id in homes:
        await index.remove(session, Kind.PROJECT, project_id)


def said_of(kept_until: date | None) -> str:
    """Return what the person is told about their deletion."""
    if kept_until is None:
        return "已删除：个人信息已全部匿名，只保留不能识别个人的统计数字。"
    return f"已删除营销授权、偏好和普通通话记录；合同、售后与投诉记录依法保存至 {kept_until}，到期自动删除。"
