"""A menu that waits for a key or a word, whichever is first.

Asterisk plays and reads keys as ever; beside it somebody may listen. Whatever becomes of them, late, deaf or
busy, the menu goes on with its own patience, and a key is taken at any moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import Counter

from ivr.domain.effects import Ask, Listen, Piece, Pressed, Silence, Spoke
from ivr.ports import MenuEar, MenuEars
from kernel.phone import Phone
from telephony.agi import AgiSession

SAID = Counter("huifang_ivr_said_total", "Words of callers that menus waited for", ["outcome"])

Play = Callable[[tuple[Piece, ...], asyncio.Event], Awaitable[str | None]]
"""Plays pieces until the event is set; returns the key that stopped them."""

MAX_PARTS = 4
"""Utterances of one answer that are taken together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HearingConfig:
    """Patience with a caller who speaks.

    Attributes:
        slice: how long Asterisk waits for a key before it is looked whether something was said.
        longest: who goes on speaking is waited for so long after the menu's wait.
    """

    slice: timedelta = timedelta(milliseconds=200)
    longest: timedelta = timedelta(seconds=5)


class Hearing:
    """Listens to one caller through the menus of a flow. Close it when the flow is left.

    Args:
        channel: the caller's channel.
        phone: the caller's number.
    """

    def __init__(
        self, ears: MenuEars, channel: str, phone: Phone | None, config: HearingConfig | None = None
    ) -> None:
        self._ears = ears
        self._channel = channel
        self._phone = phone
        self._config = config or HearingConfig()
        self._ear: MenuEar | None = None
        self._listen: Listen | None = None
        self._parts: list[tuple[str, float | None]] = []
        self._meant = asyncio.Event()

    def rest(self) -> None:
        """Listen no longer until the next menu."""
        ear, self._ear, self._listen = self._ear, None, None
        if ear is not None:
            ear.close()

    async def ask(
        self, session: AgiSession, effect: Ask, listen: Listen, play: Play
    ) -> Pressed | Silence | Spoke:
        """Ask a menu's question; return the key, the words, or that there was nothing."""
        self._listen, self._parts, self._meant = listen, [], asyncio.Event()
        if self._ear is None:
            self._ear = self._ears.listen(self._channel, self._phone, self._take)
        key = await play(effect.pieces, self._meant)
        key = key or await self._wait(session, effect.wait)
        if key:
            SAID.labels("key").inc()
            return Pressed(key)
        if not self._parts:
            return Silence()
        SAID.labels("meant" if self._meant.is_set() else "not_meant").inc()
        return self._said()

    async def _wait(self, session: AgiSession, wait: timedelta) -> str | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + wait.total_seconds()
        latest = end + self._config.longest.total_seconds()
        known = len(self._parts)
        while not self._meant.is_set():
            now = loop.time()
            pending = self._ear is not None and self._ear.pending
            if pending:
                end = max(end, min(now + self._config.slice.total_seconds(), latest))
            elif len(self._parts) > known:
                return None  # a whole answer that means nothing here
            left = end - now
            if left <= 0:
                return None
            key = await session.wait_for_digit(min(self._config.slice, timedelta(seconds=left)))
            if key:
                return key
        return None

    def _take(self, text: str, confidence: float | None) -> None:
        """Take what was said; told at any time."""
        if self._listen is None or not text or self._listen.echoes(text):
            return
        self._parts = [*self._parts[1 - MAX_PARTS :], (text, confidence)]
        said = self._said()
        if self._listen.means(text, confidence) or self._listen.means(said.text, said.confidence):
            self._meant.set()

    def _said(self) -> Spoke:
        known = [confidence for _, confidence in self._parts if confidence is not None]
        return Spoke("，".join(text for text, _ in self._parts), min(known) if known else None)
