"""What the telephone costs in accuracy: character errors of calls against the same files given to the engine.

The 24 sentences of the hotline (eight synthetic Mandarin voices, 8 kHz) and Whisper, base. ``direct``: each
file into the engine as live text uses it. ``call``: spoken by both telephones of real calls, G.711 over RTP
through Asterisk, tap, buffer and engine, and read from the agent's page. Both texts and what was said are
read by the same reader (simplified characters, numbers as digits), and compared without blanks and
punctuation. Each side hears every sentence four times, each time a hair later: what a small model makes of a
word depends on where its frames begin, on either side. ``spread``: the largest difference between two times.
"""

import asyncio
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
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
LIMIT_SECONDS = 580
ROUNDS = 4
LATER = 208
"""Bytes of silence before a sentence that is given again: 13 ms."""


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


async def direct(clips: Sequence[Clip]) -> list[dict[str, str]]:
    """Give the files to the engine."""
    store = await installed(MODEL)
    recognition = InstalledRecognition(store, PoolLimits(), engine="whisper", languages=("zh",))
    sounds = {one.name: one.pcm for one in sentences()}
    rounds = []
    try:
        for number in range(ROUNDS):
            texts = {}
            for one in clips:
                sound = bytes(LATER * number) + sounds[one.name]
                pieces = transcribe(recognition.choose("zh"), sound, "zh", background=False)
                texts[one.name] = "".join([piece.text async for piece in pieces])
            rounds.append(texts)
    finally:
        await recognition.aclose()
    return rounds


async def called(clips: Sequence[Clip], folder: Path) -> tuple[list[dict[str, str]], int]:
    """Say them on the telephone, each by either speaker once; return the texts and the gaps."""

    async def speak(talk: Conversation, speaker: str, said: Sequence[Clip]) -> dict[str, str]:
        return {one.name: (await talk.say(speaker, one)).text for one in said}

    async with (
        stage(folder, model=MODEL, language="zh", agents=1) as running,
        running.conversations(1) as (talk,),
    ):
        await running.tapped(2)
        half, rounds = len(clips) // 2, []
        for _ in range(ROUNDS):
            clips = [*clips[half:], *clips[:half]]
            one, other = await asyncio.gather(
                speak(talk, "customer", clips[:half]), speak(talk, "agent", clips[half:])
            )
            rounds.append({**one, **other})
        return rounds, talk.page.gaps


async def measure(folder: Path) -> dict[str, Any]:
    """Both sides."""
    clips = mandarin()
    straight = await direct(clips)
    spoken, gaps = await called(clips, folder)
    same = 0
    for left, right in zip(straight, spoken, strict=True):
        for one in clips:
            if letters(left[one.name]) == letters(right[one.name]):
                same += 1
            else:
                print(f"{one.text}\n  direct {left[one.name]}\n  call   {right[one.name]}", file=sys.stderr)
    found = [[error_percent(clips, texts) for texts in rounds] for rounds in (straight, spoken)]
    there, here = (fmean(each) for each in found)
    return report(
        "telephony_loss",
        {
            "sentences_count": len(clips) * ROUNDS,
            "spread_percent_points": max(max(each) - min(each) for each in found),
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
