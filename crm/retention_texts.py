"""What is taken out of a record when it is made anonymous: every text that may speak of people.

Numbers, states, times, amounts, classes and departments stay: they are the figures. Receipts and postings
never change; they name who works here, not the customer.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from crm.complaint_tables import (
    Complaint,
    ComplaintCall,
    ComplaintCallback,
    ComplaintLine,
    LinePlan,
    LineVisit,
)
from crm.escalation_tables import EscalationRow
from crm.people_tables import ConsentRow
from crm.repair_tables import RepairRow, RepairVisitRow
from crm.search import Kind, SearchIndex
from crm.tables import CallNote, Contact, ServiceCase
from crm.ticket_tables import TicketPart, TicketRow

GONE = "（已按保存期限删除）"
"""Stands where a text was that may not be empty."""

_COMPLAINT_TEXTS: dict[str, Any] = dict.fromkeys(
    ("waived_why", "reply_text", "not_filed_why", "root_cause", "preventive_step")
)
_LINE_TEXTS: dict[str, Any] = dict.fromkeys(("person", "reject_reason", "settled_why", "facts", "done_note"))
_ESCALATION_TEXTS: dict[str, Any] = dict.fromkeys(("review_note", "visit_with", "visit_record", "outcome"))


async def erase_cases(session: AsyncSession, case_ids: Sequence[str], index: SearchIndex) -> None:
    """Take out what cases say of people; their files go with the rows that name them."""
    lines = ComplaintLine.case_id.in_(case_ids)
    of_lines = _ids(ComplaintLine, lines)
    changes = (
        update(ServiceCase).where(ServiceCase.id.in_(case_ids)).values(summary=GONE, content=""),
        update(Complaint).where(Complaint.case_id.in_(case_ids)).values(demand="", **_COMPLAINT_TEXTS),
        update(ComplaintCall).where(ComplaintCall.case_id.in_(case_ids)).values(note=""),
        update(ComplaintCallback).where(ComplaintCallback.case_id.in_(case_ids)).values(note=""),
        update(LinePlan).where(LinePlan.line_id.in_(of_lines)).values(plan=GONE),
        update(LineVisit).where(LineVisit.line_id.in_(of_lines)).values(who="", record=GONE, photos=[]),
        update(ComplaintLine).where(lines).values(cause=GONE, **_LINE_TEXTS),
        update(EscalationRow)
        .where(EscalationRow.case_id.in_(case_ids))
        .values(cause=GONE, process_so_far=GONE, demand=GONE, persons=[], **_ESCALATION_TEXTS),
        update(RepairRow)
        .where(RepairRow.case_id.in_(case_ids))
        .values(place="", customer_says=None, notified_whom=None),
        update(RepairVisitRow).where(RepairVisitRow.case_id.in_(case_ids)).values(result=GONE),
        update(TicketRow).where(TicketRow.case_id.in_(case_ids)).values(question="", answer=""),
        update(TicketPart).where(TicketPart.case_id.in_(case_ids)).values(cause=GONE, solution=None),
        delete(Contact).where(Contact.channel != "payment", Contact.ref.in_(case_ids)),
        delete(AttachmentRow).where(AttachmentRow.case_id.in_(case_ids)),
    )
    for change in changes:
        await session.execute(change, execution_options={"synchronize_session": False})
    for case_id in case_ids:
        for kind in (Kind.COMPLAINT, Kind.REPAIR, Kind.TICKET):
            await index.remove(session, kind, case_id)


async def erase_consents(session: AsyncSession, ids: Sequence[str]) -> None:
    """Take the proofs out of consents that ended."""
    change = update(ConsentRow).where(ConsentRow.id.in_(ids)).values(evidence=GONE, withdrawn_evidence=None)
    await session.execute(change, execution_options={"synchronize_session": False})


async def erase_call_notes(session: AsyncSession, call_ids: Sequence[str], index: SearchIndex) -> None:
    """Take calls off the time lines, and out of the notes what agents wrote."""
    mine = CallNote.call_id.in_(call_ids)
    for change in (
        update(CallNote).where(mine).values(notes="", customer_id=None),
        delete(Contact).where(Contact.channel == "call", Contact.ref.in_(call_ids)),
    ):
        await session.execute(change, execution_options={"synchronize_session": False})
    for call_id in call_ids:
        await index.remove(session, Kind.CALL_NOTE, call_id)


def _ids(row: Any, condition: Any) -> Any:
    return select(row.id).where(condition)
