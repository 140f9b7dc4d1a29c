"""A customer calls again about an open case, and somebody notes it by hand (domain.md §1.3, §2.1).

With one open case a call is counted by itself (:mod:`crm.call_alerts`). Which of several it was about only
the agent knows; and a call may have been taken on another telephone.
"""

from crm.case_calls import count_repair_call, counted_calls
from crm.cases import CaseRegister, tidy_text
from crm.complaint_input import MAX_WHY, id_of
from crm.complaint_store import CaseOver
from crm.complaints import Complaints
from crm.domain.case import CaseKind
from crm.repair_store import RepairStore
from crm.ticket_end import TicketEnd
from kernel.access import Actor, Permission
from kernel.db import Database


class RepeatCalls:
    """Counts calls on cases of every kind; the same call counts once."""

    def __init__(
        self,
        database: Database,
        *,
        register: CaseRegister,
        complaints: Complaints,
        repairs: RepairStore,
        tickets: TicketEnd,
    ) -> None:
        self._database = database
        self._register = register
        self._complaints = complaints
        self._repairs = repairs
        self._tickets = tickets

    async def note(
        self, actor: Actor, case_id: str, *, call_id: str | None = None, note: str = ""
    ) -> CaseKind:
        """Count a call on a case of whatever kind, whoever has changed it meanwhile; return the kind.

        Raises:
            Forbidden: the role registers no cases.
            NotFound: no such case.
            CaseOver: it is closed; the customer's matter is a new case then.
            Invalid: the note is too long.
        """
        actor.need(Permission.CASES_REGISTER)
        kind = (await self._register.get(actor, case_id)).kind
        match kind:
            case CaseKind.COMPLAINT:
                await self._complaints.called_again(actor, case_id, call_id=call_id, note=note)
            case CaseKind.REPAIR:
                await self.on_repair(actor, case_id, None, call_id=call_id, note=note)
            case CaseKind.TICKET:
                await self.on_ticket(actor, case_id, None, call_id=call_id, note=note)
        return kind

    async def on_repair(
        self, actor: Actor, case_id: str, expected: int | None, *, call_id: str | None = None, note: str = ""
    ) -> None:
        """Count a call on a repair; two within 30 days make it serious. Raises as :meth:`note`.

        Raises:
            StaleVersion: somebody changed it since ``expected``.
        """
        actor.need(Permission.CASES_REGISTER)
        id_of(call_id, "call_id")
        note = tidy_text(note, field="note", limit=MAX_WHY, required=False)
        async with self._repairs.changing(actor, case_id, expected=expected) as opened:
            if opened.header.closed_at is not None:
                raise CaseOver("the repair is closed", field="status")
            earlier = await counted_calls(opened.session, CaseKind.REPAIR.value, case_id)
            if call_id not in earlier.ids:
                count_repair_call(opened, call_id, earlier, note)

    async def on_ticket(
        self, actor: Actor, case_id: str, expected: int | None, *, call_id: str | None = None, note: str = ""
    ) -> None:
        """Count a call on a ticket; made serious, it becomes a complaint. Raises as :meth:`on_repair`."""
        id_of(call_id, "call_id")
        note = tidy_text(note, field="note", limit=MAX_WHY, required=False)
        async with self._database.transaction() as session:
            await self._tickets.called_again_in(
                session, actor, case_id, call_id, expected=expected, note=note
            )
