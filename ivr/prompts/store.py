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
from typing import Protocol

import structlog

from ivr.domain.flow import Voice
from ivr.ports import Synthesiser, SynthesisFailed
from ivr.prompts.audio import NotAudio, Samples, length_of, prepared, samples_of_wav, wav_bytes
from ivr.prompts.stock import Stock, StockClip, StockDamaged
from telephony.audio import RATE

log = structlog.get_logger(__name__)

# Part of every key: a change of the preparation makes every prompt anew.
PREPARATION = 2
MAX_RECORDING = 20 * 1024 * 1024
_A_MOMENT = 0.05
_STOCK = "stock-"


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file for Asterisk.

    Attributes:
        path: without extension, as Asterisk wants it.
        length: how long it lasts.
    """

    path: Path
    length: timedelta


class BetterVoice(Synthesiser, Protocol):
    """A voice that may be there."""

    def speaks(self, voice: str) -> bool:
        """Whether it is there, and knows a flow's voice."""
        ...


class PromptStore:
    """Clips of published prompts, kept for ever, and texts spoken during calls, the least used dropped.

    What comes with the program is taken as it is; the best voice speaks the rest, and the quick one what the
    best cannot say, or not in time for a call.

    Args:
        folder: where the files are; Asterisk must be able to read it.
        synthesiser: the voice that is always there, and quick.
        best: a better one that may not be there, and takes its time.
        stock: audio that came with the program.
        spoken_limit: how many texts of calls are kept.
    """

    def __init__(
        self,
        folder: Path,
        synthesiser: Synthesiser,
        *,
        best: BetterVoice | None = None,
        stock: Stock | None = None,
        spoken_limit: int = 2000,
    ) -> None:
        self._clips = folder / "clips"
        self._spoken_folder = folder / "spoken"
        self._synthesiser = synthesiser
        self._best = best
        self._stock = stock
        self._stocked: dict[str, SoundFile] = {}
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
        stocked = await self._from_stock(text, voice)
        if stocked is not None:
            return stocked
        best = self._better(voice)
        if best is not None:
            try:
                return await self._by(best, self._clips, text, voice)
            except SynthesisFailed as error:
                # A plain voice is better than none; the next try asks the better one again.
                log.warning("ivr_better_voice_failed", error=error.message)
        return await self._by(self._synthesiser, self._clips, text, voice)

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
        """Return the audio of a call's text if it was spoken before, by the best voice there is."""
        return self._known(self._key(text, voice, self._better(voice) or self._synthesiser))

    def _known(self, key: str) -> SoundFile | None:
        known = self._spoken.get(key)
        if known is not None:
            self._spoken.move_to_end(key)
        return known

    async def spoken(
        self, text: str, voice: Voice, *, deadline: timedelta, one_voice: bool = False
    ) -> SoundFile:
        """Return the audio of a text that is known only during the call.

        What is not ready in time is finished all the same, for the next call.

        Args:
            one_voice: rather nothing than the quick voice, where there is a better one.

        Raises:
            SynthesisFailed: not there in time.
        """
        known = self.ready(text, voice) or await self._from_stock(text, voice)
        if known is not None:
            return known
        ends = asyncio.get_running_loop().time() + deadline.total_seconds()
        best = self._better(voice)
        voices = [best or self._synthesiser, *([self._synthesiser] if best and not one_voice else [])]
        # Both begin at once: while the better one is late, the quick one has long been ready.
        making = [self._begun(one, text, voice) for one in voices]
        failed: SynthesisFailed | None = None
        for one in making:
            try:
                async with asyncio.timeout_at(ends if one is making[0] else ends + _A_MOMENT):
                    return await asyncio.shield(one)
            except TimeoutError:
                continue
            except SynthesisFailed as error:
                failed = error
            except asyncio.CancelledError:
                # Ours, or what was being spoken was forgotten meanwhile: then the call goes on without it.
                task = asyncio.current_task()
                if not one.cancelled() or (task is not None and task.cancelling()):
                    raise
                failed = SynthesisFailed("the text was forgotten while it was spoken")
        raise failed or SynthesisFailed("the text was not spoken in time")

    def _begun(self, by: Synthesiser, text: str, voice: Voice) -> "asyncio.Task[SoundFile]":
        key = self._key(text, voice, by)
        making = self._making.get(key)
        if making is None:
            if len(self._making) >= 50:
                raise SynthesisFailed("too many texts are being spoken at once")
            making = asyncio.create_task(self._speak_spoken(by, key, text, voice), name="ivr speak")
            self._making[key] = making
            making.add_done_callback(lambda task: self._finished(key, task))
        return making

    async def forget_spoken(self) -> int:
        """Drop the texts of all calls, names of people among them; return how many it were.

        Which text a file holds nobody knows any more: whoever asks for one again has it spoken anew.
        """
        await self.close()
        self._spoken.clear()

        def unlink() -> int:
            files = list(self._spoken_folder.glob("*.wav"))
            for path in files:
                path.unlink(missing_ok=True)
            return len(files)

        return await asyncio.to_thread(unlink)

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

    async def _speak_spoken(self, by: Synthesiser, key: str, text: str, voice: Voice) -> SoundFile:
        sound = self._known(key) or await self._by(by, self._spoken_folder, text, voice)
        self._spoken[key] = sound
        await self._drop_least_used()
        return sound

    async def _drop_least_used(self) -> None:
        while len(self._spoken) > self._spoken_limit:
            _, sound = self._spoken.popitem(last=False)
            await asyncio.to_thread(sound.path.with_suffix(".wav").unlink, missing_ok=True)

    def sounds_like_stock(self, voice: Voice, beside: SoundFile) -> bool:
        """Whether a text spoken now would sound like ``beside``, and not like another person."""
        return not beside.path.name.startswith(_STOCK) or self._better(voice) is not None

    def _better(self, voice: Voice) -> BetterVoice | None:
        return self._best if self._best is not None and self._best.speaks(voice.name) else None

    def _key(self, text: str, voice: Voice, by: Synthesiser) -> str:
        return _digest(text, voice.name, voice.speed, by.identity)

    async def _by(self, by: Synthesiser, folder: Path, text: str, voice: Voice) -> SoundFile:
        async def speak() -> Samples:
            return await by.synthesise(text, voice=voice.name, speed=voice.speed)

        return await self._made(folder, self._key(text, voice, by), speak)

    async def _from_stock(self, text: str, voice: Voice) -> SoundFile | None:
        """Return the program's own audio, copied to where Asterisk can read it."""
        clip = self._stock.find(text, voice) if self._stock is not None else None
        if clip is None:
            return None
        known = self._stocked.get(clip.sha256)
        if known is None:
            try:
                name = f"{_STOCK}{clip.sha256[:26]}"
                known = await self._made(self._clips, name, lambda: self._copy(clip), fit=_as_it_is)
            except (StockDamaged, SynthesisFailed) as error:
                log.error("ivr_stock_prompt_unusable", file=clip.file, error=str(error)[:200])
                return None
            self._stocked[clip.sha256] = known
        return known

    async def _copy(self, clip: StockClip) -> Samples:
        stock = self._stock
        if stock is None:
            raise StockDamaged("there is no stock")
        return await asyncio.to_thread(stock.samples, clip)

    async def _made(
        self,
        folder: Path,
        key: str,
        make: Callable[[], Awaitable[Samples]],
        *,
        fit: Callable[[Samples], Samples] = prepared,
    ) -> SoundFile:
        path = folder / key
        known = await asyncio.to_thread(_read, path)
        if known is not None:
            return known
        samples = await make()

        def write() -> SoundFile:
            made = fit(samples)
            write_whole(path.with_suffix(".wav"), wav_bytes(made))
            return SoundFile(path, length_of(made))

        try:
            return await asyncio.to_thread(write)
        except (OSError, NotAudio) as error:
            raise SynthesisFailed(f"no audio could be kept: {error}") from error


def _as_it_is(samples: Samples) -> Samples:
    """Stock is fit for the telephone already."""
    return samples


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
