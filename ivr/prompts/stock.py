"""Prompts that come with the program: their audio, and the manifest that says which text each of them is.

The files are G.711 μ-law at 8 kHz, what a telephone line carries anyway, at half the size of WAV. ``huifang
voices build`` makes them, ``huifang voices check`` proves them (``docs/voices.md``).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ivr.domain.flow import Voice
from ivr.prompts.audio import Samples
from telephony.audio import RATE, Law, decode

FOLDER = Path(__file__).parent / "stock"
MANIFEST = "manifest.json"
FORMAT = 1
SUFFIX = ".ulaw"

# A comma is a comma: how it is typed is not heard.
_PUNCTUATION = str.maketrans(",;:!?", "，；：！？")


class StockDamaged(ValueError):
    """The manifest cannot be read, or a file is not what it says."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text that has to have audio.

    Attributes:
        source: where it is spoken, for messages.
        slower_than: the same text is wanted at this pace too, and is only slowed down.
    """

    text: str
    voice: Voice
    source: str = ""
    slower_than: Voice | None = None

    @property
    def key(self) -> str:
        """The same for texts that sound the same."""
        return key_of(self.text, self.voice)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockClip:
    """One line of the manifest.

    Attributes:
        file: below the manifest's folder.
        speaker: who speaks, in the engine's own words.
        engine: engine, weights and reading.
    """

    text: str
    voice: Voice
    file: str
    sha256: str
    seconds: float
    speaker: str
    engine: str

    @property
    def key(self) -> str:
        """See :attr:`Wanted.key`."""
        return key_of(self.text, self.voice)


class Stock:
    """What is there.

    Args:
        folder: with the manifest; without one the stock is empty.
    """

    def __init__(self, folder: Path, clips: Iterable[StockClip] = ()) -> None:
        self.folder = folder
        self._clips = {clip.key: clip for clip in clips}

    @classmethod
    def read(cls, folder: Path = FOLDER) -> "Stock":
        """Read the manifest.

        Raises:
            StockDamaged: it is there and cannot be read.
        """
        try:
            content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError) as error:
            raise StockDamaged(f"{MANIFEST}: {error}") from error
        try:
            if content["format"] != FORMAT:
                raise StockDamaged(f"{MANIFEST}: format {content['format']} is not {FORMAT}")
            return cls(folder, map(_clip_of, content["prompts"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise StockDamaged(f"{MANIFEST}: {type(error).__name__} {error}") from error

    def __iter__(self) -> Iterator[StockClip]:
        return iter(self._clips.values())

    def __len__(self) -> int:
        return len(self._clips)

    def find(self, text: str, voice: Voice) -> StockClip | None:
        """Return the clip of a text in a voice."""
        return self._clips.get(key_of(text, voice))

    def samples(self, clip: StockClip) -> Samples:
        """Return the sound, fit for the telephone as it is. Raises StockDamaged."""
        return decode(self.payload(clip), Law.MU)

    def payload(self, clip: StockClip) -> bytes:
        """Return the file as it is.

        Raises:
            StockDamaged: it is missing or is not what the manifest says.
        """
        try:
            payload = (self.folder / clip.file).read_bytes()
        except OSError as error:
            raise StockDamaged(f"{clip.file}: {error.strerror}") from error
        if hashlib.sha256(payload).hexdigest() != clip.sha256:
            raise StockDamaged(f"{clip.file}: not the file of the manifest")
        return payload

    def problems(self, wanted: Iterable[Wanted]) -> list[str]:
        """Return what is wrong: texts without audio, audio without a text, files that differ."""
        texts = {one.key: one for one in wanted}
        found = [
            f"no audio: {one.source}: {one.text} ({one.voice.name}, {one.voice.speed})"
            for key, one in texts.items()
            if key not in self._clips
        ]
        found += [
            f"no text: {clip.file}: {clip.text}" for key, clip in self._clips.items() if key not in texts
        ]
        for clip in self:
            try:
                if round(len(self.payload(clip)) / RATE, 2) != clip.seconds:
                    found.append(f"{clip.file}: lasts other than {clip.seconds} s")
            except StockDamaged as error:
                found.append(str(error))
        known = {clip.file for clip in self}
        files = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob(f"*{SUFFIX}")}
        return found + [f"not in the manifest: {name}" for name in sorted(files - known)]


def key_of(text: str, voice: Voice) -> str:
    """Return what a text in a voice is found by."""
    said = " ".join(text.translate(_PUNCTUATION).split())
    return hashlib.sha256(json.dumps([said, voice.name, voice.speed]).encode()).hexdigest()[:20]


def _clip_of(line: Mapping[str, object]) -> StockClip:
    name, _, speed = str(line["voice"]).rpartition("@")
    return StockClip(
        text=str(line["text"]),
        voice=Voice(name=name, speed=int(speed)),
        file=str(line["file"]),
        sha256=str(line["sha256"]),
        seconds=float(str(line["seconds"])),
        speaker=str(line["speaker"]),
        engine=str(line["engine"]),
    )


def manifest_text(clips: Iterable[StockClip]) -> str:
    """Return the manifest: one line a prompt, in a fixed order, so that a change shows as one."""
    lines = [
        json.dumps(
            {
                "text": clip.text,
                "voice": f"{clip.voice.name}@{clip.voice.speed}",
                "file": clip.file,
                "sha256": clip.sha256,
                "seconds": clip.seconds,
                "speaker": clip.speaker,
                "engine": clip.engine,
            },
            ensure_ascii=False,
        )
        for clip in sorted(clips, key=lambda one: (one.voice.name, one.voice.speed, one.text))
    ]
    return (
        f'{{"format": {FORMAT}, "rate": {RATE}, "law": "{Law.MU}", "prompts": [\n'
        + ",\n".join(lines)
        + "\n]}\n"
    )


@cache
def shipped() -> Stock:
    """Return the stock that came with the program; an unreadable one counts as none at all."""
    return Stock.read()
