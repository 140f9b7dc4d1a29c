"""Who listens to callers while a menu waits: a tap of telephony, an ear of speech, and the rule between.

``ivr``, ``telephony`` and ``speech`` do not know each other; what joins them is here. A caller in a menu is
listened to by a tap of the kind that live text has (``docs/adr/0016-taps.md``): nothing of it stands in the
way of the call, and it is gone with the socket. Nothing that is heard here is stored.
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from app.settings import Settings
from app.telephony_part import TelephonyPart
from crm.recording_consent import objects_to_recording
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import TooMany
from kernel.ids import new_ulid
from kernel.phone import Phone
from speech.buffer import Gap
from speech.ear import Ear
from speech.listener import Ended, ListenerConfig, StreamListener
from speech.ports import Heard, Recognition
from speech.reading import legible
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError

log = structlog.get_logger(__name__)

MENUS = Counter("huifang_menu_ears_total", "Menus that wanted to listen, by what became of it", ["outcome"])

PREFIX = "ear-"
"""How the uniqueid of such a tap's channel begins."""
OPTIONS = "qouES"
"""As those of live text's taps: quiet, only the caller's own voice, and gone when the caller is."""
MAX_HEARD = 200
_RISE = 0.01

Rule = Callable[[Phone | None], Awaitable[bool]]
"""Whether a caller with this number may be listened to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEarsConfig:
    """Bounds and patience.

    Attributes:
        most: callers listened to at once.
        language: that the menus are held in.
        loud: a mean of a sample above this may be a voice.
        above: so many times as loud as what the line brings all the time, and it is one.
        words_within: so long after the caller's last sound its words may still come; then only keys count.
        asked_within: how long the records may take to say whether the caller may be listened to.
    """

    most: int = 4
    language: str = "zh"
    loud: int = 250
    above: float = 2.5
    words_within: timedelta = timedelta(seconds=4)
    asked_within: timedelta = timedelta(milliseconds=500)


class MenuEars:
    """Implements :class:`ivr.ports.MenuEars`. All of it belongs to one event loop.

    Args:
        address: where Asterisk reaches the listener, as ``host:port``; asked when it listens.
        allowed: whether a caller may be listened to.
    """

    def __init__(
        self,
        actions: AmiActions,
        listener: StreamListener,
        recognition: Recognition,
        *,
        address: Callable[[], str],
        allowed: Rule,
        clock: Clock,
        config: MenuEarsConfig | None = None,
    ) -> None:
        self.actions = actions
        self.listener = listener
        self.recognition = recognition
        self.address = address
        self.allowed = allowed
        self.clock = clock
        self.config = config or MenuEarsConfig()
        self._open: set[CallerEar] = set()
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether a caller could be listened to now."""
        return (
            not self._closed
            and len(self._open) < self.config.most
            and self.config.language in self.recognition.languages
        )

    @property
    def listening(self) -> int:
        """Callers who are listened to now."""
        return len(self._open)

    def listen(
        self, channel: str, phone: Phone | None, heard: Callable[[str, float | None], None]
    ) -> "CallerEar | None":
        """Begin to listen to a channel; ``None`` where there is no place, or nobody to listen."""
        if not self.ready:
            MENUS.labels("no_place").inc()
            return None
        ear = CallerEar(self, channel, phone, heard)
        self._open.add(ear)
        ear.start()
        return ear

    def forget(self, ear: "CallerEar") -> None:
        """Take that an ear is closed."""
        self._open.discard(ear)

    async def aclose(self) -> None:
        """End every ear."""
        self._closed = True
        ears = tuple(self._open)
        for ear in ears:
            ear.close()
        await asyncio.gather(*(task for ear in ears for task in ear.tasks), return_exceptions=True)


