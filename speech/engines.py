"""Which engines there are, and what an engine is: the side of the recogniser's process.

A new engine is one module with a function ``load``, and one row of :data:`ENGINES`.
"""

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

from speech.wire import Said


class Listener(Protocol):
    """One speaker's ear. Used by one thread at a time."""

    def hear(self, pcm: bytes) -> Iterable[Said]:
        """Listen to whole samples and return what was heard. The number of bytes is any."""
        ...

    def finish(self) -> Iterable[Said]:
        """Return what is left, once no more sound comes."""
        ...


class Engine(Protocol):
    """An engine with its model in memory. Its listeners are used by several threads at once."""

    def listener(self, language: str, phrases: Sequence[str], *, thorough: bool) -> Listener:
        """Return an ear that has heard nothing.

        Args:
            thorough: nobody waits for the text: what costs time and makes it better is done.
        """
        ...

    def release(self, listener: Listener) -> None:
        """Take an ear back, in whatever state; called once for each."""
        ...

    def prepare(self) -> bool:
        """Do a part of what the next speaker would wait for; return whether more is left to do.

        Called while nobody is listened to; takes less than a second.
        """
        ...


class LoadEngine(Protocol):
    """The function ``load`` of an engine's module."""

    def __call__(self, folder: Path, *, threads: int, warm: int) -> Engine:
        """Load the model.

        Args:
            folder: the model's files.
            threads: how many threads will listen at once.
            warm: how many ears are kept ready. One for each thread is there at once, others come with
                :meth:`Engine.prepare`.

        Raises:
            ImportError: the engine's library is missing.
            ModelUnfit: the model cannot be used.
        """
        ...


class ModelUnfit(Exception):
    """The model's files are damaged or not of a kind that this engine reads; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """What is known of an engine before it runs.

    Attributes:
        module: where its ``load`` is.
        library: the Python package it needs, for the message that says so.
        piece_seconds: sound is given to it in pieces of exactly so much, whatever the sizes it came in: the
            same sound yields the same text.
        silent_for: it may work this long on one piece; longer means that it hangs.
    """

    module: str
    library: str
    streaming: bool
    partials: bool
    word_times: bool
    phrases: bool
    piece_seconds: float
    silent_for: timedelta


def load_engine(module: str, folder: Path, *, threads: int, warm: int) -> Engine:
    """Load a model with the engine in ``module``; see :class:`LoadEngine`."""
    load = cast("LoadEngine", importlib.import_module(module).load)
    return load(folder, threads=threads, warm=warm)


ENGINES: dict[str, EngineKind] = {
    "vosk": EngineKind(
        module="speech.vosk_engine",
        library="vosk",
        streaming=True,
        partials=True,
        word_times=True,
        # A grammar forbids every other word: it is no hint. What sounds like a phrase is mended afterwards.
        phrases=False,
        piece_seconds=0.1,
        silent_for=timedelta(seconds=20),
    ),
    "whisper": EngineKind(
        module="speech.whisper_engine",
        library="ctranslate2",
        streaming=False,
        partials=False,
        word_times=True,
        # Measured: words given before the sound make the rest of the text no better, and silence says them.
        phrases=False,
        piece_seconds=0.256,
        silent_for=timedelta(seconds=120),
    ),
}
