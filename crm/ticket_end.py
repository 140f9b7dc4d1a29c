"""How problem tickets end: the customer is asked again; closed, or made a complaint (domain.md §1.4)."""

from sqlalchemy.ext.asyncio import AsyncSession

from crm import timeline
from crm.case_calls import CALLED_AGAIN, count_ticket_call, counted_calls
from crm.cases import tidy_text
from crm.complaint_input import name_of, why_of
from crm.complaint_store import CaseOver
from crm.complaints import Complaints
from crm.domain import ticket as rules
from crm.domain.case import CaseKind, Severity
from crm.domain.ticket import ConvertWhy, Moved, Revisit, notice_owed
from crm.events_tickets import TicketClosed, TicketVerified
from crm.forwarded import guard
from crm.opinion_notices import NoticeWhy, OpinionNotices
from crm.ticket_convert import become_complaint
from crm.ticket_read import TicketReader
from crm.ticket_store import OpenedTicket, TicketStore
from crm.ticket_views import NewRevisit, TicketView
from crm.timeline import Channel
from kernel.access import Actor, Permission
from kernel.errors import Invalid
from kernel.ids import new_ulid

MAX_REF = 40
MAX_NOTE = 400


class TicketEnd:
    """Revisit, closing and conversion, for customer service; the waiver for its manager."""

    def __init__(
        self, store: TicketStore, reader: TicketReader, complaints: Complaints, notices: OpinionNotices
    ) -> None:
        self._store = store
        self._reader = reader
        self._complaints = complaints
        self._notices = notices

    async def revisit(self, actor: Actor, case_id: str, expected: int, new: NewRevisit) -> TicketView:
        """Note what the customer said when asked again; dissatisfied makes a complaint of it.

        Raises:
            IllegalStep: not everything is reported solved.
            Invalid: a time that cannot be.
        """
        async with self._store.database.transaction() as session:
            await self.revisit_in(session, actor, case_id, new, expected=expected)
        return await self._view(actor, case_id)

    async def revisit_in(
        self,
        session: AsyncSession,
        actor: Actor,
        case_id: str,
        new: NewRevisit,
        *,
        expected: int | None,
        on_timeline: bool = True,
    ) -> None:
        """Do :meth:`revisit` in the caller's transaction.

        Args:
            on_timeline: not where whoever talked has put the same talk on the customer's time line.
        """
        actor.need(Permission.CASES_REGISTER)
        note = tidy_text(new.note, field="note", limit=MAX_NOTE, required=False)
        async with self._store.changing_in(session, actor, case_id, expected=expected) as opened:
            row = opened.row
            moved = rules.revisit(opened.domain(), new.said)
            at = new.revisited_at or opened.now
            rules.check_revisit_time(at, solved_at=row.solved_at, now=opened.now)
            row.revisited_at, row.revisit_note = at, note or None
            row.revisit_ref = name_of(new.ref, "ref", MAX_REF)
            match new.said:
                case Revisit.NOT_REACHED:
                    row.not_reached += 1
                    await opened.move(moved, "ticket.not_reached", why=note)
                case Revisit.SATISFIED:
                    row.verified_at, row.verified_by = at, opened.actor.name
                    await opened.move(moved, "ticket.verified", why=note)
                    opened.tell(_verified(opened, waived=False))
                case Revisit.DISSATISFIED:
                    if notice_owed(row.fed_back, late=True):
                        await self._notices.issue_for(opened, NoticeWhy.UNSOLVED)
                    await self._convert(opened, moved, ConvertWhy.REVISIT, note=note)
            if on_timeline:
                await timeline.add(
                    opened.session,
                    opened.header.customer_id,
                    at=at,
                    channel=Channel.CALLBACK,
                    direction="out",
                    ref=row.revisit_ref or new_ulid(),
                    result=new.said.value,
                    agent=actor.name,
                    detail={"no": opened.header.no, "case_id": case_id},
                )

    async def waive(self, actor: Actor, case_id: str, expected: int, reason: str) -> TicketView:
        """Do without the revisit: the manager's decision, with reason. Raises Forbidden, IllegalStep."""
        actor.need(Permission.CASES_DECIDE)
        reason = why_of(reason)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.row.verified_at, opened.row.verified_by = opened.now, actor.name
            opened.row.waived_why = reason
            await opened.move(rules.waive(opened.domain()), "ticket.revisit_waived", why=reason)
            opened.tell(_verified(opened, waived=True))
        return await self._view(actor, case_id)

    async def close(self, actor: Actor, case_id: str, expected: int) -> TicketView:
        """Settle a ticket that the customer agrees is solved.

        Raises:
            IllegalStep: it is not verified.
            ReplyOwed: the hotline that forwarded it has no reply yet.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            moved = rules.close(opened.domain())
            guard(opened.header)
            opened.row.closed_by = actor.name
            await opened.move(moved, "ticket.closed")
            opened.tell(
                TicketClosed(
                    at=opened.now,
                    case_id=case_id,
                    no=opened.header.no,
                    customer_id=opened.header.customer_id,
                    specialist_id=opened.header.specialist_id,
                )
            )
        return await self._view(actor, case_id)

    async def convert(
        self, actor: Actor, case_id: str, expected: int, why: ConvertWhy, *, note: str = ""
    ) -> TicketView:
        """Make a complaint of a ticket: because the customer says so, or the manager decides it.

        Raises:
            Forbidden: only the manager decides it against the rule.
            IllegalStep: it is over.
            Invalid: the other reasons follow by themselves; the manager's needs a word of explanation.
        """
        actor.need(Permission.CASES_REGISTER)
        if why not in {ConvertWhy.CUSTOMER, ConvertWhy.DECIDED}:
            raise Invalid("customer or decided; the other reasons follow by themselves", field="why")
        if why is ConvertWhy.DECIDED:
            actor.need(Permission.CASES_DECIDE)
        note = tidy_text(note, field="note", limit=MAX_NOTE, required=why is ConvertWhy.DECIDED)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            await self._convert(opened, rules.convert(opened.domain(), why), why, note=note)
        return await self._view(actor, case_id)

    async def set_severity(
        self, actor: Actor, case_id: str, expected: int, severity: Severity, reason: str
    ) -> TicketView:
        """Say that it is worse than it was; from serious on it becomes a complaint. Raises IllegalStep."""
        actor.need(Permission.CASES_REGISTER)
        reason = why_of(reason)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            moved = rules.set_severity(opened.domain(), severity)
            if moved.converted is not None:
                await self._convert(opened, moved, moved.converted, note=reason)
            else:
                await opened.move(moved, "ticket.severity", why=reason, severity=severity)
        return await self._view(actor, case_id)

    async def called_again_in(
        self,
        session: AsyncSession,
        actor: Actor,
        case_id: str,
        call_id: str | None,
        *,
        expected: int | None = None,
        note: str = "",
    ) -> None:
        """Count a call of the customer about an open ticket; made serious by it, it becomes a complaint.

        A call that is counted already is not again.

        Raises:
            CaseOver: it is closed.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing_in(session, actor, case_id, expected=expected) as opened:
            if opened.header.closed_at is not None:
                raise CaseOver("the ticket is closed", field="status")
            earlier = await counted_calls(session, CaseKind.TICKET.value, case_id)
            if call_id in earlier.ids:
                return
            severity = count_ticket_call(opened, call_id, earlier, note)
            if severity > opened.header.severity:
                moved = rules.set_severity(opened.domain(), severity)
                if moved.converted is not None:
                    await self._convert(opened, moved, moved.converted, note=CALLED_AGAIN)
                else:
                    await opened.move(moved, "ticket.severity", why=CALLED_AGAIN, severity=severity)

    async def _convert(self, opened: OpenedTicket, moved: Moved, why: ConvertWhy, *, note: str) -> None:
        await become_complaint(opened, self._complaints, moved, why, note=note)

    async def _view(self, actor: Actor, case_id: str) -> TicketView:
        async with self._store.database.session() as session:
            return await self._reader.view(session, actor, case_id)


def _verified(opened: OpenedTicket, *, waived: bool) -> TicketVerified:
    return TicketVerified(
        at=opened.now,
        case_id=opened.header.id,
        no=opened.header.no,
        specialist_id=opened.header.specialist_id,
        waived=waived,
    )
