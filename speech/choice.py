"""Which model listens to which language, from what is installed at the moment."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from kernel.errors import HuifangError
from speech.catalogue import Entry
from speech.engines import ENGINES
from speech.model_store import ModelStore
from speech.pool import PoolLimits, ProcessTranscriber
from speech.ports import ModelMissing, Transcriber
from speech.trade_words import TRADE_WORDS

log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
"""How often it is looked whether a warm recogniser fell or a model was installed."""


class InstalledRecognition:
    """Implements :class:`speech.ports.Recognition` over the model store.

    Args:
        languages: those that calls are held in; the first one is kept warm.
        engine: only models of this engine, "" for any.
        trade_words: words of the trade are expected, besides the phrases of a stream.
        enabled: if not, nothing is installed as far as anybody here can tell.
    """

    def __init__(
        self,
        store: ModelStore,
        limits: PoolLimits,
        *,
        languages: Sequence[str] = (),
        engine: str = "",
        enabled: bool = True,
        trade_words: bool = True,
    ) -> None:
        self.enabled = enabled
        self._words = {"zh": TRADE_WORDS} if trade_words else {}
        self._store = store
        self._limits = limits
        self._wanted = tuple(languages)
        self._engine = engine
        self._transcribers: dict[str, ProcessTranscriber] = {}
        self._trouble = ""
        self._closed = False

    @property
    def languages(self) -> frozenset[str]:
        """Languages that something installed knows."""
        return frozenset(language for entry in self._usable() for language in entry.languages)

    @property
    def trouble(self) -> str:
        """What is wrong with the recogniser that should be warm; "" if nothing is."""
        return self._trouble

    @property
    def running(self) -> tuple[ProcessTranscriber, ...]:
        """Transcribers that have been asked for."""
        return tuple(self._transcribers.values())

    def choose(self, language: str, *, background: bool = False) -> Transcriber:
        """Return the transcriber for ``language``; see the port."""
        return self._transcriber(self.entry(language, background=background))

    def entry(self, language: str, *, background: bool = False) -> Entry:
        """Return the model for ``language``.

        Live text takes one that streams, if there is one; text after the call the most accurate.

        Raises:
            ModelMissing: none is installed.
        """
        known = [entry for entry in self._usable() if language in entry.languages]
        if not known:
            raise ModelMissing(self._advice(language), language=language)
        if background:
            return max(known, key=lambda entry: entry.accuracy)
        return max(known, key=lambda entry: (ENGINES[entry.engine].streaming, entry.accuracy))

    async def keep_warm(self) -> None:
        """Have a recogniser ready for the first language, again and again; runs until it is cancelled."""
        while True:
            if self._wanted and not self._closed:
                await self._warm(self._wanted[0])
            await asyncio.sleep(LOOK_SECONDS)

    async def _warm(self, language: str) -> None:
        try:
            await self._transcriber(self.entry(language)).warm()
        except ModelMissing:
            self._trouble = ""  # nothing is installed: speech is off, not broken
        except HuifangError as error:
            if error.message != self._trouble:
                log.warning("recogniser_not_ready", error=error.message)
            self._trouble = error.message
        else:
            self._trouble = ""

    async def aclose(self) -> None:
        """End every stream and every process; nobody is listened to any more."""
        self._closed = True
        for transcriber in self._transcribers.values():
            await transcriber.aclose()
        self._transcribers.clear()

    def _usable(self) -> list[Entry]:
        if not self.enabled or self._closed:
            return []
        return [
            entry
            for entry in self._store.installed()
            if entry.engine in ENGINES and self._engine in {"", entry.engine}
        ]

    def _transcriber(self, entry: Entry) -> ProcessTranscriber:
        found = self._transcribers.get(entry.name)
        if found is None:

            def folder() -> Path:
                return self._store.folder(entry.name)

            found = ProcessTranscriber(
                entry.engine, entry.name, frozenset(entry.languages), folder, self._limits, self._words
            )
            self._transcribers[entry.name] = found
        return found

    def _advice(self, language: str) -> str:
        if not self.enabled:
            return "speech recognition is switched off: speech.enabled"
        fitting = [
            one.entry
            for one in self._store.standings()
            if one.entry.engine in ENGINES
            and language in one.entry.languages
            and self._engine in {"", one.entry.engine}
        ]
        if not fitting:
            return f"there is no model for the language {language!r}"
        names = " or ".join(f"«huifang speech install {entry.name}»" for entry in fitting)
        return f"no model for the language {language!r} is installed: run {names}"
