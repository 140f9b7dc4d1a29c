"""Live text in the process that follows the PBX: taps of telephony, ears of speech, and the rule between.

``telephony`` and ``speech`` do not know each other; what joins them is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from app.settings import Settings
from app.telephony_part import TelephonyPart
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.task_tables import DialAttemptRow
from crm.recording_consent import objects_to_recording
from crm.spoken_names import SpokenNames
from crm.tables import ServiceCase
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Unavailable
from kernel.supervise import Supervisor
from speech.events import AGENT, CUSTOMER, SpeechState
from speech.listener import ListenerConfig, StreamListener
from speech.live import LiveText
from speech.phrases import KeptPhrases, PhraseBook
from speech.ports import Recognition
from speech.reading import legible
from speech.transcripts import TranscriptWriter
from telephony.agent_tables import QueueRow
from telephony.domain.call import Call, Direction
from telephony.recording_pauses import paused_calls
from telephony.tap_ports import TapPlace
from telephony.taps import Taps, TapsConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTextPart:
    """What live text consists of; one of a node."""

    listener: StreamListener
    live: LiveText
    writer: TranscriptWriter
    taps: Taps
    hints: KeptPhrases

    async def close(self) -> None:
        """End every stream; the last words are told and stored by who is closed after this."""
        self.taps.stop()
        await self.live.close_all()
        await self.listener.stop()


def build_live_text(
    settings: Settings,
    telephony: TelephonyPart,
    recognition: Recognition,
    *,
    clock: Clock,
    database: Database,
    bus: Bus,
) -> LiveTextPart:
    """Build the part; nothing runs yet.

    Raises:
        ConfigurationError: a setting of ``live_text`` is wrong.
    """
    wanted = settings.live_text
    listener = StreamListener(
        ListenerConfig(
            host=wanted.host,
            port=wanted.port,
            allowed_peers=wanted.allow,
            max_streams=2 * wanted.streams,
            max_connections=4 * wanted.streams + 16,
        )
    )
    writer = TranscriptWriter(database)
    hints = build_hints(settings, database, clock, bus)
    live = LiveText(
        listener,
        recognition,
        writer,
        bus=bus,
        clock=clock,
        language=settings.speech.languages[0] if settings.speech.languages else "zh",
        phrases=hints,
        read=legible,
    )
    taps = Taps(
        settings.pbx.node,
        telephony.ingest.book,
        telephony.link.actions,
        _Ears(live, listener, settings, bus, clock),
        TextRule(database),
        bus=bus,
        clock=clock,
        config=TapsConfig(most=wanted.streams),
    )
    return LiveTextPart(listener=listener, live=live, writer=writer, taps=taps, hints=hints)


NAMING_LISTS = ("organisation", "materials", "projects", "points", "speech-rules")
"""Lists (``web.live_lists``) that the company's words come from."""


def build_hints(settings: Settings, database: Database, clock: Clock, bus: Bus | None = None) -> KeptPhrases:
    """Return the company's words for the recognisers; ``run`` keeps them fresh, with a bus at once."""
    book = PhraseBook(database, clock, AuditLog(database, clock), names=SpokenNames(database))
    languages = settings.speech.languages
    language = languages[0] if languages else "zh"
    return KeptPhrases(book, language=language, bus=bus, lists=NAMING_LISTS)


async def start_live_text(part: LiveTextPart, tasks: Supervisor, database: Database) -> None:
    """Listen, and start the tasks.

    Raises:
        ConfigurationError: the address is taken.
    """
    await part.listener.start()
    async with database.session() as session:
        part.taps.hold(await paused_calls(session))
    tasks.spawn("transcripts", part.writer.run)
    tasks.spawn("speech-hints", part.hints.run)
    tasks.spawn("taps", part.taps.run)


_KIND_OF_CASE = (
    select(ServiceCase.kind)
    .join(DialAttemptRow, DialAttemptRow.case_id == ServiceCase.id)
    .where(DialAttemptRow.id == bindparam("call"))
)


class TextRule:
    """Which calls become text while they go on: by the campaign's option, else by the queue's.

    Never an internal call, nor that of a customer who objects to recordings. Calls to the customer of a case
    follow the queue that bears the name of its kind (``complaint``, ``repair``), for which its callers wait.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, call: Call) -> bool:
        """Return whether the call is to be listened to. Raises Unavailable without the database."""
        if call.direction is Direction.INTERNAL:
            return False
        number = call.to_number if call.direction is Direction.OUT else call.from_number
        try:
            async with self._database.session() as session:
                if await objects_to_recording(session, number):
                    return False
                campaign = (
                    select(CampaignRow.live_text)
                    .join(DialAttemptRow, DialAttemptRow.campaign_id == CampaignRow.id)
                    .where(DialAttemptRow.id == call.call_id)
                )
                chosen = await session.scalar(campaign)
                if chosen is None:
                    queue = call.queue or await session.scalar(_KIND_OF_CASE, {"call": call.call_id})
                    chosen = await session.scalar(select(QueueRow.live_text).where(QueueRow.name == queue))
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable("the database does not say whether a call becomes text") from error
        return bool(chosen)


class _Ears:
    """Speech, as the taps see it."""

    def __init__(
        self, live: LiveText, listener: StreamListener, settings: Settings, bus: Bus, clock: Clock
    ) -> None:
        self._live = live
        self._listener = listener
        self._host = settings.live_text.reached_at or settings.live_text.host
        self._bus = bus
        self._clock = clock

    @property
    def ready(self) -> bool:
        return self._live.available

    def expect(
        self,
        call_id: str,
        speaker: str,
        *,
        agent_number: str | None,
        call_age: timedelta,
        on_end: Callable[[str], None],
        language: str = "",
    ) -> TapPlace:
        stream = self._live.expect(
            call_id,
            speaker,
            agent_number=agent_number,
            call_age=call_age,
            on_end=on_end,
            language=language,
        )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return TapPlace(address=f"{host}:{self._listener.port}", stream=stream)

    def close(self, stream: UUID) -> None:
        self._live.close(stream)

    def merge(self, call_id: str, into: str) -> None:
        self._live.merge(call_id, into)

    def missed(
        self, call_id: str, speaker: str, start: float, end: float, *, agent_number: str | None
    ) -> None:
        self._live.missed(call_id, speaker, start, end, agent_number=agent_number)

    def paused(self, call_id: str, *, paused: bool) -> None:
        for speaker in (CUSTOMER, AGENT):
            state = "paused" if paused else "waiting"
            self._bus.publish(
                SpeechState(at=self._clock.now(), call_id=call_id, speaker=speaker, state=state)
            )
