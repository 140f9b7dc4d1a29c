"""The voices of the menus: an espeak-ng that may not be there yet, or may go away; Kokoro if installed."""

import asyncio
from datetime import timedelta
from pathlib import Path

import structlog

from app.pbx import prompts_dir
from app.runtime import Runtime
from app.runtime.errors import RuntimeSetupError
from app.runtime.espeak import find_espeak
from app.runtime.tool import Tool
from app.settings import Settings
from app.speech_part import models_dir
from ivr.ports import VoiceMissing
from ivr.prompts.audio import Samples
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.kokoro import MODEL_FILE, KokoroSynthesiser
from ivr.prompts.stock import shipped
from ivr.prompts.store import PromptStore, write_whole

log = structlog.get_logger(__name__)

MEND = "install espeak-ng 1.52 or newer, or name the program with HUIFANG_VOICE__ESPEAK=…"


async def needed_espeak(settings: Settings) -> Tool:
    """Return the program that speaks, unpacking it where the host has none.

    Raises:
        RuntimeSetupError: there is none; the message says what to do.
    """
    if not settings.voice.espeak:
        return (await Runtime.ensure(settings.runtime_dir, need={"espeak"})).espeak
    found = await find_espeak(settings.voice.espeak, settings.runtime_dir)
    if found is None:
        raise RuntimeSetupError(f"voice.espeak: {settings.voice.espeak} is no espeak-ng that runs: {MEND}")
    return found


def espeak_voice(tool: Tool) -> EspeakSynthesiser:
    """Return the program as a voice."""
    return EspeakSynthesiser(tool.command(), version=tool.version, environment=tool.env())


KOKORO_MODEL = "voice-zh"
"""Its name in the store of models."""


def kokoro_model(settings: Settings) -> Path:
    """Return where Kokoro's weights are, once they are installed."""
    return models_dir(settings) / KOKORO_MODEL / MODEL_FILE


async def kokoro_voice(settings: Settings, *, model: Path | None, timeout: timedelta) -> KokoroSynthesiser:
    """Return Kokoro for a command, with an espeak-ng to read English for it where there is one.

    Args:
        model: its weights, in place of those that are installed.
    """
    espeak = await find_espeak(settings.voice.espeak, settings.runtime_dir)
    english = espeak_voice(espeak).ipa if espeak else None
    return KokoroSynthesiser(model or kokoro_model(settings), english=english, timeout=timeout)


def prompt_store(folder: Path, voice: "Voice") -> PromptStore:
    """Return the audio in a folder: the program's own, else by the best voice; ``open`` it before use."""
    return PromptStore(folder, voice, best=voice.best, stock=shipped())


class Voice:
    """Implements :class:`ivr.ports.Synthesiser` with the espeak-ng that is there at the moment.

    ``best`` is Kokoro, which speaks once its model is installed.

    Which one spoke last is remembered in the prompts' folder: what it made is found again even while it is
    missing.

    Args:
        espeak: the program; ``None`` if it is still to be found with :meth:`look`.
    """

    def __init__(self, settings: Settings, espeak: Tool | None) -> None:
        self._settings = settings
        self._engine = espeak_voice(espeak) if espeak else None
        self._memory: Path = prompts_dir(settings) / "voice"
        self._last_identity = "none"
        self._told = False
        self._fetched = bool(settings.voice.espeak)
        self.best = KokoroSynthesiser(kokoro_model(settings), english=self._ipa)

    @property
    def identity(self) -> str:
        """Engine and version, or those of the last one that spoke here."""
        return self._engine.identity if self._engine else self._last_identity

    async def recall(self) -> None:
        """Read which voice spoke last, or write down which one speaks now."""
        try:
            if self._engine is not None:
                await asyncio.to_thread(write_whole, self._memory, self._engine.identity.encode())
            else:
                self._last_identity = await asyncio.to_thread(self._memory.read_text, "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            log.debug("voice_not_remembered", error=type(error).__name__)

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        """Speak; see :class:`EspeakSynthesiser`.

        Raises:
            VoiceMissing: there is no espeak-ng.
            SynthesisFailed: it gave no audio.
        """
        engine = self._engine
        try:
            if engine is None:
                raise VoiceMissing("there is no espeak-ng that runs")
            return await engine.synthesise(text, voice=voice, speed=speed)
        except VoiceMissing as error:
            if engine is not None and self._engine is engine:
                self._engine, self._last_identity = None, engine.identity
            self._tell(error)
            raise

    async def _ipa(self, text: str, voice: str) -> str:
        if self._engine is None:
            raise VoiceMissing("English needs espeak-ng")
        return await self._engine.ipa(text, voice)

    async def close(self) -> None:
        """End the better voice's process."""
        await self.best.close()

    def _tell(self, error: VoiceMissing) -> None:
        if not self._told:
            self._told = True
            log.error(
                "voice_missing",
                error=error.message,
                callers="of a menu without prompts hear a chime and go to the default queue",
                mend=f"{MEND}; it is found without a restart",
            )

    async def look(self) -> None:
        """Look for the program if it is missing; the first time it is fetched if need be and possible."""
        if self._engine is not None:
            return
        found = await find_espeak(self._settings.voice.espeak, self._settings.runtime_dir)
        if found is None and not self._fetched:
            self._fetched = True
            try:
                found = await needed_espeak(self._settings)
            except RuntimeSetupError as error:
                log.warning("voice_not_fetched", error=error.message)
        if found is not None:
            self._engine, self._told = espeak_voice(found), False
            log.info("voice_found", program=str(found.program), version=found.version)
            await self.recall()
