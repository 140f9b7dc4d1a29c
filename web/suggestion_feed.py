"""Looks at what is being said, and tells the pages beside a call that there is something new to propose."""

import asyncio
from collections.abc import Callable, Iterable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus, Lagged
from kernel.errors import HuifangError
from speech.events import SpeechHeard
from speech.rules.findings import Speaker
from speech.suggesting import Final, Suggester
from web.live_hub import LiveHub
from web.live_lists import EVENT, topic_of

log = structlog.get_logger(__name__)

LIST = "suggestions"
"""What a page names in ``data-live-list``; its key is the call."""
GATHER_SECONDS = 0.3


class SuggestionFeed:
    """One task for all calls. Frames hold ids of calls alone: what is proposed a page reads itself."""

    def __init__(self, *, bus: Bus, hub: LiveHub, suggester: Suggester) -> None:
        self.heard: Callable[[str], None] | None = None
        """Told of every call in which something was said; ``None`` for nobody."""
        self._bus = bus
        self._hub = hub
        self._suggester = suggester

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self._bus.subscribe(SpeechHeard, name="suggestion_feed", maxsize=2000) as said:
            async for first in said:
                await asyncio.sleep(GATHER_SECONDS)
                gathered = [first, *said.waiting()]
                if any(isinstance(item, Lagged) for item in gathered):
                    self._tell(())
                await self._hear([item for item in gathered if isinstance(item, SpeechHeard)])

    async def _hear(self, items: Iterable[SpeechHeard]) -> None:
        changed: set[str] = set()
        for item in items:
            final = final_of(item)
            if final is None:
                continue
            if self.heard is not None:
                self.heard(final.call_id)
            try:
                if await self._suggester.hear(final):
                    changed.add(final.call_id)
            except (SQLAlchemyError, HuifangError) as error:
                # Without rules nothing is proposed; the call goes on, and so does its text.
                log.warning("suggestions_without_rules", error=type(error).__name__)
        if changed:
            self._tell(sorted(changed))

    def tell(self, call_id: str) -> None:
        """Tell the pages beside a call that there is something new to propose."""
        self._tell((call_id,))

    def _tell(self, calls: Iterable[str]) -> None:
        self._hub.publish(topic_of(LIST), EVENT, {"name": LIST, "keys": list(calls)})


def final_of(item: SpeechHeard) -> Final | None:
    """Return what was said as the suggester wants it; nothing of what may still change."""
    if item.kind != "final" or item.speaker not in set(Speaker) or not item.text.strip():
        return None
    return Final(
        call_id=item.call_id,
        segment=item.segment_id or item.event_id,
        speaker=Speaker(item.speaker),
        text=item.text,
        at=item.at,
    )
