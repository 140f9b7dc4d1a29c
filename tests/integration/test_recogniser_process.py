"""What becomes of streams when a recogniser's process dies, hangs, grows, or never starts."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from speech.batch import transcribe
from speech.engines import ENGINES
from speech.pool import PoolLimits, ProcessTranscriber
from speech.ports import (
    BYTES_PER_SECOND,
    EngineMissing,
    ModelDamaged,
    ModelMissing,
    RecogniserBehind,
    RecogniserBusy,
    RecogniserLost,
    Stream,
)
from tests.support.echo_engine import KIND
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SECOND = bytes(BYTES_PER_SECOND)
PATIENCE = timedelta(seconds=60)

Make = Callable[..., ProcessTranscriber]


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes a transcriber whose engine behaves as said."""
    monkeypatch.setitem(ENGINES, "echo", KIND)
    made: list[ProcessTranscriber] = []

    def build(behave: str = "well", **limits: object) -> ProcessTranscriber:
        (tmp_path / "behave").write_text(behave, encoding="utf-8")

        def folder() -> Path:
            if not (tmp_path / "behave").exists():
                raise ModelMissing("the model echo is not installed: run «huifang speech install echo»")
            return tmp_path

        chosen = PoolLimits(nice=0, **limits)  # type: ignore[arg-type]
        made.append(ProcessTranscriber("echo", "echo", frozenset({"zh"}), folder, chosen))
        return made[-1]

    yield build
    for transcriber in made:
        await transcriber.aclose()


async def hear(transcriber: ProcessTranscriber, *, background: bool = True) -> list[str]:
    sound = SECOND * 2 + SECOND[:1000]
    pieces = transcribe(transcriber, sound, "zh", patience=PATIENCE, background=background)
    return [piece.text async for piece in pieces]


async def feed_and_hear(stream: Stream, seconds: int) -> None:
    for _ in range(seconds):
        await stream.feed(SECOND)
    await anext(stream.heard())


async def test_a_third_engine_is_one_file(make: Make) -> None:
    transcriber = make()

    async with await transcriber.open("zh", at=5.0, phrases=["张工长"]) as stream:
        await stream.feed(SECOND)
        await stream.finish()
        found = [piece async for piece in stream.heard()]

    assert [(p.text, p.start, p.end, p.engine, p.model) for p in found] == [
        ("第1秒 张工长", 5.0, 6.0, "echo", "echo")
    ]


async def test_text_after_the_call_has_a_process_of_its_own_that_yields(make: Make) -> None:
    transcriber = make()
    await transcriber.warm()

    assert await hear(transcriber, background=True) == ["第1秒 thorough", "第2秒 thorough", "完 500"]

    live, later = transcriber.processes
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert (os.getpriority(os.PRIO_PROCESS, live.pid or 0), live.streams) == (own, 0)
    assert os.getpriority(os.PRIO_PROCESS, later.pid or 0) == 19


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        ("damaged", ModelDamaged, "graph/HCLG.fst is cut short; «huifang speech check echo»"),
        ("no library", EngineMissing, "the Python package echo does not start"),
        ("abort", ModelDamaged, "the engine died of it (signal 6)"),
        ("disk full", RecogniserLost, "echo cannot start: no room in "),
        ("never loads", RecogniserLost, "was not loaded within 1 s"),
    ],
)
async def test_what_cannot_start_says_why(make: Make, behave: str, error: type[Exception], says: str) -> None:
    patience = timedelta(seconds=1 if behave == "never loads" else 60)
    transcriber = make(behave, load_within=patience)

    with pytest.raises(error, match=says.replace("(", r"\(").replace(")", r"\)")):
        await transcriber.open("zh")

    assert transcriber.processes == ()


async def test_what_a_library_prints_does_not_get_between(make: Make) -> None:
    assert await hear(make("prints")) == ["第1秒 thorough", "第2秒 thorough", "完 500"]


async def test_a_killed_process_loses_its_streams_only_and_is_made_again(make: Make) -> None:
    transcriber = make(processes=2)
    one = await transcriber.open("zh")
    other = await transcriber.open("zh")
    killed, living = transcriber.processes
    assert killed.streams == living.streams == 1
    await one.feed(SECOND)
    first = await anext(one.heard())

    os.kill(killed.pid or 0, signal.SIGKILL)

    with pytest.raises(RecogniserLost, match=r"died \(signal 9\)"):
        await anext(one.heard())
    assert first.text == "第1秒"
    await other.feed(SECOND)
    assert (await anext(other.heard())).text == "第1秒"
    async with await transcriber.open("zh", at=one.fed) as again:
        await again.feed(SECOND)
        assert (await anext(again.heard())).start == 1.0
    assert len(transcriber.processes) == 2


