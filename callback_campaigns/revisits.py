"""Customers who are asked again once their problem is solved (domain.md §1.2 REVISIT, §1.4).

What they say of a question that led to a ticket verifies that ticket, or makes a complaint of it; it opens no
second ticket about the same.
"""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.talk import TalkSet
from callback_campaigns.domain.terms import Origin, Verdict
from callback_campaigns.talk_store import Talk
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseStatus
from crm.domain.ticket import Revisit
from crm.tables import ServiceCase
from crm.ticket_end import MAX_REF, TicketEnd
from crm.ticket_tables import TicketRow
from crm.ticket_views import NewRevisit
from kernel.access import Actor

WAITING = CaseStatus.SOLVED.value


class Revisits:
    """Tells tickets what customers said when they were asked again."""

    def __init__(self, tickets: TicketEnd) -> None:
        self._tickets = tickets

    async def tickets(self, session: AsyncSession, task_id: str, talk_id: str) -> dict[str, tuple[str, bool]]:
        """Return the tickets that a talk asks about again: by question the case, and whether it waits for it.

        Those that this talk has told already are among them, and wait no more.
        """
        task = await session.get_one(CallbackTaskRow, task_id)
        if task.origin != Origin.REVISIT.value or task.previous_id is None:
            return {}
        query = (
            select(TicketRow.question_id, TicketRow.case_id, ServiceCase.status)
            .join(ServiceCase, ServiceCase.id == TicketRow.case_id)
            .where(
                TicketRow.callback_ref == task.previous_id,
                or_(ServiceCase.status == WAITING, TicketRow.revisit_ref.like(f"{talk_id}#%")),
            )
        )
        found = (await session.execute(query)).all()
        return {question or case_id: (case_id, status == WAITING) for question, case_id, status in found}

    async def tell(
        self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, case_id: str, question: str
    ) -> None:
        """Tell a ticket what was said of its question; of one that was not asked the whole result counts.

        Raises:
            IllegalStep: not everything is reported solved.
        """
        item_id = question.split("-", 1)[0]
        bad = item_id in talk.bad if item_id in talk.answers else one.verdict is Verdict.DISSATISFIED
        said = Revisit.DISSATISFIED if bad else Revisit.SATISFIED
        new = NewRevisit(said=said, revisited_at=talk.ended_at, ref=f"{talk.talk_id}#{question}"[:MAX_REF])
        await self._tickets.revisit_in(session, actor, case_id, new, expected=None)
