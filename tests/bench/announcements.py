"""How well is understood what networks say before anybody answers, and that nothing else is taken for it.

``tests/data/speech/announcements.tsv`` holds announcements in the wording of the three Chinese carriers, and
besides them what is heard there, too: ring-back tunes sung, advertisements, people, announcements about other
things. Only its ``held`` part is measured; ``speech/announcements.py`` was made with the others
(``ANNOUNCEMENTS_PART=tune``). Each is spoken by a voice (eight of Kokoro in turn, English by espeak-ng), goes
through μ-law at 8 kHz once clean and once with noise 15 dB below the voice, through the real recogniser
(Whisper base, behind the voice detector), and is understood piece by piece as before the answer. *Right*: the
call's outcome is what was announced. *None*: it stays unclear, and the network's cause counts. *Wrong*:
another outcome; ``lost`` are those by which a number would not be dialled any more. ``others``: what is no
announcement. The voices are synthetic, and speak more clearly than a bad line does.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from app.runtime import Runtime
from app.runtime.tool import ALL_TOOLS
from callback_campaigns.domain.early_media import OUTCOMES, Announcement
from callback_campaigns.domain.terms import Outcome
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.kokoro import MODEL_FILE
from ivr.prompts.kokoro_child import Speaker
from speech.announcements import PLAIN, Announced, understand
from speech.choice import InstalledRecognition
from speech.model_store import ModelStore
from speech.pool import PoolLimits
from speech.ports import BYTES_PER_SECOND
from speech.reading import legible
from tests.bench.menu_choice import DATA, ESPEAK, SPEAKERS, Saying, Speakers, over_the_line, voices_in
from tests.bench.report import at_most, report
from tests.support.models import installed, models_folder
from tests.support.runtime import runtime_folder

LIMIT_SECONDS = 3600
PART = os.environ.get("ANNOUNCEMENTS_PART", "held")
VOICES = tuple(speaker for speaker in SPEAKERS if speaker != ESPEAK)
PACE = (0.9, 1.0, 1.1)
NONE = "none"
ENGLISH_WORDS_A_MINUTE = 150
BETWEEN = array("h", bytes(BYTES_PER_SECOND // 2))


class Row(NamedTuple):
    """One announcement, or what is none."""

    meaning: str
    spoken: str
    mandarin: str
    english: str

    @property
    def outcome(self) -> Outcome | None:
        """What the call comes to."""
        return None if self.meaning == NONE else OUTCOMES[Announcement(self.meaning)]


def rows() -> list[Row]:
    """What is measured, in the order of the file."""
    lines = (DATA / "announcements.tsv").read_text(encoding="utf-8").splitlines()
    parts = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Row(*part[1:]) for part in parts if part[0] == PART]


async def spoken(speakers: Speakers, espeak: EspeakSynthesiser, row: Row, number: int) -> "array[int]":
    """Speak it, the Mandarin first."""
    samples = array("h")
    if row.spoken != "en":
        saying = Saying("", row.mandarin, VOICES[number % len(VOICES)], PACE[number // len(VOICES) % 3])
        samples += await speakers.say(saying)
    if row.spoken != "zh":
        samples += BETWEEN if samples else array("h")
        samples += await espeak.synthesise(row.english, voice="en", speed=ENGLISH_WORDS_A_MINUTE)
    return samples


async def understood(recognition: InstalledRecognition, pcm: bytes) -> tuple[Announced | None, str]:
    """Understand it as before the answer: piece by piece, until it is certain."""
    pieces: list[tuple[str, float | None]] = []
    found: Announced | None = None
    async with await recognition.choose("zh").open("zh") as stream:
        await stream.feed(pcm)
        await stream.finish()
        async for piece in stream.heard():
            if not piece.is_final:
                continue
            pieces.append((legible(piece.text), piece.confidence))
            if found is None or found.sure < PLAIN:
                found = understand(pieces) or found
    return found, " ".join(text for text, _ in pieces)


def judged(row: Row, found: Announced | None) -> str:
    """How it went."""
    outcome = OUTCOMES[Announcement(found.meaning.value)] if found is not None else None
    if outcome is row.outcome:
        return "right"
    if outcome is None:
        return "none"
    return "lost" if outcome is Outcome.EMPTY else "wrong"


async def run() -> dict[str, Any]:
    """Measure."""
    await installed("whisper-base", "voice-zh")
    tools = await Runtime.ensure(runtime_folder(), need=frozenset(ALL_TOOLS))
    espeak = EspeakSynthesiser(
        tools.espeak.command(), version=tools.espeak.version, environment=tools.espeak.env()
    )
    counted: Counter[tuple[str, str, str]] = Counter()
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        model = models_folder() / "voice-zh" / MODEL_FILE
        speakers = Speakers(Speaker(model, voices_in(Path(folder))), espeak)
        recognition = InstalledRecognition(
            ModelStore(models_folder()), PoolLimits(threads=2), engine="whisper"
        )
        try:
            for number, row in enumerate(rows()):
                samples = await spoken(speakers, espeak, row, number)
                lines = {"clean": None, "noisy": random.Random(number)}
                sounds = [over_the_line(samples, noise=noise) for noise in lines.values()]
                began = time.monotonic()
                heard = await asyncio.gather(*(understood(recognition, pcm) for pcm in sounds))
                took.append(time.monotonic() - began)
                for line, (found, text) in zip(lines, heard, strict=True):
                    what = judged(row, found)
                    counted[row.meaning, line, what] += 1
                    if what != "right":
                        said = row.mandarin or row.english
                        print(f"{row.meaning}\t{what}\t{line}\t{said}\t{text}", file=sys.stderr, flush=True)
        finally:
            await recognition.aclose()
    return report("announcements", dict(figures(counted, took)), goals(counted))


ENDS = {"right": ("right",), "none": ("none",), "wrong": ("wrong", "lost"), "lost": ("lost",)}


def share(counted: Counter[tuple[str, str, str]], what: str, *, line: str = "", meaning: str = "") -> float:
    """How many announcements ended so; of what is none with ``meaning`` ``none``."""
    chosen = {
        key: count
        for key, count in counted.items()
        if line in {"", key[1]} and (key[0] == meaning if meaning else key[0] != NONE)
    }
    whole = sum(chosen.values())
    return sum(count for key, count in chosen.items() if key[2] in ENDS[what]) / whole if whole else 0.0


def figures(counted: Counter[tuple[str, str, str]], took: list[float]) -> Iterator[tuple[str, float]]:
    """Everything that was measured."""
    yield "announcements", sum(count for key, count in counted.items() if key[0] != NONE) / 2
    yield "others", sum(count for key, count in counted.items() if key[0] == NONE) / 2
    for what in ENDS:
        yield f"{what}_ratio", share(counted, what)
    for line in ("clean", "noisy"):
        for what in ("right", "none", "wrong"):
            yield f"{line}_{what}_ratio", share(counted, what, line=line)
    for one in Announcement:
        yield f"{one.value}_right_ratio", share(counted, "right", meaning=one.value)
        yield f"{one.value}_wrong_ratio", share(counted, "wrong", meaning=one.value)
    yield "others_taken_ratio", share(counted, "wrong", meaning=NONE)
    took.sort()
    yield "both_recognised_p50_seconds", took[len(took) // 2]


def goals(counted: Counter[tuple[str, str, str]]) -> dict[str, dict[str, Any]]:
    """What it is to be."""
    return {
        "wrong_ratio": at_most(share(counted, "wrong"), 0.001),
        "others_taken_ratio": at_most(share(counted, "wrong", meaning=NONE), 0.001),
    }