class CallerEar:
    """One caller listened to: an :class:`ivr.ports.MenuEar`, a sink of the listener, and told by an ear."""

    def __init__(
        self, ears: MenuEars, channel: str, phone: Phone | None, heard: Callable[[str, float | None], None]
    ) -> None:
        self._ears = ears
        self._channel = channel
        self._phone = phone
        self._heard = heard
        self._ear = Ear(
            ears.recognition, ears.config.language, self, clock=ears.clock, began=ears.clock.monotonic()
        )
        self._stream: UUID | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loud_at: float | None = None
        self._floor = 0.0
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether the caller speaks, or what they said may become words in a moment."""
        if self._loud_at is None or self._closed:
            return False
        return self._ears.clock.monotonic() - self._loud_at < self._ears.config.words_within.total_seconds()

    def start(self) -> None:
        """Have the caller's sound brought."""
        self._spawn(self._begin)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What goes on for it."""
        return tuple(self._tasks)

    def close(self) -> None:
        """Listen no longer; again does nothing."""
        if not self._closed:
            self._closed = True
            self._ears.forget(self)
            if self._stream is not None:
                self._ears.listener.close(self._stream)
            for task in self._tasks:
                task.cancel()

    async def _begin(self) -> None:
        ears = self._ears
        try:
            async with asyncio.timeout(ears.config.asked_within.total_seconds()):
                allowed = await ears.allowed(self._phone)
            if not allowed:
                MENUS.labels("not_wanted").inc()
                self.close()
                return
            self._stream = ears.listener.expect(self)
            await ears.actions.originate(
                f"AudioSocket/{ears.address()}/{self._stream}",
                channel_id=PREFIX + new_ulid(),
                application="ChanSpy",
                data=f"{self._channel},{OPTIONS}",
                ring_timeout=timedelta(seconds=5),
                codecs="slin",
            )
        except (AmiError, TooMany, TimeoutError, SQLAlchemyError, OSError) as error:
            MENUS.labels("failed").inc()
            log.warning("menu_ear_not_opened", error=type(error).__name__)
            self.close()
        else:
            MENUS.labels("opened").inc()

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await work()
            except Exception as error:  # a border: whatever breaks here, the menu has its keys
                log.error("menu_ear_failed", error=type(error).__name__, exc_info=True)

        self._tasks.append(asyncio.create_task(guarded(), name="menu-ear"))

    # -- the listener's sink -------------------------------------------------------------------------

    def opened(self) -> None:
        """Take that sound follows."""
        self._spawn(self._ear.run)

    def sound(self, pcm: bytes) -> None:
        """Take sound."""
        samples, config = array("h", pcm[: len(pcm) // 2 * 2]), self._ears.config
        level = sum(map(abs, samples)) / len(samples) if samples else 0.0
        if level >= max(config.loud, config.above * self._floor):
            self._loud_at = self._ears.clock.monotonic()
        # A television is no caller: what does not cease counts for less and less, within seconds.
        self._floor = level if level < self._floor else self._floor + (level - self._floor) * _RISE
        self._ear.sound(pcm)

    def closed(self, reason: Ended) -> None:
        """Take that nothing more comes."""
        self._ear.closed(reason)

    # -- told by the ear -----------------------------------------------------------------------------

    def heard(self, piece: Heard, delay: float) -> None:
        """Take a text."""
        if piece.is_final and not self._closed:
            self._loud_at = None
            self._heard(legible(piece.text[:MAX_HEARD]), piece.confidence)

    def missed(self, gap: Gap) -> None:
        """Take that sound is missing: the keys are there."""

    def state(self, state: str, delay: float, reason: str) -> None:
        """Take how listening goes: whoever is not heard in time presses a key."""


def consent_rule(database: Database) -> Rule:
    """Return the rule that leaves alone who does not want to be recorded."""

    async def allowed(phone: Phone | None) -> bool:
        if phone is None:
            return True
        async with database.session() as session:
            return not await objects_to_recording(session, phone.e164)

    return allowed


async def open_menu_ears(
    settings: Settings,
    telephony: TelephonyPart | None,
    recognition: Recognition,
    database: Database,
    clock: Clock,
    stack: AsyncExitStack,
) -> MenuEars | None:
    """Have callers' sound taken from now on; ``stack`` ends it.

    ``None`` where that is switched off, or where another process follows the PBX: then only keys count.

    Raises:
        ConfigurationError: a setting of ``menu_speech`` is wrong, or its address is taken.
    """
    wanted = settings.menu_speech
    if telephony is None or not settings.speech.enabled or not wanted.enabled:
        return None
    listener = StreamListener(
        ListenerConfig(
            host=wanted.host,
            port=wanted.port,
            allowed_peers=wanted.allow,
            max_streams=wanted.streams,
            max_connections=4 * wanted.streams + 16,
            setting="menu_speech",
        )
    )
    await listener.start()
    stack.push_async_callback(listener.stop)
    host = wanted.reached_at or wanted.host
    ears = MenuEars(
        telephony.link.actions,
        listener,
        recognition,
        address=lambda: f"{f'[{host}]' if ':' in host else host}:{listener.port}",
        allowed=consent_rule(database),
        clock=clock,
        config=MenuEarsConfig(
            most=wanted.streams,
            language=settings.speech.languages[0] if settings.speech.languages else "zh",
        ),
    )
    stack.push_async_callback(ears.aclose)
    return ears
