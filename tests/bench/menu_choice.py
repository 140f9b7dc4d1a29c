"""How well the hotline's menu understands what callers say instead of pressing a key.

``tests/data/speech/wishes.tsv`` holds a hundred ways of saying each of the menu's five wishes and a
hundred sentences that are none (to a child, about the weather), written by hand: fifty cores, each
plainly and once more among the words that people put around it. They were only measured: the flow's
phrases and the thresholds were made with other sentences, the ``tune`` part of that file. Each is
spoken by one of nine voices in turn (eight of Kokoro, and espeak-ng), goes through μ-law at 8 kHz once
clean and once with noise 15 dB below the voice, through the real recogniser (Whisper base, behind the
voice detector), and is understood as a menu understands it. *Right*: taken for what was meant.
*Confirmed*: asked back, and a yes gets there. *Fell back*: keys are asked for; ``doubted`` of them were
asked back about another wish, where a no leads to the keys. *Wrong*: taken for another wish, without
asking. ``others``: sentences that are no wish. Synthetic voices speak more clearly than many callers,
and who wrote the sentences knew the trade. ``MENU_CHOICE_SENTENCES=20`` takes a fifth of them (the
figure ``sentences`` tells how many there were), ``MENU_CHOICE_PART=tune`` the others.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.runtime import Runtime
from app.runtime.tool import ALL_TOOLS
from ivr.domain.flow import Menu
from ivr.domain.validate import load_flow
from ivr.domain.wishes import Wishes
from ivr.prompts import mandarin, reading
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.kokoro import MODEL_FILE, VOICES
from ivr.prompts.kokoro_child import STYLE, VOICE_ROWS, Speaker
from ivr.prompts.phonemes import sentences, tokens
from ivr.service import delivered
from speech.choice import InstalledRecognition
from speech.model_store import ModelStore
from speech.pool import PoolLimits
from speech.ports import BYTES_PER_SECOND
from speech.reading import legible
from telephony.audio import Law, decode, encode, loudness
from tests.bench.report import at_most, report
from tests.support.models import installed, models_folder
from tests.support.runtime import runtime_folder

LIMIT_SECONDS = 3600
SENTENCES = int(os.environ.get("MENU_CHOICE_SENTENCES", "100"))
PART = os.environ.get("MENU_CHOICE_PART", "held")
DATA = Path(__file__).parents[1] / "data" / "speech"
KEYS = {"complaint": "1", "repair": "2", "progress": "3", "callback": "4", "service": "0", "none": ""}
ESPEAK = "cmn"
SPEAKERS = (
    *("zf_xiaobei", "zm_yunxi", "zf_xiaoxiao", "zm_yunjian", "zf_xiaoyi"),
    *("zm_yunyang", "zf_xiaoni", "zm_yunxia", ESPEAK),
)
NOISE_BELOW = 10 ** (-15 / 20)
PACE = (0.9, 1.0, 1.1)


@dataclass(frozen=True, slots=True)
class Saying:
    """One way of saying a wish, by one voice."""

    wish: str
    text: str
    speaker: str
    pace: float


def sayings() -> list[Saying]:
    """What is measured: of each wish so many, in the order of the file."""
    found: list[Saying] = []
    taken: Counter[str] = Counter()
    for line in (DATA / "wishes.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        part, wish, text = line.split("\t")
        if part == PART and taken[wish] < SENTENCES:
            taken[wish] += 1
            number = len(found)
            found.append(Saying(wish, text, SPEAKERS[number % len(SPEAKERS)], PACE[number // 9 % 3]))
    return found


def voices_in(folder: Path) -> Path:
    """Put the styles of all speakers into a folder; those that were cut short go on with their last row."""
    row = STYLE * 4
    for path in (*VOICES.glob("z*.bin"), *(DATA / "voices").glob("*.bin")):
        rows = path.read_bytes()
        (folder / path.name).write_bytes(rows + rows[-row:] * (VOICE_ROWS - len(rows) // row))
    return folder


class Speakers:
    """All the voices."""

    def __init__(self, kokoro: Speaker, espeak: EspeakSynthesiser) -> None:
        self._kokoro = kokoro
        self._espeak = espeak

    async def say(self, one: Saying) -> "array[int]":
        """Speak a sentence."""
        if one.speaker == ESPEAK:
            return await self._espeak.synthesise(one.text, voice=ESPEAK, speed=round(165 * one.pace))
        spoken = [tokens(part) for part in sentences(mandarin.symbols_of(reading.as_read(one.text)))]
        pcm = await asyncio.to_thread(
            self._kokoro.speak, spoken, voice=one.speaker, speed=one.pace, pause=0.3
        )
        return array("h", pcm)


def over_the_line(samples: "array[int]", *, noise: random.Random | None) -> bytes:
    """What arrives of it: half a second before and a second after are the line's."""
    quiet = array("h", bytes(BYTES_PER_SECOND))
    whole = quiet[: len(quiet) // 2] + samples + quiet
    if noise is not None:
        level = loudness(samples) * NOISE_BELOW
        whole = array("h", (max(-32767, min(32767, round(one + noise.gauss(0, level)))) for one in whole))
    return decode(encode(whole, Law.MU), Law.MU).tobytes()


async def heard(recognition: InstalledRecognition, pcm: bytes) -> tuple[str, float | None]:
    """What the recogniser makes of it, put together as a menu does."""
    texts: list[str] = []
    sure: list[float] = []
    async with await recognition.choose("zh").open("zh") as stream:
        await stream.feed(pcm)
        await stream.finish()
        async for piece in stream.heard():
            if piece.is_final:
                texts.append(legible(piece.text))
                sure += [] if piece.confidence is None else [piece.confidence]
    return "，".join(texts), min(sure) if sure else None


def outcome(wishes: Wishes, wish: str, text: str, confidence: float | None) -> str:
    """What became of the caller."""
    found = wishes.understand(text, confidence)
    if found is None:
        return "fell_back"
    right = found.option == KEYS[wish]
    if found.sure:
        return "right" if right else "wrong"
    return "confirmed" if right else "doubted"


async def run() -> dict[str, Any]:
    """Measure."""
    await installed("whisper-base", "voice-zh")
    tools = await Runtime.ensure(runtime_folder(), need=frozenset(ALL_TOOLS))
    espeak = EspeakSynthesiser(
        tools.espeak.command(), version=tools.espeak.version, environment=tools.espeak.env()
    )
    flow = load_flow(delivered("hotline"), source="hotline", queues={"complaint", "repair", "service"})
    menu = flow.nodes["main"]
    assert isinstance(menu, Menu)
    assert menu.wishes is not None
    counted: Counter[tuple[str, str, str]] = Counter()
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        model = models_folder() / "voice-zh" / MODEL_FILE
        speakers = Speakers(Speaker(model, voices_in(Path(folder))), espeak)
        recognition = InstalledRecognition(
            ModelStore(models_folder()), PoolLimits(threads=2), engine="whisper"
        )
        try:
            for number, one in enumerate(sayings()):
                samples = await speakers.say(one)
                lines = {"clean": None, "noisy": random.Random(number)}
                sounds = [over_the_line(samples, noise=noise) for noise in lines.values()]
                began = time.monotonic()
                texts = await asyncio.gather(*(heard(recognition, pcm) for pcm in sounds))
                took.append(time.monotonic() - began)
                for line, (text, confidence) in zip(lines, texts, strict=True):
                    what = outcome(menu.wishes, one.wish, text, confidence)
                    counted[one.wish, line, what] += 1
                    if what != "right":
                        says = f"{one.wish}\t{what}\t{line}\t{one.speaker}\t{one.text}\t{text}\t{confidence}"
                        print(says, file=sys.stderr, flush=True)
        finally:
            await recognition.aclose()
    return report("menu_choice", dict(figures(counted, took)), goals(counted))


def share(counted: Counter[tuple[str, str, str]], what: str, line: str = "", wish: str = "") -> float:
    """How many of the wishes' sentences ended so."""
    chosen = {
        key: count
        for key, count in counted.items()
        if line in {"", key[1]} and (key[0] == wish if wish else key[0] != "none")
    }
    whole = sum(chosen.values())
    ended = sum(count for key, count in chosen.items() if key[2] in OUTCOMES[what])
    return ended / whole if whole else 0.0


OUTCOMES = {
    "right": ("right",),
    "confirmed": ("confirmed",),
    "fell_back": ("fell_back", "doubted"),
    "doubted": ("doubted",),
    "wrong": ("wrong",),
}


def figures(counted: Counter[tuple[str, str, str]], took: list[float]) -> Iterator[tuple[str, float]]:
    """Everything that was measured."""
    yield "sentences", sum(counted.values()) / 2
    for what in OUTCOMES:
        yield f"{what}_ratio", share(counted, what)
    for line in ("clean", "noisy"):
        for what in OUTCOMES:
            yield f"{line}_{what}_ratio", share(counted, what, line)
    for wish in KEYS:
        if wish == "none":
            yield "others_taken_ratio", share(counted, "wrong", wish="none")
            yield "others_doubted_ratio", share(counted, "doubted", wish="none")
            continue
        for what in ("right", "confirmed", "fell_back", "wrong"):
            yield f"{wish}_{what}_ratio", share(counted, what, wish=wish)
    took.sort()
    yield "both_recognised_p50_seconds", took[len(took) // 2]
    yield "both_recognised_p95_seconds", took[len(took) * 95 // 100]


def goals(counted: Counter[tuple[str, str, str]]) -> dict[str, dict[str, Any]]:
    """What it is to be."""
    return {"wrong_ratio": at_most(share(counted, "wrong"), 0.02)}
