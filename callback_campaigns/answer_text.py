"""The text of what a customer said after the tone: written down once, with what it comes to."""

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.answer_said import CLASSES, CLEAR
from callback_campaigns.events import VoiceUnderstood
from callback_campaigns.talk_tables import CallbackVoiceRow
from crm.domain.spoken import SURE, Opinion, Spoken, TextProgress
from crm.office import Office
from crm.spoken_tables import write_spoken
from kernel.outbox import add_fact


class AnswerTexts:
    """Takes the texts, within the caller's transaction."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def waits(self, session: AsyncSession, voice_id: str) -> bool:
        """Note that text is being made of a recording; return whether it is there, and has none yet."""
        row = await session.get(CallbackVoiceRow, voice_id, with_for_update=True)
        if row is None or row.text_state:
            return False
        row.text_state = TextProgress.WAITING.value
        return True

    async def keep(self, session: AsyncSession, voice_id: str, spoken: Spoken) -> None:
        """Keep the text of a recording, and have done what follows from it.

        Of one that was erased meanwhile nothing is kept.
        """
        row = await session.get(CallbackVoiceRow, voice_id, with_for_update=True)
        if row is None:
            return
        if spoken.state is TextProgress.LATER:
            row.text_state = TextProgress.LATER.value
            return
        write_spoken(row, spoken)
        if row.classed_at is None and spoken.sure >= SURE:
            guess = spoken.class_code if spoken.opinion is Opinion.DISSATISFIED else None
            if spoken.opinion is Opinion.SATISFIED:
                guess = CLEAR
            if guess in CLASSES:
                row.class_code = guess
                row.review_version += 1
        if spoken.opinion is not None:
            add_fact(session, VoiceUnderstood(at=self._office.now(), voice_id=voice_id))
