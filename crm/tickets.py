"""Problem tickets 回访问题单 as customer service works on them: opened, handed off, rerouted.

How they end is :mod:`crm.ticket_end`, what departments do :mod:`crm.ticket_work`.

Every change is one transaction, checks who does it, and returns the ticket as it is then.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseFilter, CasePage, NewCase, known_department
from crm.complaint_input import id_of, name_of, why_of
from crm.complaints import Complaints
from crm.domain import ticket as rules
from crm.domain.case import CaseKind, Severity
from crm.domain.complaint import ComplaintClass
from crm.domain.ticket import Part, PartStatus, notice_owed
from crm.events_tickets import (
    TicketHandedOff,
    TicketOpened,
)
from crm.forwarded import received
from crm.handoffs import TOLD_AGAIN_AFTER, Dispatch, Handoffs
from crm.opinion_notices import NoticeWhy, OpinionNotices
from crm.ticket_convert import become_complaint
from crm.ticket_read import TicketReader, live_departments
from crm.ticket_store import OpenedTicket, TicketStore
from crm.ticket_tables import TicketPart, TicketRow
from crm.ticket_views import CallbackSource, NewTicket, RevisitPage, TicketView
from kernel.access import Actor, Permission
from kernel.errors import Invalid
from kernel.ids import new_ulid

MAX_QUESTION = 200
MAX_ANSWER = 400
MAX_REF = 40
MAX_RECORDING = 200
MAX_SOLUTION = 2000
MAX_NOTE = 400
SHORTEST_DEMAND = timedelta(minutes=10)
LONGEST_DEMAND = timedelta(days=60)


class Tickets:
    """Problem tickets."""

    def __init__(
        self,
        store: TicketStore,
        reader: TicketReader,
        handoffs: Handoffs,
        complaints: Complaints,
        notices: OpinionNotices,
    ) -> None:
        self._store = store
        self._reader = reader
        self._handoffs = handoffs
        self._complaints = complaints
        self._notices = notices

    # Reading

    async def get(self, actor: Actor, case_id: str) -> TicketView:
        """Return a ticket. Raises Forbidden, NotFound."""
        async with self._store.database.session() as session:
            return await self._reader.view(session, actor, case_id)

    async def page(
        self, actor: Actor, wanted: CaseFilter, *, cursor: str | None = None, limit: int = 50
    ) -> CasePage:
        """Return a page of the headers of tickets, newest first. Raises as ``CaseRegister.page``."""
        wanted = replace(wanted, kind=CaseKind.TICKET)
        return await self._store.register.page(actor, wanted, cursor=cursor, limit=limit)

    async def revisits(
        self, actor: Actor, *, mine: bool = False, cursor: str | None = None, limit: int = 50
    ) -> RevisitPage:
        """Return tickets whose customer is to be asked again, the longest waiting first."""
        async with self._store.database.session() as session:
            return await self._reader.revisits(session, actor, mine=mine, cursor=cursor, limit=limit)

    # Opening

    async def open_from_callback(
        self,
        actor: Actor,
        source: CallbackSource,
        departments: Sequence[str],
        severity: Severity = Severity.GENERAL,
    ) -> TicketView:
        """Open a ticket for what a callback found; the same finding told again is the same ticket.

        It is handed off at once (CB-5); a serious one becomes a complaint in the same transaction.

        Raises:
            Forbidden: the role registers no cases.
            Invalid: names the field.
            NotFound: no such customer or project.
        """
        new = NewTicket(found=source, departments=tuple(departments), severity=severity)
        return await self.open_once(actor, new)

    async def open_once(self, actor: Actor, new: NewTicket) -> TicketView:
        """Open a ticket unless the same finding of a callback has opened it. Raises as above."""
        actor.need(Permission.CASES_REGISTER)
        found = await self._known(actor, new.found)
        if found is not None:
            return found
        try:
            return await self.open(actor, new)
        except IntegrityError:
            found = await self._known(actor, new.found)
            if found is None:
                raise
            return found

    async def open(self, actor: Actor, new: NewTicket) -> TicketView:
        """Open a ticket by hand. Raises as :meth:`open_from_callback`."""
        async with self._store.database.transaction() as session:
            case_id = await self.open_in(session, actor, new)
            return await self._reader.view(session, actor, case_id)

    async def open_once_in(self, session: AsyncSession, actor: Actor, new: NewTicket) -> str:
        """Do :meth:`open_once` in the caller's transaction; return the case's id."""
        actor.need(Permission.CASES_REGISTER)
        known = await _known_id(session, new.found)
        return known if known is not None else await self.open_in(session, actor, new)

    async def open_in(self, session: AsyncSession, actor: Actor, new: NewTicket) -> str:
        """Do :meth:`open` in the caller's transaction; return the case's id."""
        actor.need(Permission.CASES_REGISTER)
        source, now = new.found, self._store.clock.now()
        if new.demanded is not None and not SHORTEST_DEMAND <= new.demanded <= LONGEST_DEMAND:
            raise Invalid("between ten minutes and sixty days", field="demanded")
        class_code = _class_of(source.class_code)
        for number, code in enumerate(new.departments):
            await known_department(session, code, field=f"departments.{number}")
        parts = [Part(new_ulid(), code) for code in new.departments]
        moved = rules.open_ticket(new.severity, parts)
        header = await self._store.register.open(
            session,
            actor,
            NewCase(
                kind=CaseKind.TICKET,
                customer_id=source.customer_id,
                project_id=source.project_id,
                content=source.text,
                source=new.source,
                severity=new.severity,
                external_no=new.external_no,
                call_id=id_of(source.call_id, "call_id"),
            ),
            at=now,
        )
        if source.specialist_id is not None:
            header.specialist_id = id_of(source.specialist_id, "specialist_id")
            header.specialist_name = name_of(source.specialist, "specialist", 80)
        key = _key(source, class_code, new.departments)
        earlier = await self._notices.earlier(session, key, before=now, but=header.id)
        row = TicketRow(
            case_id=header.id,
            question=name_of(source.question, "question", MAX_QUESTION) or "",
            answer=name_of(source.answer, "answer", MAX_ANSWER) or "",
            question_id=name_of(source.question_id, "question_id", MAX_REF),
            callback_ref=name_of(source.callback_ref, "callback_ref", MAX_REF),
            recording_ref=name_of(source.recording_ref, "recording_ref", MAX_RECORDING),
            problem_key=key,
            fed_back=len(earlier) + 1,
            class_code=class_code,
            not_reached=0,
        )
        session.add(row)
        await session.flush()
        opened = OpenedTicket(
            session=session,
            actor=actor,
            now=now,
            header=header,
            row=row,
            parts=[],
            book=self._store.limits,
        )
        await self._add(opened, parts, cause=header.content)
        opened.note("ticket.opened", after={"no": header.no, "severity": header.severity, "key": key})
        await received(self._store.limits, session, header, at=now, demanded=new.demanded)
        opened.tell(
            TicketOpened(
                at=now,
                case_id=header.id,
                no=header.no,
                customer_id=header.customer_id,
                severity=header.severity,
                departments=live_departments(opened.parts),
                specialist_id=header.specialist_id,
                summary=header.summary,
                fed_back=row.fed_back,
            )
        )
        if moved.converted is not None:
            await become_complaint(opened, self._complaints, moved, moved.converted, note="")
        else:
            await opened.move(moved, "ticket.handed_off")
            await self._send(opened, opened.parts)
            late = bool(earlier) and await self._notices.was_late(session, [case.id for case in earlier])
            if notice_owed(row.fed_back, late=late):
                await self._notices.issue_for(opened, NoticeWhy.AGAIN)
        await self._store.finish(opened)
        return header.id

    async def _known(self, actor: Actor, source: CallbackSource) -> TicketView | None:
        actor.need(Permission.CASES_REGISTER)
        async with self._store.database.session() as session:
            case_id = await _known_id(session, source)
        return await self.get(actor, case_id) if case_id is not None else None

    # Customer service

    async def add_part(self, actor: Actor, case_id: str, expected: int, department: str) -> TicketView:
        """Give another department a part, handed off at once. Raises IllegalStep, Invalid, StaleVersion."""
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            await known_department(opened.session, department)
            part = Part(new_ulid(), department)
            moved = rules.add_part(opened.domain(), part)
            (row,) = await self._add(opened, [part], cause=opened.header.content)
            await opened.move(moved, "ticket.part_added", part=row, department=department)
            await self._send(opened, [row])
        return await self.get(actor, case_id)

    async def reroute(
        self, actor: Actor, part_id: str, expected: int, department: str, reason: str
    ) -> TicketView:
        """Give a refused part to another department, with fresh limits. Raises IllegalStep, Invalid."""
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing_part(actor, part_id, expected=expected) as (opened, row):
            await known_department(opened.session, department)
            to = Part(new_ulid(), department)
            moved = rules.reroute(opened.domain(), part_id, to)
            row.settled_why = reason
            (added,) = await self._add(opened, [to], cause=row.cause, rerouted_from=part_id)
            await opened.move(moved, "ticket.rerouted", part=row, why=reason, department=department)
            await self._send(opened, [added])
        return await self.get(actor, row.case_id)

    async def unfounded(self, actor: Actor, part_id: str, expected: int, reason: str) -> TicketView:
        """Agree that a refused part is not so; the customer is still asked. Raises IllegalStep."""
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing_part(actor, part_id, expected=expected) as (opened, row):
            row.settled_why = reason
            moved = rules.unfounded(opened.domain(), part_id)
            await opened.move(moved, "ticket.unfounded", part=row, why=reason)
        return await self.get(actor, row.case_id)

    # Within a change

    async def _add(
        self, opened: OpenedTicket, parts: Sequence[Part], *, cause: str, rerouted_from: str | None = None
    ) -> list[TicketPart]:
        rows = [
            TicketPart(
                id=part.part_id,
                case_id=opened.header.id,
                position=len(opened.parts) + number + 1,
                department_code=part.department,
                status=PartStatus.OPEN.value,
                cause=cause,
                opened_at=opened.now,
                rerouted_from=rerouted_from,
            )
            for number, part in enumerate(parts)
        ]
        opened.session.add_all(rows)
        await opened.session.flush()
        opened.parts.extend(rows)
        codes = [row.department_code for row in rows]
        await self._store.register.let_see(opened.session, opened.header.id, codes)
        return rows

    async def _send(self, opened: OpenedTicket, rows: Sequence[TicketPart]) -> None:
        header = opened.header
        timers = (await self._store.limits.timers(opened.session, [header.id]))[header.id]
        due = {timer.record.line_id: timer.due_at for timer in timers if timer.is_open}
        calendar = self._store.limits.calendar
        again_at = await calendar.after_service_time(opened.session, opened.now, TOLD_AGAIN_AFTER)
        for row in rows:
            sent = await self._handoffs.send(
                opened.session,
                opened.actor,
                header,
                row,
                Dispatch(),
                at=opened.now,
                due_at=due.get(row.id),
                call_at=again_at,
            )
            opened.tell(
                TicketHandedOff(
                    at=opened.now,
                    case_id=header.id,
                    no=header.no,
                    part_id=row.id,
                    handoff_id=sent.id,
                    receipt_no=sent.receipt_no,
                    department=row.department_code,
                    specialist_id=header.specialist_id,
                    summary=header.summary,
                    due_at=sent.due_at,
                    again_at=again_at,
                )
            )


async def _known_id(session: AsyncSession, source: CallbackSource) -> str | None:
    if source.callback_ref is None or source.question_id is None:
        return None
    query = select(TicketRow.case_id).where(
        TicketRow.callback_ref == source.callback_ref, TicketRow.question_id == source.question_id
    )
    return await session.scalar(query)


def _class_of(code: int | None) -> int | None:
    if code is not None and code not in {int(known) for known in ComplaintClass}:
        raise Invalid("no such complaint class", field="class_code")
    return code


def _key(source: CallbackSource, class_code: int | None, departments: Sequence[str]) -> str:
    """Return whose problem it is and which: the same when it is fed back again (CB-6)."""
    if source.problem_key:
        return source.problem_key
    whose = source.project_id or source.customer_id
    if source.question_id:
        which = f"question:{source.question_id}"
    elif class_code is not None:
        which = f"class:{class_code}"
    else:
        which = f"departments:{','.join(sorted(departments))}"
    return f"{whose}|{which}"[:120]
