"""What a department does with its part of a ticket: signs for it, refuses it, solves it (domain.md §1.4)."""

from crm.cases import tidy_text
from crm.domain import ticket as rules
from crm.domain.handoff import Signed
from crm.events_tickets import TicketRefused, TicketSigned
from crm.handoffs import Handoffs
from crm.ticket_read import TicketReader
from crm.ticket_store import TicketStore, check_receives, check_works
from crm.ticket_tables import TicketPart
from crm.ticket_views import TicketView
from kernel.access import Actor

MAX_SOLUTION = 2000


class TicketWork:
    """Parts of tickets, for the departments; each change asks for the part's version."""

    def __init__(self, store: TicketStore, reader: TicketReader, handoffs: Handoffs) -> None:
        self._store = store
        self._reader = reader
        self._handoffs = handoffs

    async def sign(self, actor: Actor, part_id: str, expected: int, signature: Signed) -> TicketView:
        """The head or deputy of the department signs for its part: OPEN → IN_HAND.

        Raises:
            Forbidden: another department's, or not its head.
            SamePerson: the signer is who sent it.
            Invalid: the signature cannot be.
        """
        await self._handoffs.signing.check_pin(actor, signature, TicketPart, part_id, check_receives)
        async with self._store.changing_part(actor, part_id, expected=expected) as (opened, row):
            check_receives(actor, row)
            moved = rules.sign(opened.domain(), part_id)
            handoff = await self._handoffs.waiting(opened.session, part_id)
            await self._handoffs.signing.check_scan(opened.session, opened.header.id, signature)
            self._handoffs.sign(handoff, actor, opened.header, row, signature, mode=None, at=opened.now)
            row.signed_at, row.signed_by = opened.now, actor.name
            await opened.move(moved, "ticket.signed", part=row, receipt=handoff.receipt_no)
            opened.tell(
                TicketSigned(
                    at=opened.now,
                    case_id=row.case_id,
                    no=opened.header.no,
                    part_id=part_id,
                    department=row.department_code,
                    received_by=actor.name,
                    specialist_id=opened.header.specialist_id,
                )
            )
        return await self._view(actor, row.case_id)

    async def refuse(self, actor: Actor, part_id: str, expected: int, reason: str) -> TicketView:
        """The department says that it is not theirs, or not so. Raises as :meth:`sign`."""
        async with self._store.changing_part(actor, part_id, expected=expected) as (opened, row):
            check_receives(actor, row)
            moved = rules.refuse_part(opened.domain(), part_id)
            handoff = await self._handoffs.waiting(opened.session, part_id)
            reason = self._handoffs.reject(handoff, actor, reason, at=opened.now)
            row.refused_at, row.refused_by, row.refuse_reason = opened.now, actor.name, reason
            await opened.move(moved, "ticket.refused", part=row, why=reason)
            opened.tell(
                TicketRefused(
                    at=opened.now,
                    case_id=row.case_id,
                    no=opened.header.no,
                    part_id=part_id,
                    department=row.department_code,
                    specialist_id=opened.header.specialist_id,
                    reason=reason,
                )
            )
        return await self._view(actor, row.case_id)

    async def solve(self, actor: Actor, part_id: str, expected: int, solution: str) -> TicketView:
        """The department reports its part solved; after the last part the customer is asked (REVISIT).

        Raises:
            Forbidden: another department's.
            IllegalStep: it was not signed for, or is solved.
        """
        solution = tidy_text(solution, field="solution", limit=MAX_SOLUTION)
        async with self._store.changing_part(actor, part_id, expected=expected) as (opened, row):
            check_works(actor, row)
            moved = rules.solve(opened.domain(), part_id)
            row.solved_at, row.solved_by, row.solution = opened.now, actor.name, solution
            await opened.move(moved, "ticket.solved", part=row)
        return await self._view(actor, row.case_id)

    async def _view(self, actor: Actor, case_id: str) -> TicketView:
        async with self._store.database.session() as session:
            return await self._reader.view(session, actor, case_id)
