"""From the end of the last word to its text on the agent's page, in seconds, by how many speak at once.

Real calls: SIPp and RTP → a real Asterisk → a tap for each speaker → recogniser → live connection, read by a
client as the page reads it. ``streams`` speak at the same time, over and over, sentence after sentence, both
speakers of a call at once (harder than life, where one listens); with one, the other's tap hears silence. It
is known to the frame when a sentence's last word ended. ``shown``: until the page shows the last word, be it
in a text that may still be corrected: from when on it has as many words as stay, for good; ``final``: until
it is told what stays: Vosk waits for half a second of silence, longer where it is not sure.
``BENCH_SAYS=1`` prints every text with its moment.

Vosk with its Korean model, the one that every machine can install, and Korean sentences; Whisper (base) with
the Mandarin sentences of the hotline. The recognisers, the service, Asterisk and what plays the telephones
share the machine. ``bare``: Vosk alone on the same machine, as many speakers, the same sentences in real
time, and nothing between it and the clock (:mod:`tests.bench.bare_vosk`): what it takes by itself.
"""

import asyncio
import json
import random
import sys
from array import array
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.apart import ROOT, busy_percent, machine_ticks, percentile
from tests.bench.report import at_most, report
from tests.bench.talking import Clip, Conversation, Stage, Told, korean, mandarin, stage
from tests.support.models import installed, models_folder

PLANS = (("vosk", "vosk-ko", "ko", (1, 4, 8)), ("whisper", "whisper-base", "zh", (1, 2)))
SECONDS = 32.0
LIMIT_SECONDS = 540
SPEAKERS = ("customer", "agent")


async def bare(streams: int) -> dict[str, float]:
    """Return what Vosk by itself does with so many at once: the other side of the comparison."""
    ticks = machine_ticks()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.bare_vosk"),
        *(str(models_folder() / "vosk-ko"), str(streams), str(SECONDS)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    async with asyncio.timeout(SECONDS + 60):
        out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("bare Vosk failed")
    nobody = Clip("", "", array("h"))
    found = figures_of([Told(nobody, **one) for one in json.loads(out)])
    return {**found, "machine_busy_percent": busy_percent(ticks, machine_ticks())}


async def speak(
    conversation: Conversation, speaker: str, clips: list[Clip], seconds: float, dice: random.Random
) -> list[Told]:
    """Say one sentence after the other for a while."""
    until = asyncio.get_running_loop().time() + seconds
    told = []
    following = cycle(clips)
    while asyncio.get_running_loop().time() < until:
        conversation.phone(speaker).handset.pause(dice.uniform(0.1, 1.0))
        told.append(await conversation.say(speaker, next(following)))
    return told


async def listen(
    running: Stage, clips: list[Clip], streams: int, seconds: float
) -> tuple[list[Told], dict[str, float]]:
    """Let so many speak at once; return what came of it."""
    dice = random.Random(streams)
    calls = (streams + 1) // 2
    async with AsyncExitStack() as stack:
        talks = await stack.enter_async_context(running.conversations(calls))
        await running.tapped(2 * calls)
        gaps = sum(page.gaps for page in running.pages.values())
        ticks, cpu = machine_ticks(), running.cpu()
        spoken = await asyncio.gather(
            *(
                speak(talks[index // 2], SPEAKERS[index % 2], clips[index:] + clips[:index], seconds, dice)
                for index in range(streams)
            )
        )
        busy, used = busy_percent(ticks, machine_ticks()), running.cpu()
        gaps = sum(page.gaps for page in running.pages.values()) - gaps
    cost = {f"{name}_cpu_seconds": used[name] - cpu[name] for name in used}
    return [one for each in spoken for one in each], {
        "gaps_count": gaps,
        "machine_busy_percent": busy,
        **cost,
    }


def figures_of(told: Sequence[Told]) -> dict[str, float]:
    """Return the figures of one number of streams."""
    heard = [one for one in told if one.text]
    # Where nothing came it was waited for so long.
    shown, final = ([one.shown for one in heard], [one.final for one in heard]) if heard else ([8.0], [8.0])
    return {
        "sentences_count": len(told),
        "without_text_count": len(told) - len(heard),
        "shown_p50_seconds": percentile(shown, 0.5),
        "shown_p95_seconds": percentile(shown, 0.95),
        "final_p50_seconds": percentile(final, 0.5),
        "final_p95_seconds": percentile(final, 0.95),
    }


async def measure(folder: Path) -> dict[str, Any]:
    """Run all plans."""
    await installed("vosk-ko")
    figures: dict[str, Any] = {}
    for streams in PLANS[0][3]:
        found = await bare(streams)
        figures |= {f"bare_{streams}_streams_{key}": value for key, value in found.items()}
        print(f"bare {streams}: {found}", file=sys.stderr, flush=True)
    for name, model, language, counts in PLANS:
        clips = korean() if language == "ko" else mandarin()
        async with stage(folder / name, model=model, language=language, agents=max(counts) // 2) as running:
            await running.warm(clips[0])
            for streams in counts:
                told, beside = await listen(running, clips, streams, SECONDS)
                found = {**figures_of(told), **beside}
                figures |= {f"{name}_{streams}_streams_{key}": value for key, value in found.items()}
                print(f"{name} {streams}: {found}", file=sys.stderr, flush=True)
    ours = {key: value for key, value in figures.items() if not key.startswith("bare_")}
    lost = sum(value for key, value in ours.items() if key.endswith("_gaps_count"))
    silent = sum(value for key, value in ours.items() if key.endswith("_without_text_count"))
    most = PLANS[0][3][-1]
    figures["vosk_to_bare_shown_p95_ratio"] = (
        figures[f"vosk_{most}_streams_shown_p95_seconds"] / figures[f"bare_{most}_streams_shown_p95_seconds"]
    )
    return report(
        "live_text",
        figures,
        {
            "vosk, 8 streams, shown p95, seconds": at_most(figures["vosk_8_streams_shown_p95_seconds"], 1.0),
            "whisper, 2 streams, shown p95, seconds": at_most(
                figures["whisper_2_streams_shown_p95_seconds"], 2.5
            ),
            "gaps, count": at_most(lost, 1),
            "sentences without text, count": at_most(silent, 1),
        },
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
