"""What callers hear before they wait: messages that are on, how many are before them, how long it may take.

All of it is spoken beforehand; what has no audio yet is left out, and nobody waits for it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from ivr.domain.flow import Voice
from ivr.domain.languages import DEFAULT, LANGUAGES
from ivr.line_messages import LineMessage, MessageKind, Then
from ivr.ports import SynthesisFailed
from ivr.prompts.store import SoundFile
from kernel.clock import Clock
from kernel.spoken import spoken_count
from kernel.spoken_en import spoken_integer_en

log = structlog.get_logger(__name__)

LOOK = timedelta(seconds=2)
MOST_AHEAD = 10
"""More are not counted out to anybody."""
MINUTES = (1, 2, 3, 5, 8, 10, 15, 20, 30)
"""What is said: the next of these; longer waits are not foretold."""
MAKING = timedelta(seconds=20)

SAID = Counter("huifang_line_words_total", "What callers were told before they waited", ["what"])
UNSAID = Counter("huifang_line_words_missing_total", "What had no audio when it was to be said", ["what"])


class MessagesOn(Protocol):
    """Which messages are on (:class:`ivr.line_messages.LineMessages`)."""

    async def in_force(self) -> tuple[LineMessage, ...]:
        """Return the messages callers are told now."""
        ...


class Speaking(Protocol):
    """Audio of texts (:class:`ivr.prompts.store.PromptStore`)."""

    async def clip(self, text: str, voice: Voice) -> SoundFile:
        """Return the audio of a text. Raises SynthesisFailed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one caller is told, and what follows."""

    files: tuple[Path, ...] = ()
    then: Then = Then.QUEUE


def ahead_text(ahead: int, language: str) -> str:
    """Return the sentence that says how many are before somebody."""
    if language == "en":
        if ahead == 0:
            return "You are next in line."
        people = "one caller" if ahead == 1 else f"{spoken_integer_en(ahead)} callers"
        return f"There {'is' if ahead == 1 else 'are'} {people} before you."
    return "您是下一位。" if ahead == 0 else f"您前面还有{spoken_count(ahead)}位客户。"


def wait_text(minutes: int, language: str) -> str:
    """Return the sentence that says how long it will take."""
    if language == "en":
        unit = "minute" if minutes == 1 else "minutes"
        return f"The expected waiting time is about {spoken_integer_en(minutes)} {unit}."
    return f"预计等待约{spoken_count(minutes)}分钟。"


def told_minutes(wait: timedelta | None) -> int | None:
    """Return what is said of a wait, never less than it is; ``None`` for nothing."""
    if wait is None or wait <= timedelta(0):
        return None
    return next((one for one in MINUTES if timedelta(minutes=one) >= wait), None)


class LineWords:
    """Keeps the audio of what is told, and says what to play for one caller."""

    def __init__(self, messages: MessagesOn, speaking: Speaking, clock: Clock) -> None:
        self._messages = messages
        self._speaking = speaking
        self._clock = clock
        self._on: tuple[LineMessage, ...] = ()
        self._sounds: dict[tuple[str, str], Path] = {}
        self._fixed = frozenset(
            (code, text)
            for code in LANGUAGES
            for text in (
                *(ahead_text(ahead, code) for ahead in range(MOST_AHEAD + 1)),
                *(wait_text(minutes, code) for minutes in MINUTES),
            )
        )

    def for_caller(
        self, queue: str, language: str, now: datetime, *, ahead: int | None, wait: timedelta | None
    ) -> Words:
        """Return what to tell; at once and from memory.

        Args:
            ahead: how many are before them; ``None`` where it is not to be said.
            wait: how long it will take; ``None`` where nobody can say.
        """
        language = language if language in LANGUAGES else DEFAULT
        files: list[Path] = []
        then = Then.QUEUE
        order = list(MessageKind)
        for message in sorted(self._on, key=lambda one: order.index(one.kind)):
            if not message.is_on(now) or message.queue not in ("", queue):
                continue
            text = message.text_en if language == "en" else message.text_zh
            sound = self._sounds.get((language, text))
            if text:
                (SAID if sound else UNSAID).labels(message.kind.value).inc()
            files += [sound] if sound else []
            if message.then is not Then.QUEUE and (sound or not text):
                return Words(files=tuple(files), then=message.then)
        if ahead is not None and ahead <= MOST_AHEAD:
            files += self._sentence("ahead", ahead_text(ahead, language), language)
        minutes = told_minutes(wait)
        if minutes is not None:
            files += self._sentence("wait", wait_text(minutes, language), language)
        return Words(files=tuple(files), then=then)

    def _sentence(self, what: str, text: str, language: str) -> list[Path]:
        sound = self._sounds.get((language, text))
        (SAID if sound else UNSAID).labels(what).inc()
        return [sound] if sound else []

    def ahead_sound(self, language: str, ahead: int) -> Path | None:
        """Return the audio (no extension) that says how many are before somebody; ``None`` until spoken."""
        return self._sounds.get((language, ahead_text(ahead, language)))

    async def look(self) -> None:
        """Read which messages are on, and speak what has no audio."""
        try:
            self._on = await self._messages.in_force()
        except (SQLAlchemyError, OSError) as error:
            log.warning("line_messages_not_read", error=type(error).__name__)
        wanted = {(DEFAULT, one.text_zh) for one in self._on} | {("en", one.text_en) for one in self._on}
        for key in self._sounds.keys() - self._fixed - wanted:
            del self._sounds[key]
        for language, text in sorted(wanted):
            await self._speak(text, language)

    async def prepare(self) -> None:
        """Speak what callers are told of their place."""
        for language, text in sorted(self._fixed):
            await self._speak(text, language)
            # Whoever switches something on now does not wait for all of these.
            await self.look()

    async def _speak(self, text: str, language: str) -> None:
        if not text or (language, text) in self._sounds:
            return
        try:
            async with asyncio.timeout(MAKING.total_seconds()):
                sound = await self._speaking.clip(text, _VOICES[language])
        except (SynthesisFailed, TimeoutError) as error:
            log.warning("line_words_not_spoken", language=language, error=str(error)[:200])
            return
        self._sounds[language, text] = sound.path

    async def run(self) -> None:
        """Prepare, then look again and again, until cancelled."""
        await self.look()
        await self.prepare()
        while True:
            await asyncio.sleep(LOOK.total_seconds())
            await self.look()


_VOICES: Mapping[str, Voice] = {
    code: Voice() if code == DEFAULT else Voice(name=language.voice) for code, language in LANGUAGES.items()
}
