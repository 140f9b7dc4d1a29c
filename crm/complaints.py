"""Complaints as customer service works on them: registered, handed off, called back, closed (domain.md §1.3).

What a department does with its line is :mod:`crm.complaint_work`. Every change is one transaction, checks who
does it, and returns the complaint as it is then.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseFilter, CasePage, NewCase, tidy_text
from crm.complaint_calls import a_call, count_call, raise_severity
from crm.complaint_input import (
    MAX_DEMAND,
    MAX_NOTE,
    NewComplaint,
    NewLine,
    check_times,
    id_of,
    name_of,
    read_line,
    read_lines,
    why_of,
)
from crm.complaint_read import ComplaintReader
from crm.complaint_store import LINE_ENTITY, ComplaintStore, Opened, to_line
from crm.complaint_tables import CaseHandoff, Complaint, ComplaintLine
from crm.complaint_views import ComplaintView, LineView
from crm.domain import line_steps
from crm.domain.case import CaseKind, Severity, Source
from crm.domain.complaint import (
    CONFIDENTIAL,
    MAX_LINES,
    ComplaintClass,
    may_be_general,
)
from crm.domain.complaint_line import LineStatus
from crm.events_cases import (
    ComplaintRegistered,
    ConfidentialRegistered,
    HandOffChased,
    HandOffSent,
)
from crm.handoffs import TOLD_AGAIN_AFTER, Dispatch, Handoffs
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from kernel.outbox import add_fact


class Complaints:
    """Complaints, for customer service."""

    def __init__(self, store: ComplaintStore, reader: ComplaintReader, handoffs: Handoffs) -> None:
        self._store = store
        self._reader = reader
        self._handoffs = handoffs

    # Reading

    async def get(self, actor: Actor, case_id: str) -> ComplaintView:
        """Return a complaint.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such complaint, or none that the actor may see.
        """
        async with self._store.database.session() as session:
            return await self._reader.view(session, actor, case_id)

    async def page(
        self, actor: Actor, wanted: CaseFilter, *, cursor: str | None = None, limit: int = 50
    ) -> CasePage:
        """Return a page of the headers of complaints, newest first. Raises as ``CaseRegister.page``."""
        wanted = replace(wanted, kind=CaseKind.COMPLAINT)
        return await self._store.register.page(actor, wanted, cursor=cursor, limit=limit)

    # Registering

    async def register(self, actor: Actor, new: NewComplaint) -> ComplaintView:
        """C0: write a complaint down with its cause lines; with ``hand_off`` send them on at once (C1).

        Raises:
            Forbidden: the role registers no cases.
            Invalid: names the field.
            NotFound: no such customer or project.
        """
        async with self._store.database.transaction() as session:
            header = await self.register_in(session, actor, new)
        return await self.get(actor, header.id)

    async def register_in(self, session: AsyncSession, actor: Actor, new: NewComplaint) -> ServiceCase:
        """Register a complaint within the transaction of what it comes from. Raises as :meth:`register`."""
        actor.need(Permission.CASES_REGISTER)
        now = self._store.clock.now()
        complained_at = check_times(new, now)
        id_of(new.call_id, "call_id")
        external_no = name_of(new.external_no, "external_no", 60)
        if new.source is Source.HOTLINE_FORWARD and external_no is None:
            raise Invalid("the number that the forwarding hotline gave it", field="external_no")
        why = tidy_text(new.severity_reason, field="severity_reason", limit=MAX_NOTE, required=False)
        decides = actor.can(Permission.CASES_DECIDE)
        if new.severity is Severity.GENERAL and not may_be_general(new.source, decides=decides, reason=why):
            raise Invalid("from there it is a major one, unless the manager says why not", field="severity")
        demand = tidy_text(new.demand, field="demand", limit=MAX_DEMAND, required=False)
        lines = await read_lines(session, new.lines, self._store.members)
        header = await self._store.register.open(
            session,
            actor,
            NewCase(
                kind=CaseKind.COMPLAINT,
                customer_id=new.customer_id,
                project_id=new.project_id,
                content=new.content,
                source=new.source,
                severity=new.severity,
                nature=new.nature,
                urgency=new.urgency,
                external_no=external_no,
                call_id=new.call_id,
            ),
            at=now,
        )
        row = Complaint(
            case_id=header.id,
            demand=demand,
            want_by=new.want_by,
            complained_at=complained_at,
            registered_by_id=actor.user_id,
            not_reached=0,
            escalation_owed=False,
        )
        session.add(row)
        await session.flush()
        limits = self._store.limits
        opened = Opened(
            session=session, actor=actor, now=now, header=header, row=row, lines=[], limits=limits
        )
        session.add(a_call(header.id, new.call_id, complained_at, actor, ""))
        opened.note(
            "complaint.register",
            after={"no": header.no, "severity": header.severity, "lines": len(lines)},
            why=why,
        )
        for line in lines:
            await self._add(opened, line, sent=new.hand_off is not None)
        await self._store.limits.forwarded(session, header, now)
        opened.tell(
            ComplaintRegistered(
                at=now,
                case_id=header.id,
                no=header.no,
                customer_id=header.customer_id,
                severity=header.severity,
                source=header.source,
                departments=opened.departments(),
                specialist_id=header.specialist_id,
                summary=opened.summary(),
            )
        )
        if new.hand_off is not None:
            await self._send(opened, opened.lines, new.hand_off)
        await self._store.finish(opened)
        return header

    async def called_again(
        self,
        actor: Actor,
        case_id: str,
        *,
        expected: int | None = None,
        call_id: str | None = None,
        note: str = "",
    ) -> ComplaintView:
        """Count another call of the customer on an open complaint; no new one is opened.

        Two calls within 30 days make it serious. The same call counts once.

        Args:
            expected: the version that whoever notes it has read; ``None`` beside a call, which counts
                whoever has changed the case meanwhile.

        Raises:
            CaseOver: it is closed; the customer's matter is a new complaint then.
            StaleVersion: somebody changed it since.
        """
        actor.need(Permission.CASES_REGISTER)
        id_of(call_id, "call_id")
        note = tidy_text(note, field="note", limit=MAX_NOTE, required=False)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            await count_call(opened, call_id, note)
        return await self.get(actor, case_id)

    async def add_line(
        self, actor: Actor, case_id: str, expected: int, line: NewLine, *, hand_off: Dispatch | None = None
    ) -> ComplaintView:
        """Add a cause to an open complaint. Raises CaseOver, Invalid, StaleVersion."""
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.check_open()
            if len(opened.lines) >= MAX_LINES:
                raise Invalid(f"at most {MAX_LINES} causes", field="lines")
            known = await read_line(opened.session, line, self._store.members)
            added = await self._add(opened, known, sent=hand_off is not None)
            opened.row.called_back_at = None
            if hand_off is not None:
                await self._send(opened, [added], hand_off)
        return await self.get(actor, case_id)

    async def set_severity(
        self, actor: Actor, case_id: str, expected: int, severity: Severity, reason: str
    ) -> ComplaintView:
        """Make a complaint graver; less grave is the manager's decision. Raises CaseOver, Forbidden."""
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            before = opened.header.severity
            if severity < before:
                actor.need(Permission.CASES_DECIDE)
                opened.header.severity = int(severity)
                opened.note(
                    "complaint.severity",
                    before={"severity": before},
                    after={"severity": severity},
                    why=reason,
                )
            raise_severity(opened, severity, reason)
        return await self.get(actor, case_id)

    # Hand-off

    async def hand_off(
        self,
        actor: Actor,
        case_id: str,
        expected: int,
        how: Dispatch,
        *,
        line_ids: Sequence[str] | None = None,
    ) -> ComplaintView:
        """C0 → C1: send lines to their departments, all that are not sent yet unless some are named.

        Raises:
            IllegalStep: a named line was sent already.
            Invalid: there is nothing to hand off, or a line is another complaint's.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            if line_ids is None:
                lines = [line for line in opened.lines if line.status == LineStatus.REGISTERED.value]
            else:
                known = {line.id: line for line in opened.lines}
                if not set(line_ids) <= set(known) or len(set(line_ids)) != len(line_ids):
                    raise Invalid("no such line of this complaint", field="line_ids")
                lines = [known[line_id] for line_id in line_ids]
            if not lines:
                raise Invalid("nothing waits to be handed off", field="line_ids")
            await self._send(opened, lines, how)
        return await self.get(actor, case_id)

    async def chase(self, actor: Actor, handoff_id: str) -> None:
        """Ask a department once more to sign; within an hour it hears that only once.

        Raises:
            NotFound: no such hand-off.
            Conflict: it waits for no signature.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.database.transaction() as session:
            row = await session.get(CaseHandoff, handoff_id)
            header = await session.get(ServiceCase, row.case_id) if row else None
            if row is None or header is None:
                raise NotFound("no such hand-off", field="handoff_id")
            if row.open_key is None:
                raise Conflict("it waits for no signature", field="handoff_id")
            add_fact(
                session,
                HandOffChased(
                    at=self._store.clock.now(),
                    case_id=header.id,
                    no=header.no,
                    line_id=row.line_id,
                    handoff_id=row.id,
                    department=None if row.confidential else row.department_code,
                    specialist_id=header.specialist_id,
                    due_at=row.due_at,
                ),
            )
            await self._store.journal.note(
                session,
                actor,
                "complaint.chase",
                entity=LINE_ENTITY,
                entity_id=row.line_id,
                after={"receipt_no": row.receipt_no},
            )

    async def reroute(
        self,
        actor: Actor,
        line_id: str,
        expected: int,
        department: str,
        reason: str,
        *,
        person: str | None = None,
        hand_off: Dispatch | None = None,
    ) -> LineView:
        """C2R: give a rejected line to another department, as a new line with fresh limits; return that one.

        Raises:
            IllegalStep: it was not rejected.
            Invalid: the department is the one that rejected it.
        """
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing_line(actor, line_id, expected=expected) as (opened, line):
            opened.check_open()
            if department == line.department_code:
                raise Invalid("the department has just rejected it", field="department")
            line.settled_why = reason
            moved = line_steps.reroute(to_line(line), opened.now)
            await opened.move(line, moved, "complaint.reroute", why=reason, department=department)
            new = NewLine(
                class_=ComplaintClass(line.class_code),
                subclass=line.subclass,
                cause=line.cause,
                department=department,
                person=person,
                manufacturer=line.manufacturer,
            )
            known = await read_line(opened.session, new, self._store.members)
            added = await self._add(opened, known, sent=hand_off is not None, rerouted_from=line.id)
            if hand_off is not None:
                await self._send(opened, [added], hand_off)
        async with self._store.database.session() as session:
            return await self._reader.line(session, actor, line.case_id, added.id)

    async def close_unfounded(self, actor: Actor, line_id: str, expected: int, reason: str) -> LineView:
        """C2R: agree that a rejected line is not so. Raises IllegalStep."""
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing_line(actor, line_id, expected=expected) as (opened, line):
            opened.check_open()
            line.settled_why = reason
            moved = line_steps.close_unfounded(to_line(line), opened.now)
            await opened.move(line, moved, "complaint.unfounded", why=reason)
        async with self._store.database.session() as session:
            return await self._reader.line(session, actor, line.case_id, line.id)

    # Parts

    async def _add(
        self, opened: Opened, new: NewLine, *, sent: bool, rerouted_from: str | None = None
    ) -> ComplaintLine:
        """Add a line; ``sent``: it is handed off in the same step, which tells whose it is."""
        row = ComplaintLine(
            id=new_ulid(),
            case_id=opened.header.id,
            position=len(opened.lines) + 1,
            status=LineStatus.REGISTERED.value,
            class_code=int(new.class_),
            subclass=new.subclass,
            cause=new.cause,
            department_code=new.department or "",
            confidential=new.class_ in CONFIDENTIAL,
            person=new.person,
            person_id=new.person_id,
            manufacturer=new.manufacturer,
            rerouted_from=rerouted_from,
            registered_at=opened.now,
            needs_contact=False,
        )
        opened.session.add(row)
        await opened.session.flush()
        opened.lines.append(row)
        if not row.confidential:
            await self._store.register.let_see(opened.session, opened.header.id, [row.department_code])
        await self._store.limits.registered(opened.session, opened.header, row, opened.now)
        await self._store.limits.note_due(opened.session, opened.header.id, opened.lines)
        opened.note(
            "complaint.line_add",
            line=row,
            after={"department": row.department_code, "class": row.class_code, "from": rerouted_from},
        )
        if row.confidential and not sent:
            opened.tell(
                ConfidentialRegistered(
                    at=opened.now,
                    case_id=opened.header.id,
                    no=opened.header.no,
                    line_id=row.id,
                    specialist_id=opened.header.specialist_id,
                )
            )
        return row

    async def _send(self, opened: Opened, lines: Sequence[ComplaintLine], how: Dispatch) -> None:
        calendar = self._store.limits.book.calendar
        again_at = await calendar.after_service_time(opened.session, opened.now, TOLD_AGAIN_AFTER)
        for line in lines:
            moved = line_steps.hand_off(to_line(line))
            sent = await self._handoffs.send(
                opened.session,
                opened.actor,
                opened.header,
                line,
                how,
                at=opened.now,
                due_at=line.accept_due_at,
                call_at=again_at,
            )
            line.handed_off_at = opened.now
            await opened.move(line, moved, "complaint.hand_off", receipt=sent.receipt_no)
            opened.tell(
                HandOffSent(
                    at=opened.now,
                    case_id=opened.header.id,
                    no=opened.header.no,
                    line_id=line.id,
                    handoff_id=sent.id,
                    receipt_no=sent.receipt_no,
                    department=None if line.confidential else line.department_code,
                    specialist_id=opened.header.specialist_id,
                    summary=opened.summary(),
                    due_at=sent.due_at,
                    again_at=again_at,
                )
            )
