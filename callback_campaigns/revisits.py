"""Customers who are asked again once their problem is solved (domain.md §1.2 REVISIT, §1.4).

What they say of a question that led to a ticket verifies that ticket, or makes a complaint of it; it opens no
second ticket about the same.
"""

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.talk import TalkSet
from callback_campaigns.domain.terms import Origin, Verdict
from callback_campaigns.talk_store import Talk
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseStatus
from crm.domain.ticket import Revisit
from crm.notices.events import NoticeWanted
from crm.notices.links import case_page
from crm.tables import ServiceCase
from crm.ticket_end import MAX_REF, TicketEnd
from crm.ticket_tables import TicketRow
from crm.ticket_views import NewRevisit
from kernel.access import Actor
from kernel.outbox import add_fact

WAITING = CaseStatus.SOLVED.value
UNREACHED = "unreached"
GIVEN_UP = "再次回访多次未联系上客户"


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
        await self._tickets.revisit_in(session, actor, case_id, new, expected=None, on_timeline=False)

    async def not_reached(self, session: AsyncSession, actor: Actor, task_id: str, *, at: datetime) -> None:
        """Tell the tickets of a task that was given up that the customer was not reached; told twice, once.

        They wait on for the customer's word; their specialist hears that somebody has to get it otherwise.

        Raises:
            IllegalStep: not everything is reported solved.
        """
        ref = f"{task_id}#{UNREACHED}"
        for question, (case_id, waits) in (await self.tickets(session, task_id, task_id)).items():
            ticket = await session.get_one(TicketRow, case_id)
            if not waits or ticket.revisit_ref == ref:
                continue
            new = NewRevisit(said=Revisit.NOT_REACHED, revisited_at=at, ref=ref, note=GIVEN_UP)
            await self._tickets.revisit_in(session, actor, case_id, new, expected=None, on_timeline=False)
            case = await session.get_one(ServiceCase, case_id)
            add_fact(
                session,
                NoticeWanted(
                    at=at,
                    code="ticket.unreached",
                    key=f"ticket.unreached|{ref}|{question}"[:120],
                    parameters={"no": case.no},
                    link=case_page(case_id),
                    specialist_user_id=case.specialist_id,
                ),
            )
