"""Hand-offs to departments: sent, signed or rejected; their boxes, the printable receipt (domain.md §1.3 C1).

What sends, signs and rejects works in the transaction of the record that is handed off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, tidy_text
from crm.complaint_tables import CaseHandoff, Complaint, ComplaintLine
from crm.complaint_views import HandoffPage, HandoffSheet, HandoffView, RecordView
from crm.confidential import address_for, handoff_seen, hide, name_for, texts_hidden
from crm.domain.case import KIND_LABELS, CaseKind
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass
from crm.domain.complaint_line import AcceptMode
from crm.domain.handoff import (
    HandoffForm,
    HandoffState,
    Signature,
    Signed,
    Strokes,
    check_signer,
    read_signature,
    receipt_no,
    verification,
)
from crm.journal import Journal
from crm.line_record_rows import records_of
from crm.members import Members
from crm.signing import Signing
from crm.tables import Crew, Customer, CustomerPhone, Department, Project, ServiceCase
from crm.ticket_tables import TicketPart
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.phone import mask

MAX_NOTE = 400
MAX_REASON = 400
TOLD_AGAIN_AFTER = timedelta(hours=2)
"""On the service clock, from the hand-off: what nobody has signed by then is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """How something is handed off.

    Attributes:
        copy_left: a copy of the sheet stays with the department (主管签字接收, 留复印件备案).
    """

    form: HandoffForm = HandoffForm.ELECTRONIC
    copy_left: bool = True
    note: str = ""


class Box(StrEnum):
    """Which hand-offs to list."""

    ALL = "all"
    SENT = "sent"
    """By the actor."""
    WAITING = "waiting"
    LATE = "late"
    """Waiting beyond the time in which the department accepts."""
    SIGNED = "signed"
    REJECTED = "rejected"


HandedOff = ComplaintLine | TicketPart
"""What a department gets: its line of a complaint, or its part of a ticket."""

_ROWS: Select[*tuple[Any, ...]] = (
    select(CaseHandoff, ServiceCase, ComplaintLine, Department, Customer.name, Project.address, TicketPart)
    .join(ServiceCase, ServiceCase.id == CaseHandoff.case_id)
    .join(Department, Department.code == CaseHandoff.department_code)
    .join(Customer, Customer.id == ServiceCase.customer_id)
    .outerjoin(ComplaintLine, ComplaintLine.id == CaseHandoff.line_id)
    .outerjoin(TicketPart, TicketPart.id == CaseHandoff.line_id)
    .outerjoin(Project, Project.id == ServiceCase.project_id)
)


def _rows(actor: Actor) -> Select[*tuple[Any, ...]]:
    return _ROWS.add_columns(texts_hidden(actor))


