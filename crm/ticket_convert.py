"""A ticket becomes a complaint: all that is known of it goes along, in one transaction (domain.md §1.4)."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from crm.cases import MAX_CONTENT
from crm.complaint_input import MAX_CAUSE, NewComplaint, NewLine
from crm.complaint_tables import CaseHandoff
from crm.complaints import Complaints
from crm.domain.case import Severity, Source
from crm.domain.complaint import ComplaintClass
from crm.domain.handoff import HandoffState
from crm.domain.ticket import ConvertWhy, Moved, PartStatus
from crm.events_tickets import TicketConverted
from crm.forwarded import LIMIT as REPLY_LIMIT
from crm.forwarded import owes_reply
from crm.handoffs import Dispatch
from crm.limits import Owner, RecordRef
from crm.tables import ServiceCase
from crm.ticket_store import OpenedTicket
from kernel.business_time import ClockKind
from kernel.ids import new_ulid

CLASS_OF_DEPARTMENT = {
    "ENG": ComplaintClass.WORKMANSHIP,
    "MAT": ComplaintClass.MATERIAL,
    "DES": ComplaintClass.DESIGN,
    "STO": ComplaintClass.PRICE,
    "CS": ComplaintClass.AFTER_SALE,
}
"""Class of a line where the ticket names none; others are «contract and other» (domain.md §4.3)."""


async def become_complaint(
    opened: OpenedTicket, complaints: Complaints, moved: Moved, why: ConvertWhy, *, note: str
) -> ServiceCase:
    """Store a converted ticket and register its complaint, handed off at once; return that one's header."""
    session, header, row = opened.session, opened.header, opened.row
    external_no = header.external_no if owes_reply(header) else None
    reply_time = await _reply_time(opened) if external_no is not None else None
    await opened.move(moved, "ticket.convert", why=note, reason=why)
    if external_no is not None:
        # An order is one case: the complaint has it from now on.
        header.external_no = None
        opened.note("ticket.order_moved", before={"external_no": external_no}, after={"external_no": None})
        await session.flush()
    complaint = await complaints.register_in(
        session,
        opened.actor,
        NewComplaint(
            customer_id=header.customer_id,
            project_id=header.project_id,
            content=_content(opened),
            lines=_lines(opened),
            source=Source.HOTLINE_FORWARD if external_no else Source.CALLBACK,
            external_no=external_no,
            severity=Severity(header.severity),
            call_id=header.call_id,
            hand_off=Dispatch(note=f"由回访问题单 {header.no} 转来"),
        ),
    )
    if opened.actor.role is None:
        complaint.specialist_id, complaint.specialist_name = header.specialist_id, header.specialist_name
    if external_no is not None:
        await _keep_reply_limit(opened, complaint, reply_time)
    await _copy_files(session, header.id, complaint.id)
    await _take_back_handoffs(opened, complaint.no)
    row.converted_to, row.converted_no = complaint.id, complaint.no
    row.converted_at, row.converted_by = opened.now, opened.actor.name
    row.converted_why, row.converted_note = why.value, note or None
    opened.tell(
        TicketConverted(
            at=opened.now,
            case_id=header.id,
            no=header.no,
            complaint_id=complaint.id,
            complaint_no=complaint.no,
            why=why.value,
            specialist_id=header.specialist_id,
        )
    )
    await session.flush()
    return complaint


def _content(opened: OpenedTicket) -> str:
    row, header = opened.row, opened.header
    told = [
        f"回访问题:{row.question}" if row.question else "",
        f"客户回答:{row.answer}" if row.answer else "",
        f"录音:{row.recording_ref}" if row.recording_ref else "",
        *(
            f"{part.department_code} 已做:{part.solution}"
            for part in opened.parts
            if part.solution is not None
        ),
        f"由回访问题单 {header.no} 转来",
    ]
    text = "\n".join([header.content or header.summary, *(line for line in told if line)])
    return text if len(text) <= MAX_CONTENT else text[: MAX_CONTENT - 1] + "…"


def _lines(opened: OpenedTicket) -> tuple[NewLine, ...]:
    live = [part for part in opened.parts if PartStatus(part.status).is_live] or opened.parts[:1]
    cause = (opened.header.content or opened.header.summary)[:MAX_CAUSE]
    named = opened.row.class_code
    return tuple(
        NewLine(
            class_=ComplaintClass(named)
            if named is not None
            else CLASS_OF_DEPARTMENT.get(part.department_code, ComplaintClass.CONTRACT),
            cause=cause,
            department=part.department_code,
        )
        for part in live
    )


async def _reply_time(opened: OpenedTicket) -> timedelta | None:
    """Return what time the order itself gives for the reply, ``None`` where the company's limit counts."""
    timers = (await opened.book.timers(opened.session, [opened.header.id]))[opened.header.id]
    for timer in timers:
        if timer.code == REPLY_LIMIT and timer.is_open and timer.clock is ClockKind.NAT and timer.due_at:
            return timer.due_at - timer.started_at
    return None


async def _keep_reply_limit(opened: OpenedTicket, complaint: ServiceCase, amount: timedelta | None) -> None:
    # It is the order's own time: it does not begin anew because we call the case something else.
    await opened.book.restart(
        opened.session,
        REPLY_LIMIT,
        RecordRef(complaint.kind, complaint.id, "", complaint.no),
        at=opened.header.opened_at,
        owner=Owner(user_id=complaint.specialist_id, specialist=complaint.specialist_id),
        amount=amount,
        reason="from the ticket",
    )


async def _copy_files(session: AsyncSession, case_id: str, to: str) -> None:
    for row in await session.scalars(select(AttachmentRow).where(AttachmentRow.case_id == case_id)):
        values = {column.key: getattr(row, column.key) for column in AttachmentRow.__table__.columns}
        session.add(AttachmentRow(**{**values, "id": new_ulid(), "case_id": to, "visit_id": None}))


async def _take_back_handoffs(opened: OpenedTicket, complaint_no: str) -> None:
    """Nobody signs for a ticket that is a complaint: the complaint's own hand-offs wait instead."""
    query = select(CaseHandoff).where(
        CaseHandoff.case_id == opened.header.id, CaseHandoff.state == HandoffState.WAITING.value
    )
    for row in await opened.session.scalars(query):
        row.state = HandoffState.REJECTED.value
        row.reject_reason = f"已转投诉 {complaint_no}"
        row.received_at, row.received_by = opened.now, opened.actor.name
        row.open_key = None
