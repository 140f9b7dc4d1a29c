"""From the end of the last word to its text on the agent's page, in seconds, by how many speak at once.

Real calls: SIPp and RTP → a real Asterisk → a tap for each speaker → recogniser → live connection, read by a
client as the page reads it. ``streams`` speak at the same time, over and over, sentence after sentence, both
speakers of a call at once (harder than life, where one listens); with one, the other's tap hears silence. It
is known to the frame when a sentence's last word ended. ``shown``: until the page shows the last word, be it
in a text that may still be corrected: the first one after the word ended with as many words as stay;
``final``: until it is told what stays: Vosk waits for half a second of silence, longer where it is not sure.
``BENCH_SAYS=1`` prints every text with its moment.

Vosk with its Korean model, the one that every machine can install, and Korean sentences (``vosk_alone``: when
bare Vosk, given the same sound in no time, says the same: what no path to the page can be quicker than);
Whisper (base) with the Mandarin sentences of the hotline. The recognisers, the service, Asterisk and what
plays the telephones share the machine.
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speech.ports import PieceKind
from speech.vosk_engine import load
from telephony.audio import RATE, Law, decode, encode
from tests.bench.apart import busy_percent, machine_ticks, percentile
from tests.bench.report import at_most, report
from tests.bench.talking import Clip, Conversation, Stage, Told, korean, mandarin, stage
from tests.support.models import installed, models_folder

PLANS = (("vosk", "vosk-ko", "ko", (1, 4, 8)), ("whisper", "whisper-base", "zh", (1, 2)))
SECONDS = 32.0
PIECE = RATE * 2 // 10
LIMIT_SECONDS = 420
SPEAKERS = ("customer", "agent")


def alone(clips: Sequence[Clip]) -> dict[str, float]:
    """Return after how much more sound the engine by itself says the last of each sentence."""
    engine = load(models_folder() / "vosk-ko", threads=1, warm=1)
    shown, final = [], []
    for one in clips:
        ear = engine.listener("ko", (), thorough=False)
        pcm = decode(encode(one.samples, Law.A) + bytes([Law.A.silence]) * 3 * RATE, Law.A).tobytes()
        told = []
        for at in range(0, len(pcm), PIECE):
            after = (at + PIECE) / 2 / RATE - len(one.samples) / RATE
            told += [(after, said) for said in ear.hear(pcm[at : at + PIECE])]
        engine.release(ear)
        final.append(max([after for after, piece in told if piece.kind is PieceKind.FINAL], default=3.0))
        words = max(
            [len(piece.text.split()) for _, piece in told if piece.kind is PieceKind.FINAL], default=0
        )
        later = [after for after, piece in told if after >= 0 and len(piece.text.split()) >= words]
        shown.append(min(later, default=3.0))
    return {
        "vosk_alone_shown_p50_seconds": percentile(shown, 0.5),
        "vosk_alone_shown_p95_seconds": percentile(shown, 0.95),
        "vosk_alone_final_p50_seconds": percentile(final, 0.5),
        "vosk_alone_final_p95_seconds": percentile(final, 0.95),
    }


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
    figures = await asyncio.to_thread(alone, korean())
    for name, model, language, counts in PLANS:
        clips = korean() if language == "ko" else mandarin()
        async with stage(folder / name, model=model, language=language, agents=max(counts) // 2) as running:
            await running.warm(clips[0])
            for streams in counts:
                told, beside = await listen(running, clips, streams, SECONDS)
                found = {**figures_of(told), **beside}
                figures |= {f"{name}_{streams}_streams_{key}": value for key, value in found.items()}
                print(f"{name} {streams}: {found}", file=sys.stderr, flush=True)
    lost = sum(value for key, value in figures.items() if key.endswith("_gaps_count"))
    silent = sum(value for key, value in figures.items() if key.endswith("_without_text_count"))
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
