"""Text of short recordings: joins recognition to those who recorded them."""

from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.office import office_of
from app.settings import Settings
from callback_campaigns.answer_text import AnswerTexts
from callback_campaigns.events import VoiceKept
from crm.domain.spoken import Opinion, Spoken, TextProgress
from crm.events_voicemail import MessageLeft
from crm.voicemail import VoiceMail
from crm.voicemail_tables import VoiceMessageRow
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from speech.clips import ClipPriority, ClipText, ClipTexts, Shelf, want_clip_text
from speech.ports import Recognition
from speech.reading import legible
from speech.rule_book import RuleBook
from telephony.tables import CallRow

ANSWER, MESSAGE = "answer", "message"
CLIP_FACTS: tuple[type[Event], ...] = (VoiceKept, MessageLeft)


class ClipPart:
    """What a process that listens to recordings runs for short ones."""

    def __init__(
        self,
        settings: Settings,
        recognition: Recognition,
        *,
        database: Database,
        clock: Clock,
        worker: str,
        late: Callable[[], bool],
        phrases: Callable[[], Sequence[str]],
    ) -> None:
        self._clock = clock
        self._recognition = recognition
        self._language = next(iter(settings.speech.languages), "zh")
        office = office_of(settings, database, clock)
        self._answers = AnswerTexts(office)
        self._messages = VoiceMail(office)
        self.texts = ClipTexts(
            database,
            recognition,
            {
                ANSWER: Shelf(settings.data_dir / "answers", self._keep_answer),
                MESSAGE: Shelf(settings.data_dir / "messages", self._keep_message),
            },
            clock=clock,
            zone=settings.zone,
            worker=worker,
            rules=RuleBook(database, clock, AuditLog(database, clock)).in_force,
            read=legible,
            phrases=phrases,
            late=late,
        )

    async def on_fact(self, session: AsyncSession, fact: Event) -> None:
        """Have text made of what was recorded."""
        if isinstance(fact, VoiceKept) and await self._answers.waits(session, fact.voice_id):
            first = ClipPriority.DECISIVE if fact.decisive else ClipPriority.OTHER
            await self._want(session, fact, fact.voice_id, ANSWER, fact.path, first, self._language)
        elif isinstance(fact, MessageLeft) and await self._messages.waits(session, fact.message_id):
            spoken = await self._spoken(session, fact.message_id)
            await self._want(session, fact, fact.message_id, MESSAGE, fact.path, ClipPriority.MESSAGE, spoken)

    async def _spoken(self, session: AsyncSession, message_id: str) -> str:
        """Return the language that its caller chose, if somebody installed knows it, else the centre's."""
        chosen = await session.scalar(
            select(CallRow.language)
            .join(VoiceMessageRow, VoiceMessageRow.call_id == CallRow.call_id)
            .where(VoiceMessageRow.id == message_id)
        )
        return chosen if chosen in self._recognition.languages else self._language

    async def _want(
        self,
        session: AsyncSession,
        fact: Event,
        clip_id: str,
        kind: str,
        path: str,
        first: ClipPriority,
        language: str,
    ) -> None:
        await want_clip_text(
            session,
            clip_id,
            kind=kind,
            path=path,
            priority=first,
            language=language,
            said_at=fact.at,
            now=self._clock.now(),
        )

    async def _keep_answer(self, session: AsyncSession, text: ClipText) -> None:
        await self._answers.keep(session, text.clip_id, spoken_of(text))

    async def _keep_message(self, session: AsyncSession, text: ClipText) -> None:
        await self._messages.keep_text(session, text.clip_id, spoken_of(text))


def spoken_of(text: ClipText) -> Spoken:
    """Return what a recogniser made of a recording, in the words of whoever keeps it."""
    state, judged = TextProgress(text.state.value), text.judged
    if judged is None:
        return Spoken(state=state, raw=text.raw, text=text.text, model=text.model)
    return Spoken(
        state=state,
        raw=text.raw,
        text=text.text,
        model=text.model,
        opinion=Opinion(judged.opinion.value),
        sure=judged.sure,
        topics=judged.labels,
        class_code=judged.class_code,
        severity=judged.severity,
        wants_call=judged.wants_call,
    )
