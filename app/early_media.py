"""What a network says before anybody answers, heard for the dialler: a tap of telephony, an ear of speech.

Asterisk tells when sound comes before the answer (``DialState``: the network answered 183). From then on the
channel that is not answered yet is listened to as people's calls are (``docs/adr/0016-taps.md``): nothing of
it stands in the call's way. Listening ends after some seconds, when something was understood, when somebody
answers, and with the channel. What is heard waits here for the end of the call; nobody waits for it.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from app.settings import Settings
from app.telephony_part import TelephonyPart
from callback_campaigns.domain.early_media import MAX_TEXT, Announcement, HeardBefore
from kernel.clock import Clock
from kernel.errors import TooMany
from kernel.ids import new_ulid
from speech.announcements import DEAD, PLAIN, Announced, Meaning, understand
from speech.buffer import BufferConfig, Gap
from speech.choice import InstalledRecognition
from speech.ear import Ear, EarConfig
from speech.listener import Ended, ListenerConfig, StreamListener
from speech.ports import BYTES_PER_SECOND, Heard, Recognition
from speech.reading import legible
from speech.tones import LOUD, Tone, ToneReader, loudness
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError
from telephony.ami.message import AmiEvent
from telephony.domain.call_id import attempted_call, named_call, rings_staff

log = structlog.get_logger(__name__)

LISTENED = Counter(
    "huifang_early_media_total", "Calls whose network had something to say, by what became of it", ["outcome"]
)
UNDERSTOOD = Counter("huifang_early_media_understood_total", "Announcements understood", ["meaning"])

EVENTS = ("DialState", "Newstate", "Hangup")
PROGRESS, RINGING, UP = "PROGRESS", "RINGING", "6"
PREFIX = "ear-"
OPTIONS = "qouES"
"""As those of live text's taps: quiet, only the far end's sound, and gone when the channel is."""
HOPELESS = frozenset({Meaning.EMPTY, Meaning.SUSPENDED, Meaning.OFF, Meaning.UNREACHABLE})
"""Nobody will answer after these."""
TONES = {Tone.BUSY: Meaning.BUSY, Tone.CONGESTION: Meaning.CONGESTION}
TONE_SURE = 0.9
_TRUNK = re.compile(r"PJSIP/trunk-[A-Za-z0-9_.-]{1,100}")
LATE = BufferConfig(limit=12.0, keep=10.0)
"""Nobody waits for these words: while a model is being loaded the sound waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyConfig:
    """Bounds and patience.

    Attributes:
        most: calls listened to at once.
        longest: so much of a call is listened to, from the first sound on.
        sound_within: a call whose sound does not come by then leaves its place to another.
        quiet: so does one that brings silence only, after so long.
        language: that announcements are made in; English ones are understood besides.
        hang_up: end calls of which it is certain that nobody will answer.
        remembered: so many calls' announcements wait for their calls' ends.
    """

    most: int = 4
    longest: timedelta = timedelta(seconds=20)
    sound_within: timedelta = timedelta(seconds=3)
    quiet: timedelta = timedelta(seconds=10)
    language: str = "zh"
    hang_up: bool = False
    remembered: int = 2000