@pytest.mark.parametrize(
    ("behave", "says"),
    [("hangs", "said nothing for 2 s"), ("breaks", "died"), ("grows", "MB of memory")],
)
async def test_a_process_that_misbehaves_is_ended_and_told(make: Make, behave: str, says: str) -> None:
    transcriber = make(behave, memory_bytes=200 << 20 if behave == "grows" else 4 << 30)
    stream = await transcriber.open("zh", patience=PATIENCE)
    pid = transcriber.processes[0].pid

    with pytest.raises(RecogniserLost, match=says):
        await feed_and_hear(stream, 3600)

    await eventually(lambda: not Path(f"/proc/{pid}").exists(), timeout=10)


async def test_one_that_dies_young_again_and_again_is_left_alone_for_a_while(make: Make) -> None:
    transcriber = make("damaged")
    for _ in range(3):
        with pytest.raises(ModelDamaged):
            await transcriber.open("zh")
    (transcriber._folder() / "behave").write_text("well", encoding="utf-8")

    with pytest.raises(ModelDamaged):
        await transcriber.open("zh")


async def test_one_that_is_behind_refuses_more_and_lives(make: Make) -> None:
    stream = await make("slow").open("zh", patience=timedelta(seconds=0.05))
    with pytest.raises(RecogniserBehind) as behind:
        await feed_and_hear(stream, 30)

    assert behind.value.retryable
    assert 9.0 < stream.lag < 12.1
    assert (await anext(stream.heard())).text == "第1秒"
    await stream.aclose()


async def test_every_recogniser_taken_is_said(make: Make) -> None:
    transcriber = make(streams=1)
    stream = await transcriber.open("zh")
    with pytest.raises(RecogniserBusy, match="1 speakers already"):
        await transcriber.open("zh")
    await stream.aclose()

    assert await hear(transcriber, background=False)


async def test_a_model_deleted_meanwhile_is_missed_by_the_next_process_only(make: Make) -> None:
    transcriber = make()
    stream = await transcriber.open("zh")
    (transcriber._folder() / "behave").unlink()

    await stream.feed(SECOND)
    assert (await anext(stream.heard())).text == "第1秒"
    await transcriber.processes[0].aclose()
    with pytest.raises(RecogniserLost):
        await anext(stream.heard())
    with pytest.raises(ModelMissing, match="speech install echo"):
        await transcriber.open("zh")


async def test_three_hours_take_no_more_memory_than_a_minute(make: Make) -> None:
    transcriber = make()
    async with await transcriber.open("zh", patience=PATIENCE) as stream:
        reader = asyncio.create_task(_count(stream.heard()))
        await stream.feed(SECOND * 60)
        await eventually(lambda: stream.lag == 0, timeout=20)
        pid = transcriber.processes[0].pid
        before = _resident(pid)
        for _ in range(179):
            await stream.feed(SECOND * 60)
        await stream.finish()
        assert await asyncio.wait_for(reader, 120) == 3 * 3600
        assert stream.fed == 3 * 3600.0
        grown = _resident(pid) - before

    assert grown < 20 << 20


async def _count(pieces: AsyncIterator[object]) -> int:
    return len([None async for _ in pieces])


def _resident(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


async def test_a_closed_transcriber_leaves_no_process(make: Make) -> None:
    transcriber = make()
    stream = await transcriber.open("zh")
    pid = transcriber.processes[0].pid

    await transcriber.aclose()

    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(RecogniserLost):
        await anext(stream.heard())
    with pytest.raises(RecogniserLost):
        await transcriber.open("zh")


async def test_a_reader_that_stops_reading_is_waited_for_not_buffered_without_end(make: Make) -> None:
    stream = await make().open("zh", patience=timedelta(seconds=0.2))
    with pytest.raises(RecogniserBehind):
        await feed_and_hear(stream, 2000)

    found = 0
    await stream.finish()
    async for _ in stream.heard():
        found += 1
    assert 490 < found < 600