class Handoffs:
    """Keeps hand-offs and shows them."""

    def __init__(self, database: Database, clock: Clock, journal: Journal, members: Members) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self.signing = Signing(database, members)

    # In the transaction of the record

    async def send(
        self,
        session: AsyncSession,
        actor: Actor,
        header: ServiceCase,
        line: HandedOff,
        how: Dispatch,
        *,
        at: datetime,
        due_at: datetime | None,
        call_at: datetime | None = None,
    ) -> CaseHandoff:
        """Hand a line off to its department. Call it with the header locked: receipts are numbered.

        Raises:
            Conflict: it waits for a signature already.
        """
        waiting = select(CaseHandoff.id).where(CaseHandoff.open_key == line.id)
        if await session.scalar(waiting) is not None:
            raise Conflict("it waits for a signature already", field="line_id")
        sent = await session.scalar(
            select(func.count()).select_from(CaseHandoff).where(CaseHandoff.case_id == header.id)
        )
        row = CaseHandoff(
            id=new_ulid(),
            receipt_no=receipt_no(header.no, (sent or 0) + 1),
            case_id=header.id,
            line_id=line.id,
            department_code=line.department_code,
            confidential=line.confidential,
            state=HandoffState.WAITING.value,
            form=how.form.value,
            copy_left=how.copy_left,
            note=tidy_text(how.note, field="note", limit=MAX_NOTE, required=False),
            sent_at=at,
            sent_by=actor.name,
            sent_by_id=actor.user_id,
            due_at=due_at,
            call_at=call_at,
            open_key=line.id,
        )
        session.add(row)
        await session.flush()
        return row

    async def waiting(self, session: AsyncSession, line_id: str) -> CaseHandoff:
        """Return the hand-off of a line that waits for a signature, locked. Raises NotFound."""
        query = select(CaseHandoff).where(CaseHandoff.open_key == line_id).with_for_update()
        found = (await session.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound("no hand-off of this line waits for a signature", field="line_id")
        return found

    async def take_back(
        self, session: AsyncSession, case_id: str, actor: Actor, reason: str, *, at: datetime
    ) -> None:
        """Send back what waits for a signature of a case that nobody has to sign for any more."""
        query = select(CaseHandoff).where(
            CaseHandoff.case_id == case_id, CaseHandoff.state == HandoffState.WAITING.value
        )
        for row in await session.scalars(query):
            self.reject(row, actor, reason, at=at)

    def sign(
        self,
        row: CaseHandoff,
        actor: Actor,
        header: ServiceCase,
        line: HandedOff,
        given: Signed,
        *,
        mode: AcceptMode | None,
        at: datetime,
    ) -> Signature:
        """Sign a receipt; from then on it never changes. Who may sign was checked before.

        Raises:
            SamePerson: the signer is who sent it.
            Invalid: the signature cannot be.
        """
        check_signer(sender_id=row.sent_by_id, signer_id=actor.user_id)
        signature = read_signature(given, receipt=row.receipt_no, user_id=actor.user_id)
        row.state = HandoffState.SIGNED.value
        row.received_at = at
        row.received_by = actor.name
        row.received_by_id = actor.user_id
        row.received_ip = actor.ip
        row.signature_kind = signature.kind.value
        row.signature_hash = signature.hash
        row.strokes = [[list(point) for point in stroke] for stroke in signature.strokes] or None
        row.verification = verification({**_receipt(row, header, line), "mode": mode.value if mode else ""})
        row.open_key = None
        return signature

    def reject(self, row: CaseHandoff, actor: Actor, reason: str, *, at: datetime) -> str:
        """Send a hand-off back unsigned; return the reason as it is kept."""
        row.reject_reason = tidy_text(reason, field="reason", limit=MAX_REASON)
        row.state = HandoffState.REJECTED.value
        row.received_at = at
        row.received_by = actor.name
        row.received_by_id = actor.user_id
        row.received_ip = actor.ip
        row.open_key = None
        return row.reject_reason

    # For everybody

    async def page(
        self,
        actor: Actor,
        box: Box = Box.WAITING,
        *,
        department: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> HandoffPage:
        """Return a page of hand-offs, newest first; people of a department see their own department's.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = self._seen(actor).where(*self._in_box(actor, box))
        if department is not None:
            query = query.where(CaseHandoff.department_code == department)
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(CaseHandoff.sent_at == at, CaseHandoff.id < key)
            query = query.where(or_(CaseHandoff.sent_at < at, same))
        query = query.order_by(CaseHandoff.sent_at.desc(), CaseHandoff.id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        now = self._clock.now()
        items = tuple(handoff_view(actor, row, now) for row in rows[:limit])
        more = len(rows) > limit
        return HandoffPage(
            items=items,
            next_cursor=write_cursor(items[-1].sent_at, items[-1].handoff_id) if more else None,
        )

    async def sheet(self, actor: Actor, handoff_id: str, *, whole_number: bool = True) -> HandoffSheet:
        """Return all that the printed sheet shows.

        The customer's whole number is on it for who may see whole numbers, and for the people of the
        department that is to call as long as there is something to call about; that is logged. Without
        ``whole_number`` it is masked for everybody.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such hand-off, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        query = self._seen(actor).where(CaseHandoff.id == handoff_id)
        async with self._database.session() as session:
            found = (await session.execute(query)).one_or_none() if is_ulid(handoff_id) else None
            if found is None or (found[2] is None and found[6] is None):
                raise NotFound("no such hand-off", field="handoff_id")
            header = found[1]
            complaint = await session.get(Complaint, header.id)
            project = await session.get(Project, header.project_id) if header.project_id else None
            crew = await session.get(Crew, project.crew_id) if project and project.crew_id else None
            phone = await session.scalar(
                select(CustomerPhone.e164)
                .where(CustomerPhone.customer_id == header.customer_id)
                .order_by(CustomerPhone.position)
                .limit(1)
            )
            records = await records_of(session, [found[0].line_id])
        calls = actor.department == found[0].department_code and (
            header.closed_at is None and found[0].state != HandoffState.REJECTED.value
        )
        whole = whole_number and (actor.can(Permission.PHONES_FULL) or calls)
        if whole and phone is not None:
            async with self._database.transaction() as session:
                await self._journal.note(
                    session, actor, "phones_shown", entity="case_handoff", entity_id=handoff_id
                )
        return _sheet(
            actor,
            found,
            complaint,
            project,
            crew.name if crew else None,
            phone if whole or phone is None else mask(phone),
            # One that was sent back has none: they belong to whoever signed.
            records.get(found[0].line_id, ()) if found[0].state == HandoffState.SIGNED.value else (),
            self._clock.now(),
        )

    async def of_lines(
        self, session: AsyncSession, actor: Actor, line_ids: Sequence[str]
    ) -> dict[str, tuple[HandoffView, ...]]:
        """Return the hand-offs of lines that the actor sees, oldest first."""
        query = _rows(actor).where(CaseHandoff.line_id.in_(line_ids)).order_by(CaseHandoff.id)
        found: dict[str, list[HandoffView]] = {}
        now = self._clock.now()
        for row in (await session.execute(query)).all():
            found.setdefault(row[0].line_id, []).append(handoff_view(actor, row, now))
        return {line_id: tuple(views) for line_id, views in found.items()}

    def _seen(self, actor: Actor) -> Select[*tuple[Any, ...]]:
        seen = _rows(actor).where(handoff_seen(actor))
        if actor.can(Permission.CASES_VIEW_ALL):
            return seen
        return seen.where(CaseHandoff.department_code == (actor.department or ""))

    def _in_box(self, actor: Actor, box: Box) -> list[ColumnElement[bool]]:
        match box:
            case Box.ALL:
                return []
            case Box.SENT:
                return [CaseHandoff.sent_by_id == actor.user_id]
            case Box.LATE:
                waiting = CaseHandoff.state == HandoffState.WAITING.value
                return [waiting, CaseHandoff.due_at < self._clock.now()]
            case _:
                return [CaseHandoff.state == box.value]


def _receipt(row: CaseHandoff, header: ServiceCase, line: HandedOff) -> dict[str, Any]:
    return {
        "receipt_no": row.receipt_no,
        "case_no": header.no,
        "content": header.content,
        "class": line.class_code,
        "cause": line.cause,
        "department": row.department_code,
        "form": row.form,
        "copy_left": row.copy_left,
        "sent_at": row.sent_at,
        "sent_by": row.sent_by_id,
        "received_at": row.received_at,
        "received_by": row.received_by_id,
        "received_ip": row.received_ip,
        "signature": row.signature_hash,
    }


def handoff_view(actor: Actor, found: Any, now: datetime) -> HandoffView:
    """Return a hand-off as lists show it to the actor."""
    row, header, line, department, customer, address, part, hidden = found
    given = line if line is not None else part
    waits = row.state == HandoffState.WAITING.value
    return HandoffView(
        handoff_id=row.id,
        receipt_no=row.receipt_no,
        case_id=row.case_id,
        case_no=header.no,
        line_id=row.line_id,
        line_version=given.version if given is not None else 0,
        department=row.department_code,
        department_name=department.name,
        state=row.state,
        form=row.form,
        copy_left=row.copy_left,
        note=row.note,
        sent_at=row.sent_at,
        sent_by=row.sent_by,
        sent_by_id=row.sent_by_id,
        due_at=row.due_at,
        call_at=row.call_at,
        called_at=row.called_at,
        called_by=row.called_by,
        overdue=waits and row.due_at is not None and row.due_at < now,
        received_at=row.received_at,
        received_by=row.received_by,
        received_ip=row.received_ip,
        signature_kind=row.signature_kind,
        signature_hash=row.signature_hash,
        reject_reason=row.reject_reason,
        verification=row.verification,
        customer_name=name_for(actor, header, customer),
        address=address_for(actor, header, address),
        summary=hide(header.summary, hidden=bool(hidden)),
        severity=header.severity,
        class_label=CLASS_LABELS[ComplaintClass(line.class_code)]
        if line is not None
        else KIND_LABELS[CaseKind.TICKET],
    )


def _sheet(
    actor: Actor,
    found: Any,
    complaint: Complaint | None,
    project: Project | None,
    crew: str | None,
    phone: str | None,
    records: tuple[RecordView, ...],
    now: datetime,
) -> HandoffSheet:
    row, header, line, department, customer, address, part, hidden = found
    given = line if line is not None else part
    class_ = ComplaintClass(line.class_code) if line is not None else None
    mode = AcceptMode(line.mode) if line is not None and line.mode else None
    sealed = verification({**_receipt(row, header, given), "mode": mode.value if mode else ""})
    strokes: Strokes = tuple(tuple((int(x), int(y)) for x, y in stroke) for stroke in (row.strokes or ()))
    return HandoffSheet(
        handoff=handoff_view(actor, found, now),
        sound=row.verification is not None and row.verification == sealed,
        strokes=strokes,
        customer_name=name_for(actor, header, customer),
        phone=phone,
        contract_no=project.contract_no if project else None,
        address=address_for(actor, header, address),
        store=header.store,
        project_manager=project.project_manager if project else None,
        designer=project.designer if project else None,
        inspector=project.inspector if project else None,
        crew=crew,
        complained_at=complaint.complained_at if complaint else header.opened_at,
        registered_at=header.opened_at,
        source=header.source,
        severity=header.severity,
        content=hide(header.content or header.summary, hidden=bool(hidden)),
        demand=hide(complaint.demand, hidden=bool(hidden)) if complaint else "",
        want_by=complaint.want_by if complaint else None,
        class_label=CLASS_LABELS[class_] if class_ else KIND_LABELS[CaseKind.TICKET],
        subclass_label=SUBCLASSES[class_].get(line.subclass or "") if class_ else None,
        cause=given.cause,
        person=line.person if line is not None else None,
        manufacturer=line.manufacturer if line is not None else None,
        department_head=department.head,
        specialist=header.specialist_name,
        mode=mode,
        planned_visit_at=line.planned_visit_at if line is not None else None,
        planned_plan_at=line.planned_plan_at if line is not None else None,
        planned_solve_at=line.planned_solve_at if line is not None else None,
        records=records,
    )
