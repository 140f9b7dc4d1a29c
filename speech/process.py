"""A recogniser's process as the service sees it: started, watched, and the streams it has.

The process may die or hang at any moment; then each of its streams gets :class:`RecogniserLost`, and the pool
makes a new one.
"""

import asyncio
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from kernel.errors import HuifangError
from speech.engines import ENGINES
from speech.ports import (
    EngineMissing,
    ModelDamaged,
    RecogniserLost,
)
from speech.process_stream import ProcessStream
from speech.wire import Decoder, Frame, Kind, WireBroken, encode, encode_json

log = structlog.get_logger(__name__)

STREAMS = Gauge("huifang_recogniser_streams", "Speakers being listened to", ["engine"])
LOST = Counter("huifang_recognisers_lost_total", "Recognisers that died or hung", ["engine"])

READ_BYTES = 64 * 1024
WATCH_SECONDS = 1.0
END_SECONDS = 5.0
PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """How to start a recogniser's process.

    Attributes:
        folder: the model's files.
        threads: how many streams it listens to at the same moment.
        warm: recognisers made ready before the first stream.
        nice: how much it yields to everything else, 0 to 19.
        memory_bytes: more, and it is ended.
        thorough: nobody waits for the text: better is worth more than sooner.
        load_within: the model is loaded by then, or the process is ended.
    """

    engine: str
    model: str
    folder: Path
    threads: int = 2
    warm: int = 2
    nice: int = 5
    thorough: bool = False
    memory_bytes: int = 4 << 30
    load_within: timedelta = timedelta(seconds=120)

    def command(self) -> tuple[str, ...]:
        """Return the command line."""
        kind = ENGINES[self.engine]
        return (
            *(sys.executable, "-m", "speech.worker", kind.module, str(self.folder)),
            *("--piece", str(kind.piece_seconds)),
            *("--threads", str(self.threads), "--warm", str(self.warm), "--nice", str(self.nice)),
        )


