"""Pauses of recordings in the process that follows the PBX: the keeper, and the watch that begins them."""

import re
from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.settings import Settings
from app.telephony_part import TelephonyPart
from kernel.access import Actor
from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from kernel.supervise import Supervisor
from speech.events import AGENT, SpeechHeard
from speech.ports import PieceKind
from speech.reading.sensitive import LABELS, Watch
from telephony.events import CallEnded, ListeningResumed
from telephony.pause_keeper import PauseKeeper
from telephony.recording_pauses import RecordingPauses

log = structlog.get_logger(__name__)

MOST_CALLS = 500
QUIET = timedelta(seconds=10)
"""After a pause nothing begins another for so long: its last words are still being heard."""
_NUMBER = "(?:银行卡|信用卡|储蓄卡|借记卡|卡|身份证|证件)(?:的)?(?:卡)?(?:号码|号)"
_ASKED = re.compile(
    f"(?:报|念|说|读|提供|告诉|发|给|需要|核对|登记)[^，。？]{{0,12}}{_NUMBER}"
    f"|{_NUMBER}(?:是多少|多少|报|念|说|告诉|提供|给我|吗|呢)"
    r"|(?:card|account) number (?:please|is)|(?:your|the) (?:bank |credit |debit )?card number",
    re.IGNORECASE,
)


def asks_for_number(text: str) -> bool:
    """Tell whether an agent's words ask for the number of a card."""
    return _ASKED.search(text) is not None


def build_pauses(settings: Settings, database: Database, clock: Clock, bus: Bus) -> RecordingPauses:
    """Return what begins and ends pauses, as the settings have it."""
    wanted = settings.recording_pause
    return RecordingPauses(
        database,
        clock,
        bus,
        longest=timedelta(seconds=wanted.seconds),
        automatic=timedelta(seconds=wanted.automatic_seconds),
    )


def start_pauses(
    settings: Settings,
    telephony: TelephonyPart,
    database: Database,
    clock: Clock,
    bus: Bus,
    tasks: Supervisor,
) -> None:
    """Keep pauses, and begin them when a number is being said if that is wanted."""
    pauses = build_pauses(settings, database, clock, bus)
    keeper = PauseKeeper(
        settings.pbx.node,
        telephony.ingest.book,
        telephony.link.actions,
        pauses,
        database=database,
        bus=bus,
        clock=clock,
    )
    tasks.spawn("recording-pauses", keeper.run)
    if settings.recording_pause.automatic:
        watch = NumberWatch(pauses, bus, clock)
        tasks.spawn("number-watch", watch.run)


@dataclass(slots=True)
class _Heard:
    watches: dict[str, Watch] = field(default_factory=dict)
    quiet_until: datetime | None = None


class NumberWatch:
    """Pauses a call when its live text hears that a card's number is asked for, or being said."""

    def __init__(self, pauses: RecordingPauses, bus: Bus, clock: Clock) -> None:
        self._pauses = pauses
        self._bus = bus
        self._clock = clock
        self._calls: OrderedDict[str, _Heard] = OrderedDict()

    async def run(self) -> None:
        """Listen until cancelled."""
        heard = (SpeechHeard, ListeningResumed, CallEnded)
        async with self._bus.subscribe(*heard, name="number_watch", maxsize=1000) as events:
            async for event in events:
                match event:
                    case SpeechHeard():
                        await self.hear(event)
                    case ListeningResumed():
                        self._calls[event.call_id] = _Heard(quiet_until=self._clock.now() + QUIET)
                    case CallEnded():
                        self._calls.pop(event.call_id, None)
                    case Lagged() | _:
                        pass

    async def hear(self, event: SpeechHeard) -> None:
        """Take what was said, also what may still change."""
        known = self._calls.setdefault(event.call_id, _Heard())
        self._calls.move_to_end(event.call_id)
        while len(self._calls) > MOST_CALLS:
            self._calls.popitem(last=False)
        watch = known.watches.setdefault(event.speaker, Watch())
        if event.kind != PieceKind.FINAL.value:
            watch = deepcopy(watch)
        found = watch.feed(event.segment_id or "partial", event.text)
        hidden = any(label in event.text for label in LABELS.values())
        asked = event.speaker == AGENT and asks_for_number(event.text)
        if not (found or hidden or asked or watch.suspect):
            return
        now = self._clock.now()
        if known.quiet_until is not None and now < known.quiet_until:
            return
        known.quiet_until = now + QUIET
        try:
            await self._pauses.pause(Actor.system("card-watch"), event.call_id, automatic=True)
        except HuifangError as error:
            log.warning("pause_not_begun", call_id=event.call_id, error=error.code)
