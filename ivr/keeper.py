"""Tries again what could not be spoken at the start: a voice that comes later is heard without a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from ivr.prompts.studio import Studio
from ivr.service import FlowLibrary


class VoiceKeeper:
    """Brings the flows into force, and the dialplan's own prompts into place, once they can be spoken.

    Args:
        library: the flows.
        studio: their audio.
        folder: where the dialplan looks for its own prompts.
        look: looks for a voice that is missing.
        first, longest: time between tries, doubled from the one to the other.
    """

    def __init__(
        self,
        library: FlowLibrary,
        studio: Studio,
        folder: Path,
        *,
        look: Callable[[], Awaitable[None]],
        first: timedelta = timedelta(seconds=2),
        longest: timedelta = timedelta(minutes=1),
    ) -> None:
        self._library = library
        self._studio = studio
        self._folder = folder
        self._look = look
        self._first = first
        self._longest = longest
        self._dialplan_whole = False

    async def run(self) -> None:
        """Try until everything can be heard, and again when something is lacking; ends by cancellation."""
        while True:
            delay = self._first
            while not await self._try():
                await asyncio.sleep(delay.total_seconds())
                delay = min(delay * 2, self._longest)
            await self._library.lacking()

    async def _try(self) -> bool:
        await self._look()
        if not self._dialplan_whole:
            self._dialplan_whole = await self._studio.write_dialplan_prompts(self._folder)
        if not self._library.whole:
            await self._library.load_active()
        return self._dialplan_whole and self._library.whole
