"""Makes the audio of stock prompts; what is there already is kept, so that it may be broken off and go on."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ivr.ports import SynthesisFailed
from ivr.prompts.audio import Samples, prepared
from ivr.prompts.kokoro import KokoroSynthesiser, pace, speaker_of
from ivr.prompts.stock import (
    MANIFEST,
    SUFFIX,
    Stock,
    StockClip,
    StockDamaged,
    Wanted,
    key_of,
    manifest_text,
)
from ivr.prompts.store import write_whole
from ivr.prompts.stretch import stretched
from telephony.audio import RATE, Law, encode

SAVED_EVERY = 10

Progress = Callable[[str, int, int], None]
"""(what is being spoken, how many are ready, how many there are)."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did."""

    made: int
    kept: int
    dropped: int


async def build(
    folder: Path,
    wanted: Iterable[Wanted],
    voice: KokoroSynthesiser,
    *,
    again: bool = False,
    progress: Progress = lambda text, ready, total: None,
) -> Built:
    """Make what is missing, drop what is not wanted any more, write the manifest.

    Args:
        again: make everything anew.

    Raises:
        SynthesisFailed: a text cannot be spoken; what was made until then is kept.
        StockDamaged: the manifest that is there cannot be read.
    """
    texts = {one.key: one for one in wanted}
    stock = await asyncio.to_thread(Stock.read, folder)
    ready = {} if again else await asyncio.to_thread(_whole, stock, texts)
    kept = len(ready)
    try:
        for number, (key, one) in enumerate(texts.items()):
            if key in ready:
                continue
            progress(one.text, number, len(texts))
            spoken = ready.get(key_of(one.text, one.slower_than)) if one.slower_than else None
            if spoken is not None:
                ready[key] = await asyncio.to_thread(_slowed, folder, one, spoken)
            else:
                ready[key] = await _made(folder, one, voice)
            if len(ready) % SAVED_EVERY == 0:
                await asyncio.to_thread(_save, folder, [*_unmade(stock, ready, texts), *ready.values()])
    finally:
        await asyncio.to_thread(_save, folder, [*_unmade(stock, ready, texts), *ready.values()])
    dropped = await asyncio.to_thread(_drop, folder, {clip.file for clip in ready.values()})
    return Built(made=len(ready) - kept, kept=kept, dropped=dropped)


def _whole(stock: Stock, texts: dict[str, Wanted]) -> dict[str, StockClip]:
    found: dict[str, StockClip] = {}
    for clip in stock:
        if clip.key in texts:
            with contextlib.suppress(StockDamaged):
                stock.payload(clip)
                found[clip.key] = replace(clip, text=texts[clip.key].text)
    return found


def _unmade(stock: Stock, ready: dict[str, StockClip], texts: dict[str, Wanted]) -> list[StockClip]:
    """What an unfinished build has not come to yet stays in the manifest."""
    return [clip for clip in stock if clip.key in texts and clip.key not in ready]


async def _made(folder: Path, one: Wanted, voice: KokoroSynthesiser) -> StockClip:
    try:
        samples = await voice.synthesise(one.text, voice=one.voice.name, speed=one.voice.speed)
    except SynthesisFailed as error:
        raise SynthesisFailed(f"{one.source}: “{one.text}”: {error.message}") from error

    return await asyncio.to_thread(_written, folder, one, samples, voice.identity)


def _slowed(folder: Path, one: Wanted, spoken: StockClip) -> StockClip:
    """Slow down what was spoken at another pace; the ends are prepared anew."""
    factor = pace(spoken.voice.speed) / pace(one.voice.speed)
    samples = stretched(Stock(folder).samples(spoken), factor)
    return _written(folder, one, samples, f"{spoken.engine} slowed {factor:.3f}")


def _written(folder: Path, one: Wanted, samples: Samples, engine: str) -> StockClip:
    payload = encode(prepared(samples), Law.MU)
    name = f"{one.voice.name}-{one.voice.speed}/{one.key}{SUFFIX}"
    write_whole(folder / name, payload)
    return StockClip(
        text=one.text,
        voice=one.voice,
        file=name,
        sha256=hashlib.sha256(payload).hexdigest(),
        seconds=round(len(payload) / RATE, 2),
        speaker=speaker_of(one.voice.name) or "",
        engine=engine,
    )


def _save(folder: Path, clips: Iterable[StockClip]) -> None:
    write_whole(folder / MANIFEST, manifest_text(clips).encode())


def _drop(folder: Path, files: set[str]) -> int:
    dropped = 0
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
            dropped += 1
    return dropped