class EarlyEars:
    """Implements :class:`callback_campaigns.dial_outcomes.EarlyMedia`. All of it belongs to one event loop.

    Args:
        address: where Asterisk reaches the listener, as ``host:port``; asked when it listens.

    Attributes:
        follows: whether a call is an attempt of ours that is not over.
        late: whether live text is behind: then nobody is listened to here.
    """

    def __init__(
        self,
        actions: AmiActions,
        listener: StreamListener,
        recognition: Recognition,
        *,
        address: Callable[[], str],
        clock: Clock,
        config: EarlyConfig | None = None,
    ) -> None:
        self.actions = actions
        self.listener = listener
        self.recognition = recognition
        self.address = address
        self.clock = clock
        self.config = config or EarlyConfig()
        self.follows: Callable[[str], bool] = lambda call_id: False
        self.late: Callable[[], bool] = lambda: False
        self._ears: dict[str, EarlyEar] = {}
        self._seen: dict[str, set[str]] = {}
        self._heard: OrderedDict[str, HeardBefore] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def listening(self) -> int:
        """Calls that are listened to now."""
        return len(self._ears)

    def heard(self, call_id: str) -> HeardBefore | None:
        """Return what was heard on a call that nobody answered."""
        return self._heard.get(call_id)

    def note(self, call_id: str, heard: HeardBefore) -> None:
        """Take what was heard on a call so far."""
        self._heard[call_id] = heard
        self._heard.move_to_end(call_id)
        while len(self._heard) > self.config.remembered:
            self._heard.popitem(last=False)

    def sink(self, item: Any, now: datetime) -> None:
        """Follow calls; to be added to the ingest for :data:`EVENTS`. Never waits."""
        if not isinstance(item, AmiEvent):
            self._seen.clear()  # Another epoch: their ends may have been missed.
            return
        match item.name:
            case "DialState":
                self._progressed(item)
            case "Newstate" if item.get("channelstate") == UP:
                self._answered(item.get("uniqueid"))
            case "Hangup":
                self._seen.pop(item.get("uniqueid"), None)

    def did(self, uniqueid: str, status: str) -> bool:
        """Tell whether a call is known to have come to :data:`RINGING` or :data:`UP`."""
        return status in self._seen.get(uniqueid, ())

    def forget(self, ear: "EarlyEar") -> None:
        """Take that an ear is closed."""
        if self._ears.get(ear.uniqueid) is ear:
            del self._ears[ear.uniqueid]

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End every ear."""
        self._closed = True
        for ear in tuple(self._ears.values()):
            ear.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _progressed(self, event: AmiEvent) -> None:
        uniqueid, channel = event.get("destuniqueid"), event.get("destchannel")
        status = event.get("dialstatus")
        if status not in {PROGRESS, RINGING} or rings_staff(uniqueid) or _TRUNK.fullmatch(channel) is None:
            return
        variables = event.variables("destchanvariable")
        call_id = attempted_call(uniqueid) or named_call(variables.get("HF_CALL", ""))
        if call_id is None or not self.follows(call_id):
            return
        seen = self._seen.setdefault(uniqueid, set())
        if status in seen:
            return
        seen.add(status)
        if status == RINGING:
            self._not_dead(call_id)
        if uniqueid not in self._ears and self._has_place(status):
            ear = self._ears[uniqueid] = EarlyEar(self, call_id, uniqueid, channel)
            ear.start()

    def _has_place(self, status: str) -> bool:
        # A network that says 180 brings sound seldom: half of the places are for those that say 183.
        most = self.config.most if status == PROGRESS else self.config.most // 2
        if self._closed or self.config.language not in self.recognition.languages:
            outcome = "no_recogniser"
        elif self.late():
            outcome = "live_text_late"
        elif len(self._ears) >= most:
            outcome = "no_place"
        else:
            return True
        LISTENED.labels(outcome).inc()
        return False

    def _not_dead(self, call_id: str) -> None:
        heard = self._heard.get(call_id)
        if heard is not None and heard.announcement is not None and _meaning(heard.announcement) in DEAD:
            self._heard[call_id] = replace(heard, announcement=None, sure=None)

    def _answered(self, uniqueid: str) -> None:
        if uniqueid in self._seen:
            self._seen[uniqueid].add(UP)
        ear = self._ears.get(uniqueid)
        if ear is not None:
            self._heard.pop(ear.call_id, None)
            ear.close()


class EarlyEar:
    """One call listened to before anybody answers: a sink of the listener, and told by an ear."""

    def __init__(self, ears: EarlyEars, call_id: str, uniqueid: str, channel: str) -> None:
        self.call_id = call_id
        self.uniqueid = uniqueid
        self._ears = ears
        self._channel = channel
        self._ear = Ear(
            ears.recognition,
            ears.config.language,
            self,
            clock=ears.clock,
            began=ears.clock.monotonic(),
            config=EarConfig(buffer=LATE),
        )
        self._tones = ToneReader()
        self._stream: UUID | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._pieces: list[tuple[str, float | None]] = []
        self._tone: Tone | None = None
        self._rang = False
        self._came = self._loud = 0
        self._closed = False

    def start(self) -> None:
        """Have the call's sound brought."""
        self._spawn(self._begin)
        self._spawn(self._watch)

    def close(self) -> None:
        """Listen no longer, and let what was not understood yet be; again does nothing."""
        self._end()
        for task in self._tasks:
            task.cancel()

    def _end(self) -> None:
        """Take no more sound; what came may still become words."""
        if not self._closed:
            self._closed = True
            self._ears.forget(self)
            if self._stream is not None:
                self._ears.listener.close(self._stream)

    async def _begin(self) -> None:
        ears = self._ears
        if self._closed:
            return
        try:
            self._stream = ears.listener.expect(self)
            await ears.actions.originate(
                f"AudioSocket/{ears.address()}/{self._stream}",
                channel_id=PREFIX + new_ulid(),
                application="ChanSpy",
                data=f"{self._channel},{OPTIONS}",
                ring_timeout=timedelta(seconds=5),
                codecs="slin",
            )
        except (AmiError, TooMany) as error:
            LISTENED.labels("failed").inc()
            log.warning("early_media_not_tapped", error=error.code)
            self._end()

    async def _watch(self) -> None:
        """A call that brings no sound does not keep its place."""
        config = self._ears.config
        await asyncio.sleep(config.sound_within.total_seconds())
        if not self._came:
            self._leave("no_sound")
            return
        await asyncio.sleep((config.quiet - config.sound_within).total_seconds())
        if not self._loud:
            self._leave("silence")

    def _leave(self, outcome: str) -> None:
        LISTENED.labels(outcome).inc()
        self._end()

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await work()
            except Exception as error:  # a border: whatever breaks here, the network's causes are there
                log.error("early_media_ear_failed", error=type(error).__name__, exc_info=True)

        task = asyncio.create_task(guarded(), name=f"early-media-{self.call_id}")
        self._tasks.append(task)
        self._ears.keep(task)

    # -- the listener's sink -------------------------------------------------------------------------

    def opened(self) -> None:
        """Take that sound follows."""
        self._spawn(self._ear.run)

    def sound(self, pcm: bytes) -> None:
        """Take sound."""
        if self._closed:
            return
        self._came += len(pcm)
        if self._loud or loudness(pcm) >= LOUD:
            self._loud += len(pcm)
        tone = self._tones.feed(pcm)
        if tone is Tone.RINGING:
            self._rang = True
        elif tone is Tone.ANNOUNCEMENT:
            self._tone = tone
        elif tone is not None:
            self._understood(Announced(TONES[tone], TONE_SURE))
            return
        self._ear.sound(pcm)
        if self._loud >= self._ears.config.longest.total_seconds() * BYTES_PER_SECOND:
            self._leave("heard_out")

    def closed(self, reason: Ended) -> None:
        """Take that nothing more comes."""
        self._ear.closed(reason)
        if not self._closed:
            self._leave("ended" if reason is Ended.HANGUP else "failed")

    # -- told by the ear -----------------------------------------------------------------------------

    def heard(self, piece: Heard, delay: float) -> None:
        """Take a text."""
        if not piece.is_final:
            return
        self._pieces.append((legible(piece.text), piece.confidence))
        found = understand(self._pieces, announced=self._tone is not None)
        if found is not None and not (found.meaning in DEAD and self._has_rung()):
            self._understood(found)
        else:
            self._ears.note(self.call_id, HeardBefore(text=self._text()))

    def missed(self, gap: Gap) -> None:
        """Take that sound is missing: what is left is understood, or not."""

    def state(self, state: str, delay: float, reason: str) -> None:
        """Take how listening goes: nobody waits."""

    def _has_rung(self) -> bool:
        """Whether a telephone rings there: then the number is not dead, whatever the music says."""
        return self._rang or self._ears.did(self.uniqueid, RINGING)

    def _text(self) -> str:
        return " ".join(text for text, _ in self._pieces)[:MAX_TEXT]

    def _understood(self, found: Announced) -> None:
        """Take what it means. Once that is certain nothing more is listened to."""
        ears, announcement = self._ears, Announcement(found.meaning.value)
        known = ears.heard(self.call_id)
        if known is None or known.announcement is not announcement:
            UNDERSTOOD.labels(found.meaning.value).inc()
            log.info("announcement_heard", call_id=self.call_id, meaning=found.meaning.value, sure=found.sure)
        ears.note(self.call_id, HeardBefore(announcement=announcement, text=self._text(), sure=found.sure))
        if found.sure >= PLAIN:
            if not self._closed:
                self._leave("understood")
            if ears.config.hang_up and found.meaning in HOPELESS:
                self._spawn(self._hang_up)

    async def _hang_up(self) -> None:
        """End a call that nobody will answer, and that only a machine listens to."""
        answered = self._ears.did(self.uniqueid, UP)
        if answered or attempted_call(self.uniqueid) is None or self._has_rung():
            return
        try:
            await self._ears.actions.hangup(self.uniqueid)
        except AmiError as error:
            log.info("hopeless_call_not_ended", call_id=self.call_id, error=error.code)
        else:
            LISTENED.labels("hung_up").inc()


