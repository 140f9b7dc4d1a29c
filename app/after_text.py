"""Text after the call: which calls it is made of, and in which order. Joins telephony's calls and speech."""

from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from callback_campaigns.task_tables import DialAttemptRow
from crm.recording_consent import objects_to_recording
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from speech.after import AfterCall, Priority, want_text
from speech.ports import Recognition
from speech.reading import legible
from telephony.domain.call import Direction
from telephony.events import CallEnded
from telephony.tables import CallRow

AFTER_FACTS: tuple[type[Event], ...] = (CallEnded,)
COMPLAINTS = frozenset({"complaint"})
"""Queues whose calls are the evidence of a complaint."""


def build_after_call(
    settings: Settings,
    recognition: Recognition,
    *,
    clock: Clock,
    database: Database,
    bus: Bus,
    worker: str,
    late: Callable[[], bool],
    phrases: Callable[[], Sequence[str]],
) -> AfterCall:
    """Build what listens to the recordings of this node; nothing runs yet."""
    return AfterCall(
        database,
        recognition,
        clock=clock,
        bus=bus,
        folder=settings.data_dir / "recordings",
        worker=worker,
        phrases=phrases,
        read=legible,
        late=late,
    )


class TextWanted:
    """Takes ended calls: text is made of conversations with customers who do not object to recordings."""

    def __init__(self, clock: Clock, *, language: str) -> None:
        self._clock = clock
        self._language = language

    async def on_fact(self, session: AsyncSession, fact: Event) -> None:
        """Have text made of a call, if there was a conversation."""
        if not isinstance(fact, CallEnded) or fact.direction == Direction.INTERNAL.value:
            return
        began = fact.connected_at or fact.answered_at
        if began is None or fact.talk_seconds <= 0 or fact.agent_number is None:
            return
        number = fact.to_number if fact.direction == Direction.OUT.value else fact.from_number
        if await objects_to_recording(session, number):
            return
        await want_text(
            session,
            fact.call_id,
            priority=await self._priority(session, fact),
            language=await self._spoken(session, fact.call_id),
            call_at=fact.started_at,
            began=(began - fact.started_at).total_seconds(),
            agent_number=fact.agent_number,
            now=self._clock.now(),
        )

    async def _spoken(self, session: AsyncSession, call_id: str) -> str:
        """Return the language of a call: the one its caller chose, else the centre's."""
        chosen = await session.scalar(select(CallRow.language).where(CallRow.call_id == call_id))
        return chosen or self._language

    async def _priority(self, session: AsyncSession, fact: CallEnded) -> Priority:
        if fact.queue in COMPLAINTS:
            return Priority.COMPLAINT
        attempt = await session.scalar(select(DialAttemptRow.id).where(DialAttemptRow.id == fact.call_id))
        return Priority.CALLBACK if attempt is not None else Priority.OTHER
