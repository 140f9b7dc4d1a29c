"""The copy of what is kept of one person (domain.md §6.4)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from crm.complaint_tables import Complaint
from crm.people_tables import ConsentRow, DoNotCallRow, FreezeRow, PaymentRow
from crm.repair_tables import RepairRow, RepairVisitRow
from crm.retention_ports import Callbacks
from crm.tables import CallbackRequest, CallNote, Contact, Customer, CustomerPhone, Project, ServiceCase
from crm.voice_tables import CustomerVoice
from crm.voicemail_tables import VoiceMessageRow
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
_FREEZE = ("scope", "since", "reason", "planned_thaw", "thawed_at")
_PAYMENT = ("period", "amount", "paid_at", "receipt_no")
_REPAIR = ("place", "customer_says", "plan", "appointed_from", "appointed_until")
_VISIT = ("appointed_from", "arrived_at", "done_at", "result")
_FILE = ("name", "purpose", "media_type", "size", "uploaded_at")


async def copy_of(
    session: AsyncSession, customer_id: str, callbacks: Callbacks | None = None
) -> dict[str, Any]:
    """Return everything that is kept of a customer, as they get it: values as text, times as they are."""
    customer = await session.get_one(Customer, customer_id)

    async def rows(table: type[Base], names: Sequence[str], order: Any) -> list[dict[str, Any]]:
        mine: Any = table
        query = select(table).where(mine.customer_id == customer_id).order_by(order)
        return [_picked(row, names) for row in await session.scalars(query)]

    async def of_cases(
        table: type[Base], names: Sequence[str], order: Any, key: str = "case_id"
    ) -> list[dict[str, Any]]:
        mine: Any = getattr(table, key)
        parent: Any = Project if key == "project_id" else ServiceCase
        number = parent.contract_no if key == "project_id" else parent.no
        query = select(table, number).join(parent, parent.id == mine)
        query = query.where(parent.customer_id == customer_id).order_by(order)
        return [{"no": no} | _picked(row, names) for row, no in await session.execute(query)]

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
        "freezes": await rows(FreezeRow, _FREEZE, FreezeRow.since),
        "payments": await of_cases(PaymentRow, _PAYMENT, PaymentRow.paid_at, "project_id"),
        "demands": await of_cases(Complaint, ("demand", "reply_text"), Complaint.case_id),
        "repairs": await of_cases(RepairRow, _REPAIR, RepairRow.case_id),
        "visits": await of_cases(RepairVisitRow, _VISIT, RepairVisitRow.id),
        "files": await of_cases(AttachmentRow, _FILE, AttachmentRow.uploaded_at),
        "suggestions": await rows(CustomerVoice, ("at", "text"), CustomerVoice.at),
        "callback_requests": await rows(
            CallbackRequest, ("requested_at", "done_at"), CallbackRequest.requested_at
        ),
        "messages": [
            {"at": row.at.isoformat(), "seconds": round(row.seconds), "transcript": row.transcript}
            for row in await session.scalars(
                select(VoiceMessageRow)
                .where(VoiceMessageRow.customer_id == customer_id)
                .order_by(VoiceMessageRow.at)
            )
        ],
        "answers": list(await callbacks.answers(session, customer_id)) if callbacks else [],
        "recordings": list(await callbacks.recordings(session, customer_id)) if callbacks else [],
    }


def _picked(row: object, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(row, name)
        plain = value is None or isinstance(value, bool | int)
        found[name] = value if plain else (value.isoformat() if hasattr(value, "isoformat") else str(value))
    return found
