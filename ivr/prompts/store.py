"""Audio files by content: what was made once is never made again, and no file is ever half written."""

import asyncio
import hashlib
import json
import os
import wave
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import structlog

from ivr.domain.flow import Voice
from ivr.ports import Synthesiser, SynthesisFailed
from ivr.prompts.audio import NotAudio, Samples, length_of, prepared, samples_of_wav, wav_bytes
from telephony.audio import RATE

log = structlog.get_logger(__name__)

# Part of every key: a change of the preparation makes every prompt anew.
PREPARATION = 1
MAX_RECORDING = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file for Asterisk.

    Attributes:
        path: without extension, as Asterisk wants it.
        length: how long it lasts.
    """

    path: Path
    length: timedelta


class PromptStore:
    """Clips of published prompts, kept for ever, and texts spoken during calls, the least used dropped.

    Args:
        folder: where the files are; Asterisk must be able to read it.
        synthesiser: the voice.
        spoken_limit: how many texts of calls are kept.
    """

    def __init__(self, folder: Path, synthesiser: Synthesiser, *, spoken_limit: int = 2000) -> None:
        self._clips = folder / "clips"
        self._spoken_folder = folder / "spoken"
        self._synthesiser = synthesiser
        self._spoken_limit = spoken_limit
        self._spoken: OrderedDict[str, SoundFile] = OrderedDict()
        self._making: dict[str, asyncio.Task[SoundFile]] = {}

    async def open(self) -> None:
        """Make the folders and recall what was spoken in earlier runs."""
        for sound in await asyncio.to_thread(self._recall):
            self._spoken[sound.path.name] = sound
        await self._drop_least_used()

    def _recall(self) -> list[SoundFile]:
        self._clips.mkdir(parents=True, exist_ok=True)
        self._spoken_folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._spoken_folder.glob("*.wav"), key=lambda path: path.stat().st_mtime)
        return [sound for path in files if (sound := _read(path.with_suffix(""))) is not None]

    async def clip(self, text: str, voice: Voice) -> SoundFile:
        """Return the audio of a prompt's text.

        Raises:
            SynthesisFailed: it is not there yet and cannot be made.
        """
        return await self._made(self._clips, self._key(text, voice), lambda: self._speak(text, voice))

    async def recording(self, source: Path) -> SoundFile:
        """Return a recording made fit for the telephone.

        Raises:
            SynthesisFailed: the file is no WAV, is silent, or is too big.
        """

        def load() -> tuple[str, bytes]:
            if source.stat().st_size > MAX_RECORDING:
                raise SynthesisFailed(f"recording {source.name} is too big")
            raw = source.read_bytes()
            return hashlib.sha256(raw + bytes([PREPARATION])).hexdigest()[:32], raw

        try:
            key, raw = await asyncio.to_thread(load)
            return await self._made(self._clips, key, lambda: asyncio.to_thread(samples_of_wav, raw))
        except (OSError, NotAudio) as error:
            raise SynthesisFailed(f"recording {source.name} cannot be used: {error}") from error

    def ready(self, text: str, voice: Voice) -> SoundFile | None:
        """Return the audio of a call's text if it was spoken before."""
        key = self._key(text, voice)
        known = self._spoken.get(key)
        if known is not None:
            self._spoken.move_to_end(key)
        return known

    async def spoken(self, text: str, voice: Voice, *, deadline: timedelta) -> SoundFile:
        """Return the audio of a text that is known only during the call.

        What is not ready in time is finished all the same, for the next call.

        Raises:
            SynthesisFailed: not there in time.
        """
        known = self.ready(text, voice)
        if known is not None:
            return known
        key = self._key(text, voice)
        making = self._making.get(key)
        if making is None:
            if len(self._making) >= 50:
                raise SynthesisFailed("too many texts are being spoken at once")
            making = asyncio.create_task(self._speak_spoken(key, text, voice), name="ivr speak")
            self._making[key] = making
            making.add_done_callback(lambda task: self._finished(key, task))
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                return await asyncio.shield(making)
        except TimeoutError as error:
            raise SynthesisFailed("the text was not spoken in time") from error

    async def close(self) -> None:
        """End what is still being spoken."""
        tasks = tuple(self._making.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _finished(self, key: str, task: "asyncio.Task[SoundFile]") -> None:
        self._making.pop(key, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning("ivr_text_not_spoken", error=str(task.exception()))

    async def _speak_spoken(self, key: str, text: str, voice: Voice) -> SoundFile:
        sound = await self._made(self._spoken_folder, key, lambda: self._speak(text, voice))
        self._spoken[key] = sound
        await self._drop_least_used()
        return sound

    async def _drop_least_used(self) -> None:
        while len(self._spoken) > self._spoken_limit:
            _, sound = self._spoken.popitem(last=False)
            await asyncio.to_thread(sound.path.with_suffix(".wav").unlink, missing_ok=True)

    def _key(self, text: str, voice: Voice) -> str:
        return _digest(text, voice.name, voice.speed, self._synthesiser.identity)

    async def _speak(self, text: str, voice: Voice) -> Samples:
        return await self._synthesiser.synthesise(text, voice=voice.name, speed=voice.speed)

    async def _made(self, folder: Path, key: str, make: Callable[[], Awaitable[Samples]]) -> SoundFile:
        path = folder / key
        known = await asyncio.to_thread(_read, path)
        if known is not None:
            return known
        samples = await make()

        def write() -> SoundFile:
            fit = prepared(samples)
            write_whole(path.with_suffix(".wav"), wav_bytes(fit))
            return SoundFile(path, length_of(fit))

        try:
            return await asyncio.to_thread(write)
        except (OSError, NotAudio) as error:
            raise SynthesisFailed(f"no audio could be kept: {error}") from error


@lru_cache(maxsize=4096)
def _digest(text: str, voice: str, speed: int, identity: str) -> str:
    parts = [text, voice, speed, identity, PREPARATION]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _read(path: Path) -> SoundFile | None:
    """Return a file made before; a damaged one is made again."""
    try:
        with wave.open(str(path.with_suffix(".wav")), "rb") as file:
            frames = file.getnframes()
            if file.getframerate() == RATE and frames > 0:
                return SoundFile(path, timedelta(seconds=frames / RATE))
    except (OSError, wave.Error, EOFError):
        pass
    return None