def _meaning(announcement: Announcement) -> Meaning:
    return Meaning(announcement.value)


async def open_early_media(
    settings: Settings,
    telephony: TelephonyPart,
    recognition: InstalledRecognition,
    clock: Clock,
    stack: AsyncExitStack,
) -> EarlyEars | None:
    """Have what networks say listened to from now on; ``stack`` ends it. ``None`` where that is switched off.

    Raises:
        ConfigurationError: a setting of ``early_media`` is wrong, or its address is taken.
    """
    wanted = settings.early_media
    if not settings.speech.enabled or not wanted.enabled:
        return None
    listener = StreamListener(
        ListenerConfig(
            host=wanted.host,
            port=wanted.port,
            allowed_peers=wanted.allow,
            max_streams=2 * wanted.streams,
            max_connections=4 * wanted.streams + 16,
            setting="early_media",
        )
    )
    await listener.start()
    stack.push_async_callback(listener.stop)
    host = wanted.reached_at or wanted.host
    ears = EarlyEars(
        telephony.link.actions,
        listener,
        recognition,
        address=lambda: f"{f'[{host}]' if ':' in host else host}:{listener.port}",
        clock=clock,
        config=EarlyConfig(
            most=wanted.streams,
            longest=timedelta(seconds=wanted.seconds),
            language=settings.speech.languages[0] if settings.speech.languages else "zh",
            hang_up=wanted.hang_up,
        ),
    )
    stack.push_async_callback(recognition.aclose)
    stack.push_async_callback(ears.aclose)
    telephony.ingest.add_sink(ears.sink, *EVENTS)
    return ears
