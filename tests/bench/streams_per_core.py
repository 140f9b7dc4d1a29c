"""How many speakers one processor core listens to: ours against bare Vosk, on the same sound.

``bare`` is the least that any program with streaming text does: one recogniser a speaker, a tenth of a second
at a time, a partial or a final after each. ``ours`` is a stream for each speaker through the port that the
calls use: this process feeds and reads, the recognisers' process listens; the processor time of both counts.
Eight speakers, both sides one thread, in turns; sound is given as fast as it is taken.

Vosk adds random noise to all sound, so that the same sound gives another text each time. Ours is switched off
and replaced by noise that is always the same; bare Vosk is given the same two, or there would be nothing to
compare: ``bare_differs_from_itself_percent`` says how many sentences' texts change from one run to the next
of Vosk as it comes. Texts of both sides must be the same to the letter.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speech.choice import InstalledRecognition
from speech.pool import PoolLimits
from speech.ports import BYTES_PER_SECOND, Stream
from speech.vosk_engine import prepare, quieted
from tests.bench.apart import TICKS, cpu_seconds
from tests.bench.report import at_least, at_most, report
from tests.bench.talking import korean, seconds_of
from tests.support.models import installed

MODEL = "vosk-ko"
STREAMS = 8
PIECE = BYTES_PER_SECOND // 10
SENTENCES = 3
"""Of each speaker."""
ROUNDS = 2
PAUSE = bytes(BYTES_PER_SECOND * 6 // 5)

BARE = """
import json, resource, sys, time
import vosk

vosk.SetLogLevel(-1)
model = vosk.Model(model_path=sys.argv[1])
tracks = [open(name, "rb").read() for name in sys.argv[3:]]
piece = int(sys.argv[2])

def recogniser():
    made = vosk.KaldiRecognizer(model, 8000.0)
    made.SetWords(True)
    made.AcceptWaveform(bytes(16000))
    made.FinalResult()
    return made

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

ears = [recogniser() for _ in tracks]
texts = [[] for _ in tracks]
began = cpu()
for at in range(0, max(map(len, tracks)), piece):
    for ear, track, said in zip(ears, tracks, texts):
        part = track[at : at + piece]
        if not part:
            continue
        if ear.AcceptWaveform(part):
            said.append(json.loads(ear.Result())["text"])
        else:
            json.loads(ear.PartialResult())
for ear, said in zip(ears, texts):
    said.append(json.loads(ear.FinalResult())["text"])
print(json.dumps({"cpu": cpu() - began, "texts": [[one for one in said if one] for said in texts]}))
"""
"""Bare Vosk, in a process of its own."""


def tracks() -> list[bytes]:
    """Return what each speaker says: the same sentences, each from another one on."""
    clips = korean()
    return [
        b"".join(
            chain.from_iterable((bytes(one.samples), PAUSE) for one in (clips * 2)[index : index + SENTENCES])
        )
        for index in range(STREAMS)
    ]


async def bare(model: Path, sounds: Sequence[bytes], folder: Path) -> tuple[float, list[list[str]]]:
    """Have bare Vosk listen; return its processor time and each speaker's finals."""
    names = []
    for number, sound in enumerate(sounds):
        (folder / f"{number}.raw").write_bytes(sound)
        names.append(str(folder / f"{number}.raw"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BARE, str(model), str(PIECE), *names),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(200):
        out, _ = await process.communicate()
    told = json.loads(out)
    return float(told["cpu"]), told["texts"]


class Ours:
    """Our side: one process of recognisers, with as many ears as speakers ready."""

    def __init__(self, recognition: InstalledRecognition) -> None:
        self._transcriber = recognition.choose("ko")
        self._recognition = recognition

    async def listen(self, sounds: Sequence[bytes]) -> tuple[float, list[list[str]]]:
        """Return the processor time of both processes and each speaker's finals."""
        streams = [
            await self._transcriber.open("ko", patience=timedelta(seconds=60)) for _ in range(len(sounds))
        ]
        pids = [process.pid for one in self._recognition.running for process in one.processes]
        before = cpu_seconds(*pids, None) + _own()
        texts = await asyncio.gather(
            *(self._follow(stream, sound) for stream, sound in zip(streams, sounds, strict=True))
        )
        used = cpu_seconds(*pids) + _own() - before
        for stream in streams:
            await stream.aclose()
        return used, list(texts)

    @staticmethod
    async def _follow(stream: Stream, sound: bytes) -> list[str]:
        async def feed() -> None:
            for at in range(0, len(sound), PIECE):
                await stream.feed(sound[at : at + PIECE])
            await stream.finish()

        feeding = asyncio.create_task(feed())
        try:
            return [piece.text async for piece in stream.heard() if piece.is_final]
        finally:
            await feeding


def _own() -> float:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _differ(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> float:
    pairs = [
        (left[at : at + 1], right[at : at + 1])
        for left, right in zip(one, other, strict=True)
        for at in range(max(len(left), len(right)))
    ]
    return 100 * sum(left != right for left, right in pairs) / len(pairs)


async def measure(folder: Path) -> dict[str, Any]:
    """Both sides in turns."""
    store = await installed(MODEL)
    sounds = tracks()
    noisy = [quieted(sound, 0) for sound in sounds]
    model = folder / "model"
    model.mkdir()
    prepare(store.folder(MODEL), model)
    recognition = InstalledRecognition(
        store, PoolLimits(threads=1, streams=STREAMS, nice=0), engine="vosk", languages=("ko",)
    )
    costs: dict[str, list[float]] = {"bare": [], "ours": []}
    texts: dict[str, list[list[str]]] = {}
    differs = 0.0
    try:
        ours = Ours(recognition)
        await ours.listen([sound[:BYTES_PER_SECOND] for sound in sounds])  # every ear has heard something
        for _ in range(ROUNDS):
            cost, texts["bare"] = await bare(model, noisy, folder)
            costs["bare"].append(cost)
            cost, texts["ours"] = await ours.listen(sounds)
            costs["ours"].append(cost)
            differs = max(differs, _differ(texts["bare"], texts["ours"]))
        once = (await bare(store.folder(MODEL), sounds[:2], folder))[1]
        again = (await bare(store.folder(MODEL), sounds[:2], folder))[1]
    finally:
        await recognition.aclose()
    seconds = sum(map(seconds_of, sounds))
    per_core = {name: seconds / min(each) for name, each in costs.items()}
    ratio = per_core["ours"] / per_core["bare"]
    return report(
        "streams_per_core",
        {
            "sound_seconds": seconds,
            "bare_streams_per_core": per_core["bare"],
            "ours_streams_per_core": per_core["ours"],
            "ours_to_bare_ratio": ratio,
            "finals_count": sum(map(len, texts["bare"])),
            "texts_differ_percent": differs,
            "bare_differs_from_itself_percent": _differ(once, again),
        },
        {
            "ours to bare, ratio": at_least(ratio, 0.9),
            "texts differ, percent": at_most(differs, 0.0001),
        },
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