class RecogniserProcess:
    """One process with one model in its memory."""

    def __init__(self, plan: ProcessPlan) -> None:
        self.plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._streams: dict[int, ProcessStream] = {}
        self._next = 1
        self._ready = asyncio.Event()
        self._failed: HuifangError | None = None
        self._task: asyncio.Task[None] | None = None
        self._progress = time.monotonic()
        self._last_words: deque[str] = deque(maxlen=20)
        self._born = self._ended = 0.0
        self.idle_since = time.monotonic()

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.plan.engine

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.plan.model

    @property
    def pid(self) -> int | None:
        """The process's number, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def alive(self) -> bool:
        """Whether streams can be opened."""
        return self._failed is None and self._task is not None and not self._task.done()

    @property
    def lived(self) -> timedelta:
        """How long it was ready, up to now or its end."""
        if not self._born:
            return timedelta(0)
        return timedelta(seconds=(self._ended or time.monotonic()) - self._born)

    @property
    def streams(self) -> int:
        """How many streams it has."""
        return len(self._streams)

    async def start(self) -> None:
        """Start the process and return when the model is loaded.

        Raises:
            ModelDamaged: the engine cannot read the model.
            EngineMissing: the engine's library does not start.
            RecogniserLost: it died, or took longer than ``plan.load_within``.
        """
        self._task = asyncio.create_task(self._live(), name=f"recogniser-{self.plan.model}")
        try:
            async with asyncio.timeout(self.plan.load_within.total_seconds()):
                await self._ready.wait()
        except TimeoutError as error:
            await self.aclose()
            raise RecogniserLost(
                f"{self.plan.model} was not loaded within {self.plan.load_within.total_seconds():.0f} s"
            ) from error
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._failed is not None:
            await self.aclose()
            raise self._failed

    async def open(
        self, language: str, *, at: float, phrases: Sequence[str], patience: timedelta
    ) -> ProcessStream:
        """Open a stream; see the port."""
        if not self.alive:
            raise self._failed or RecogniserLost("the recogniser has ended")
        number, self._next = self._next, self._next + 1
        stream = ProcessStream(self, number, at, patience)
        self._streams[number] = stream
        STREAMS.labels(self.plan.engine).inc()
        if len(self._streams) == 1:
            self._progress = time.monotonic()
        wish = {"language": language, "phrases": list(phrases), "thorough": self.plan.thorough}
        self.send(encode_json(Kind.OPEN, number, wish))
        try:
            await stream.wait_open(ENGINES[self.plan.engine].silent_for)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    def send(self, data: bytes) -> None:
        """Write to the process; what was written to a dead one is lost with it."""
        if self._process is None or self._process.stdin is None or self._process.stdin.is_closing():
            return
        self._process.stdin.write(data)

    def forget(self, number: int, *, ended: bool) -> None:
        """Let go of a stream."""
        if self._streams.pop(number, None) is None:
            return
        STREAMS.labels(self.plan.engine).dec()
        self.idle_since = time.monotonic()
        if not ended:
            self.send(encode(Kind.CLOSE, number))

    async def aclose(self) -> None:
        """End the process; its streams are lost."""
        if self._task is not None:
            if self._failed is None:
                self._task.cancel()
            # Not gathered: who is cancelled while waiting must not interrupt its end.
            await asyncio.wait({self._task})

    async def _live(self) -> None:
        """Run the process until it ends, then say so to every stream."""
        error: HuifangError = RecogniserLost("the recogniser was ended")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.plan.command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
            )
            error = await self._listen(self._process)
            LOST.labels(self.plan.engine).inc()
            log.warning(
                "recogniser_lost",
                engine=self.plan.engine,
                model=self.plan.model,
                error=error.message,
                streams=len(self._streams),
                said=" | ".join(self._last_words)[-500:],
            )
        except OSError as failure:
            error = RecogniserLost(f"a recogniser could not be started: {failure.strerror}")
        except Exception:  # the border: whatever it is, the streams must hear of it
            log.exception("recogniser_watch_failed", engine=self.plan.engine, model=self.plan.model)
            error = RecogniserLost("the recogniser could not be followed any more")
        finally:
            self._failed = error
            self._ended = time.monotonic()
            self._ready.set()
            for number, stream in list(self._streams.items()):
                self.forget(number, ended=True)
                stream.lose(error)
            if self._process is not None:
                await asyncio.shield(_end(self._process))

    async def _listen(self, process: asyncio.subprocess.Process) -> HuifangError:
        """Take what the process says; return why it is of no more use."""
        jobs = [
            asyncio.create_task(self._read(process)),
            asyncio.create_task(self._watch(process)),
        ]
        words = asyncio.create_task(self._read_errors(process))
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for job in (*jobs, words):
                job.cancel()
            await asyncio.gather(*jobs, words, return_exceptions=True)

    async def _read(self, process: asyncio.subprocess.Process) -> HuifangError:
        assert process.stdout is not None
        decoder = Decoder()
        try:
            while data := await process.stdout.read(READ_BYTES):
                for frame in decoder.feed(data):
                    failure = self._take(frame)
                    if failure is not None:
                        return failure
        except WireBroken as error:
            return RecogniserLost(f"the recogniser said what makes no sense: {error}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        return self._why(process.returncode)

    def _take(self, frame: Frame) -> HuifangError | None:
        self._progress = time.monotonic()
        if frame.kind is Kind.READY:
            self._born = time.monotonic()
            self._ready.set()
        elif frame.kind is Kind.FAILED:
            failure = frame.json()
            return self._refused(str(failure.get("code")), str(failure.get("message")))
        else:
            stream = self._streams.get(frame.stream)
            if stream is not None:
                stream.take(frame)
        return None

    def _refused(self, code: str, message: str) -> HuifangError:
        if code == "engine_missing":
            library = ENGINES[self.engine].library
            return EngineMissing(
                f"the Python package {library} does not start ({message}): install the product again"
            )
        if code == "disk_full":
            return RecogniserLost(
                f"{self.plan.model} cannot start: no room in {tempfile.gettempdir()}: make some"
            )
        if code == "model_damaged":
            return ModelDamaged(f"{self.plan.model}: {message}; {_mend(self.plan.model)}")
        return RecogniserLost(f"the recogniser gave up: {message}")

    def _why(self, status: int | None) -> HuifangError:
        said = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        if not self._ready.is_set() and status not in {-9, -15}:
            # It fell over the model: the library ends its process rather than say so.
            return ModelDamaged(
                f"{self.plan.model}: the engine died of it ({said}); {_mend(self.plan.model)}"
            )
        return RecogniserLost(f"the recogniser died ({said})")

    async def _watch(self, process: asyncio.subprocess.Process) -> HuifangError:
        """Return when the process hangs or grows too large."""
        silent_for = ENGINES[self.plan.engine].silent_for.total_seconds()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            size = _resident(process.pid)
            if size > self.plan.memory_bytes:
                return RecogniserLost(f"the recogniser took {size >> 20} MB of memory")
            if not any(stream.waits for stream in self._streams.values()):
                self._progress = time.monotonic()
            elif time.monotonic() - self._progress > silent_for:
                return RecogniserLost(f"the recogniser said nothing for {silent_for:.0f} s")

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        """Keep the last lines that the engine's library printed."""
        assert process.stderr is not None
        while data := await process.stderr.read(READ_BYTES):
            self._last_words.extend(data.decode("utf-8", "replace").splitlines()[-20:])


def _mend(model: str) -> str:
    return (
        f"«huifang speech check {model}» says what is wrong, «huifang speech install {model}» brings it back"
    )


def _environment() -> dict[str, str]:
    """Without the libraries' own threads: how many there are is ours to say."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(threads, "1"), "PYTHONUNBUFFERED": "1"}


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0  # gone, or a system that does not tell


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process for good: its input is closed, then it is killed."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
    # The pipes' transports are closed with the last read; waiting here keeps nothing behind.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
