"""What changes about tickets that answers led to: the answer was corrected, or not the customer's."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.talk import spelled
from callback_campaigns.events import AnswerCorrected
from callback_campaigns.talk_store import Talk
from crm.tables import ServiceCase
from crm.ticket_corrected import TicketCorrections
from crm.ticket_tables import TicketRow
from kernel.access import Actor

NOT_THEM = "接听者不是客户本人"


class TicketChanges:
    """Takes back, or notes, what no longer holds."""

    def __init__(self, corrections: TicketCorrections) -> None:
        self._corrections = corrections

    async def corrected(self, session: AsyncSession, actor: Actor, talk: Talk, fact: AnswerCorrected) -> None:
        """Carry another answer into the tickets of the one before; of the same one nothing changes."""
        item, answer = talk.item(fact.item_id), talk.answers.get(fact.item_id)
        said = spelled(item, answer) if item is not None and answer is not None else ""
        mine = (TicketRow.callback_ref == fact.task_id, TicketRow.question_id.is_not(None))
        for row in (await session.scalars(select(TicketRow).where(*mine).order_by(TicketRow.case_id))).all():
            about = (row.question_id or "").split("-", 1)[0] == fact.item_id
            if about and row.answer != said:
                await self._corrections.correct_in(session, actor, row.case_id, said=said)

    async def not_theirs(self, session: AsyncSession, actor: Actor, talk: Talk) -> None:
        """Take back what somebody said who was not the customer."""
        if talk.attempt_id is None:
            return
        query = (
            select(TicketRow.case_id)
            .join(ServiceCase, ServiceCase.id == TicketRow.case_id)
            .where(
                TicketRow.callback_ref.in_([one.task_id for one in talk.sets]),
                TicketRow.question_id.is_not(None),
                ServiceCase.call_id == talk.attempt_id,
            )
        )
        for case_id in (await session.scalars(query.order_by(TicketRow.case_id))).all():
            await self._corrections.correct_in(session, actor, case_id, said="", why=NOT_THEM)
