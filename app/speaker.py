"""Speaks prompts for the pages: a manager hears a question before a customer does."""

import asyncio
from pathlib import Path

from app.pbx import prompts_dir
from app.settings import Settings
from app.voice import Voice, prompt_store
from ivr.domain import flow


class Speaker:
    """Makes a WAV of a text, with the voice that callers hear; what was spoken once is kept."""

    def __init__(self, settings: Settings) -> None:
        self._voice = Voice(settings, None)
        self._store = prompt_store(prompts_dir(settings), self._voice)
        self._opening = asyncio.Lock()
        self._opened = False

    async def __call__(self, text: str) -> Path:
        """Return the file.

        Raises:
            SynthesisFailed: there is no voice, or it gave no audio.
        """
        async with self._opening:
            if not self._opened:
                await self._store.open()
                self._opened = True
            await self._voice.look()
        sound = await self._store.clip(text, flow.Voice())
        return sound.path.with_suffix(".wav")
