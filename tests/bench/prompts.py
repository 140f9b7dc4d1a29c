"""How well prompts are understood by a machine that never heard them: the stock, and espeak-ng.

Whisper base, the recogniser that any machine can install, listens to stock prompts drawn by a fixed seed, to
espeak-ng speaking the same texts, and to a caller's earpiece in a real call through Asterisk. Errors are
counted in characters (traditional and simplified ones are the same, figures as they are read) and in
syllables with their tones, because the recogniser guesses among characters that sound alike. Its own
mistakes are in all figures alike; the difference is the voice's.
"""

import asyncio
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pypinyin import Style, lazy_pinyin

from app.runtime import Runtime
from app.voice import espeak_voice
from crm.domain.simplified import SIMPLIFIED
from ivr.prompts.audio import prepared
from ivr.prompts.reading import as_read
from ivr.prompts.stock import Stock, StockClip
from ivr.runner import FlowRunner, RunnerConfig
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import create_database
from speech.batch import transcribe
from speech.choice import InstalledRecognition
from speech.pool import PoolLimits
from speech.ports import Transcriber
from telephony.agi import AgiConfig, AgiServer
from telephony.audio import RATE
from tests.bench.report import at_least, at_most, report
from tests.support.menus import FakeCallbacks, FakeDirectory, library
from tests.support.models import installed
from tests.support.pbx import running_pbx
from tests.support.runtime import runtime_folder
from tests.support.sipp import customer
from tests.support.waiting import eventually

SEED = 5
PROMPTS = 20
SHORTEST = 2.0
"""Seconds; a recogniser makes nothing of a single word."""
LIMIT_SECONDS = 900
OFFICE_HOURS = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
_SIMPLE = str.maketrans(SIMPLIFIED)


def characters(text: str) -> list[str]:
    """Return what is said, one character each, without marks."""
    return re.findall(
        r"[\u3400-\u9fffA-Za-z]", as_read(text.translate(_SIMPLE) + "。").replace("幺", "一").upper()
    )


def syllables(text: str) -> list[str]:
    """Return what is heard, with tones."""
    return lazy_pinyin("".join(characters(text)), style=Style.TONE3, neutral_tone_with_five=True)


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of changes that make one of the other."""
    row = list(range(len(heard) + 1))
    for index, wanted in enumerate(said, 1):
        before, row[0] = row[0], index
        for at, found in enumerate(heard, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (wanted != found))
    return row[-1]


class Tally:
    """Errors of many texts."""

    def __init__(self) -> None:
        self.wrong = [0, 0]
        self.whole = [0, 0]

    def add(self, said: str, heard: str) -> None:
        """Count one."""
        for place, units in enumerate((characters, syllables)):
            self.wrong[place] += errors(units(said), units(heard))
            self.whole[place] += len(units(said))

    def percent(self) -> tuple[float, float]:
        """Return errors of characters and of syllables."""
        characters_, syllables_ = (
            100 * wrong / max(1, whole) for wrong, whole in zip(self.wrong, self.whole, strict=True)
        )
        return characters_, syllables_


async def heard_in(ear: Transcriber, pcm: bytes) -> str:
    """Return what the recogniser understood."""
    quiet = bytes(RATE)
    pieces = transcribe(ear, quiet + pcm + quiet, "zh", patience=timedelta(seconds=300))
    return "".join([piece.text async for piece in pieces])


def drawn() -> list[StockClip]:
    """Return prompts of the stock, the same ones in every run."""
    clips = sorted((clip for clip in Stock.read() if clip.voice.name == "cmn"), key=lambda clip: clip.key)
    long = [clip for clip in clips if clip.seconds >= SHORTEST]
    return random.Random(SEED).sample(long, min(PROMPTS, len(long)))


async def run() -> dict[str, object]:
    """Listen to the stock, to espeak-ng, and to a call."""
    store = await installed("whisper-base")
    recognition = InstalledRecognition(store, PoolLimits(threads=1, nice=5), engine="whisper")
    runtime = await Runtime.ensure(runtime_folder(), need={"asterisk", "espeak", "sipp"})
    espeak = espeak_voice(runtime.espeak)
    stock, kokoro, robot, call = Stock.read(), Tally(), Tally(), Tally()
    try:
        ear = recognition.choose("zh")
        for clip in drawn():
            kokoro.add(clip.text, await heard_in(ear, stock.samples(clip).tobytes()))
            spoken = await espeak.synthesise(clip.text, voice="cmn", speed=clip.voice.speed)
            robot.add(clip.text, await heard_in(ear, prepared(spoken).tobytes()))
        said, pcm = await caller(runtime)
        call.add(said, await heard_in(ear, pcm))
    finally:
        await recognition.aclose()
    figures = {
        "prompts": float(PROMPTS),
        "stock_character_error_percent": kokoro.percent()[0],
        "stock_syllable_error_percent": kokoro.percent()[1],
        "espeak_character_error_percent": robot.percent()[0],
        "espeak_syllable_error_percent": robot.percent()[1],
        "call_character_error_percent": call.percent()[0],
        "call_syllable_error_percent": call.percent()[1],
    }
    goals = {
        "stock_syllable_error_percent": at_most(figures["stock_syllable_error_percent"], 5),
        "espeak_errors_per_stock_error": at_least(
            figures["espeak_syllable_error_percent"] / max(0.1, figures["stock_syllable_error_percent"]), 2
        ),
    }
    return report("prompts", figures, goals)


async def caller(runtime: Runtime) -> tuple[str, bytes]:
    """Call the hotline; return what is said to whoever calls, and what came out of their telephone."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        database = create_database(f"sqlite+aiosqlite:///{folder / 'bench.db'}")
        await database.create_all()
        async with running_pbx(folder, runtime=runtime) as pbx:
            clock = FakeClock(OFFICE_HOURS)
            made = library(
                folder, database, clock, bus=Bus(), stock=Stock.read(), constants={"company": "安居装饰"}
            )
            await made.store.open()
            await made.flows.load_active()
            runner = FlowRunner(
                made.flows,
                made.studio,
                directory=FakeDirectory(),
                callbacks=FakeCallbacks(),
                clock=clock,
                config=RunnerConfig(default_area="010"),
            )
            server = AgiServer(AgiConfig(port=pbx.config.agi_port), runner.routes())
            await server.start()
            try:
                flow = made.flows.named("hotline")
                if flow is None:
                    raise RuntimeError("the hotline has no audio")
                prompts = ("welcome", "recording_notice", "main_menu")
                said = "".join(
                    piece.text
                    for prompt in prompts
                    for piece in flow.flow.prompts[prompt].template.pieces
                    if hasattr(piece, "text")
                )
                length = sum(
                    (sound.length for clip, sound in flow.clips.items() if clip.prompt in prompts),
                    timedelta(),
                )
                async with customer(pbx) as phone:
                    await phone.until("answered")
                    wanted = length.total_seconds() + 0.5
                    await eventually(lambda: phone.ear.packets >= wanted * 50, timeout=wanted + 30)
                    pcm = phone.ear.samples()[: round(wanted * RATE)].tobytes()
                    await phone.hang_up()
                return said, pcm
            finally:
                await server.stop(timedelta(0))
                await made.store.close()
                await database.dispose()


if __name__ == "__main__":
    print(asyncio.run(run()))
