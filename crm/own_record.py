"""The copy of what is kept of one person (domain.md §6.4)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.people_tables import ConsentRow, DoNotCallRow
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
