"""Joins the text of ended calls to what customer service is told at once: watchwords that customers said."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.wiring import customer_number
from crm.domain.watchwords import Words
from crm.said_words import Utterance, look_at_said
from kernel.events import Event
from speech.events import CUSTOMER, TranscriptMade
from speech.rules.model import shipped_rules
from speech.tables import SegmentRow
from telephony.tables import CallRow

SAID_FACTS: tuple[type[Event], ...] = (TranscriptMade,)
MOST = 5000
"""Utterances of one call that are looked at: some hours of talk."""


class SaidListener:
    """Hears of calls whose text is there.

    Args:
        words: the centre's own, until the manager sets others.
    """

    def __init__(self, words: Words) -> None:
        self._words = words

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Look at what the customer said; the agent's words are not taken for theirs."""
        if not isinstance(fact, TranscriptMade):
            return
        call = await session.get(CallRow, fact.call_id)
        if call is None:
            return
        query = (
            select(SegmentRow)
            .where(
                SegmentRow.call_id == fact.call_id,
                SegmentRow.replaced_at.is_(None),
                SegmentRow.gap.is_(None),
                SegmentRow.speaker == CUSTOMER,
            )
            .order_by(SegmentRow.started_ms, SegmentRow.segment_id)
            .limit(MOST)
        )
        lexicon = shipped_rules().lexicon
        said = []
        for row in await session.scalars(query):
            text = row.corrected if row.corrected is not None else row.text
            said.append(Utterance(row.started_ms / 1000, (text, lexicon.corrected(text))))
        if said:
            await look_at_said(session, call.call_id, customer_number(call), said, fact.at, self._words)
