"""What the telephone costs in accuracy: character errors of calls against the same files given to the engine.

The 24 sentences of the hotline (eight synthetic Mandarin voices, 8 kHz) and Whisper, base. ``direct``: each
file into the engine as live text uses it. ``call``: spoken by both telephones of real calls, G.711 over RTP
through Asterisk, tap, buffer and engine, and read from the agent's page. Both texts and what was said are
read by the same reader (simplified characters, numbers as digits), and compared without blanks and
punctuation.
"""

import asyncio
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speech.batch import transcribe
from speech.choice import InstalledRecognition
from speech.pool import PoolLimits
from speech.reading import legible
from tests.bench.report import at_most, report
from tests.bench.talking import Clip, Conversation, mandarin, stage
from tests.support.models import installed, sentences

MODEL = "whisper-base"
LIMIT_SECONDS = 300


def letters(text: str) -> str:
    """Return what is compared: what is read, without blanks and punctuation."""
    return "".join(one for one in legible(text).lower() if unicodedata.category(one)[0] in "LN")


def errors(wanted: str, found: str) -> int:
    """Return how many characters must be put, taken or changed."""
    row = list(range(len(found) + 1))
    for at, one in enumerate(wanted, 1):
        before, row[0] = row[0], at
        for place, other in enumerate(found, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (one != other))
    return row[-1]


def error_percent(clips: Sequence[Clip], texts: dict[str, str]) -> float:
    """Return the character errors of all of them together."""
    wrong = sum(errors(letters(one.text), letters(texts[one.name])) for one in clips)
    return 100 * wrong / sum(len(letters(one.text)) for one in clips)


async def direct(clips: Sequence[Clip]) -> dict[str, str]:
    """Give the files to the engine."""
    store = await installed(MODEL)
    recognition = InstalledRecognition(store, PoolLimits(), engine="whisper", languages=("zh",))
    sounds = {one.name: one.pcm for one in sentences()}
    texts = {}
    try:
        for one in clips:
            pieces = transcribe(recognition.choose("zh"), sounds[one.name], "zh", background=False)
            texts[one.name] = "".join([piece.text async for piece in pieces])
    finally:
        await recognition.aclose()
    return texts


async def called(clips: Sequence[Clip], folder: Path) -> tuple[dict[str, str], int]:
    """Say them on the telephone, half by each speaker; return the texts and the gaps."""

    async def speak(talk: Conversation, speaker: str, said: Sequence[Clip]) -> dict[str, str]:
        return {one.name: (await talk.say(speaker, one)).text for one in said}

    async with (
        stage(folder, model=MODEL, language="zh", agents=1) as running,
        running.conversations(1) as (talk,),
    ):
        await running.tapped(2)
        half = len(clips) // 2
        one, other = await asyncio.gather(
            speak(talk, "customer", clips[:half]), speak(talk, "agent", clips[half:])
        )
        return {**one, **other}, talk.page.gaps


async def measure(folder: Path) -> dict[str, Any]:
    """Both sides."""
    clips = mandarin()
    straight = await direct(clips)
    spoken, gaps = await called(clips, folder)
    for one in clips:
        if letters(straight[one.name]) != letters(spoken[one.name]):
            print(f"{one.text}\n  direct {straight[one.name]}\n  call   {spoken[one.name]}", file=sys.stderr)
    there, here = error_percent(clips, straight), error_percent(clips, spoken)
    same = sum(letters(straight[one.name]) == letters(spoken[one.name]) for one in clips)
    return report(
        "telephony_loss",
        {
            "sentences_count": len(clips),
            "direct_character_errors_percent": there,
            "call_character_errors_percent": here,
            "worse_by_percent_points": here - there,
            "same_text_count": same,
            "gaps_count": gaps,
        },
        {"worse by, percent points": at_most(here - there, 1.0), "gaps, count": at_most(gaps, 1)},
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
