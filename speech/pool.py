"""The processes of one model: kept warm, shared out, started again when one is lost."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import structlog

from kernel.errors import HuifangError
from speech.engines import ENGINES
from speech.ports import (
    Capabilities,
    LanguageUnknown,
    RecogniserBusy,
    RecogniserLost,
    Stream,
    checked_phrases,
)
from speech.process import ProcessPlan, RecogniserProcess

log = structlog.get_logger(__name__)

BACKGROUND_NICE = 19
BACKGROUND_STREAMS = 2
IDLE = timedelta(minutes=2)
"""A process for text after the call ends when it has had nothing to do for so long."""

EARS_READY = 8
"""So many speakers find an ear that is ready; the next ones wait for theirs, and slow down the others."""

TOO_OFTEN = 3
"""So many processes in a row that died young: the next one waits."""

SHORT_LIFE = timedelta(seconds=10)
"""Younger, and something kills them; older, and the count begins anew."""

REST_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How much of the machine one model may take for live text.

    Attributes:
        processes: each has the model in its memory once.
        streams: of each process.
        threads: of each process: streams it listens to at the same moment.
        memory_bytes: of each process; more, and it is ended.
        nice: how much a process yields to everything else.
        idle: a process that has had nothing to do for so long ends; ``None`` keeps it ready.
    """

    processes: int = 1
    streams: int = 16
    threads: int = 2
    memory_bytes: int = 4 << 30
    nice: int = 5
    load_within: timedelta = timedelta(seconds=120)
    idle: timedelta | None = None


class ProcessTranscriber:
    """Implements :class:`speech.ports.Transcriber` with recognisers in processes of their own.

    Text after the call has a process of its own, which yields to everything else and goes when it is idle.

    Args:
        words: language → words that are always expected, besides the phrases of a stream.
        folder: returns where the model's files are; raises ``ModelMissing`` or ``ModelDamaged``. Asked each
            time a process is started.
    """

    def __init__(
        self,
        engine: str,
        model: str,
        languages: frozenset[str],
        folder: Callable[[], Path],
        limits: PoolLimits,
        words: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._words = words or {}
        self._engine = engine
        self._model = model
        self._languages = languages
        self._folder = folder
        self._limits = limits
        self._live: list[RecogniserProcess] = []
        self._background: list[RecogniserProcess] = []
        self._starting = asyncio.Lock()
        self._deaths = 0
        self._rest_until = 0.0
        self._last: HuifangError | None = None
        self._idle_watch: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self._engine

    @property
    def model(self) -> str:
        """Name of the model in the store."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        kind = ENGINES[self._engine]
        return Capabilities(
            streaming=kind.streaming,
            partials=kind.partials,
            word_times=kind.word_times,
            phrases=kind.phrases or "zh" in self._languages,
            languages=self._languages,
        )

    @property
    def processes(self) -> tuple[RecogniserProcess, ...]:
        """Those that run, live ones first."""
        return (*(p for p in self._live if p.alive), *(p for p in self._background if p.alive))

    async def open(
        self,
        language: str,
        *,
        at: float = 0.0,
        phrases: Sequence[str] = (),
        background: bool = False,
        patience: timedelta = timedelta(seconds=5),
    ) -> Stream:
        """Open a stream; see the port."""
        if language not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise LanguageUnknown(
                f"{self._model} does not know {language!r}: it knows {known}", field="language"
            )
        hints = (*checked_phrases(phrases), *self._words.get(language, ()))
        process = await self._process(background)
        return await process.open(
            language, at=at, phrases=hints if self.capabilities.phrases else (), patience=patience
        )

    async def warm(self) -> None:
        """Have a process ready for live text. Raises what ``open`` raises."""
        await self._process(background=False, warming=True)

    async def aclose(self) -> None:
        """End every stream and every process."""
        self._closed = True
        if self._idle_watch is not None:
            self._idle_watch.cancel()
            await asyncio.gather(self._idle_watch, return_exceptions=True)
        for process in (*self._live, *self._background):
            await process.aclose()
        self._live.clear()
        self._background.clear()

    async def _process(self, background: bool, *, warming: bool = False) -> RecogniserProcess:
        """Return the process with the fewest streams, starting one where there is room for it."""
        async with self._starting:
            if self._closed:
                raise RecogniserLost("the transcriber was closed")
            pool = self._background if background else self._live
            await self._bury(pool)
            most = 1 if background else self._limits.processes
            streams = BACKGROUND_STREAMS if background else self._limits.streams
            free = [process for process in pool if process.streams < streams]
            idle = [process for process in free if not process.streams]
            if idle or (free and (warming or len(pool) >= most)):
                return min(free, key=lambda process: process.streams)
            if len(pool) >= most:
                raise RecogniserBusy(
                    f"{self._model} listens to {most * streams} speakers already, which is the most"
                )
            try:
                process = await self._start(background)
            except RecogniserLost:
                if free:
                    return free[0]
                raise
            pool.append(process)
            return process

    async def _bury(self, pool: list[RecogniserProcess]) -> None:
        """Take the dead out; several in a row that did not live long mean that the next one waits."""
        for process in [process for process in pool if not process.alive]:
            pool.remove(process)
            await process.aclose()
            if process.lived < SHORT_LIFE:
                self._died()
            else:
                self._deaths = 0

    def _died(self) -> None:
        self._deaths += 1
        if self._deaths >= TOO_OFTEN:
            self._rest_until = time.monotonic() + REST_SECONDS
            self._deaths = 0

    async def _start(self, background: bool) -> RecogniserProcess:
        rest = self._rest_until - time.monotonic()
        if rest > 0:
            raise self._last or RecogniserLost(
                f"the recogniser died {TOO_OFTEN} times; it is tried again in {rest:.0f} s"
            )
        limits = self._limits
        plan = ProcessPlan(
            engine=self._engine,
            model=self._model,
            folder=self._folder(),
            threads=limits.threads,
            warm=min(EARS_READY, limits.streams),
            nice=limits.nice,
            memory_bytes=limits.memory_bytes,
            load_within=limits.load_within,
        )
        if background:
            plan = replace(plan, threads=1, warm=0, nice=BACKGROUND_NICE, thorough=True)
        if background or limits.idle is not None:
            self._watch_idle()
        process = RecogniserProcess(plan)
        began = time.monotonic()
        try:
            await process.start()
        except HuifangError as error:
            self._last = error
            self._died()
            raise
        self._last = None
        took = time.monotonic() - began
        log.info("recogniser_started", engine=self._engine, model=self._model, seconds=round(took, 1))
        return process

    def _watch_idle(self) -> None:
        if self._idle_watch is None or self._idle_watch.done():
            self._idle_watch = asyncio.create_task(self._end_idle())

    async def _end_idle(self) -> None:
        """End processes that have nothing to do; returns when there is none left that could."""
        pools = [(self._background, IDLE)]
        if self._limits.idle is not None:
            pools.append((self._live, self._limits.idle))
        while True:
            await asyncio.sleep(min(idle for _, idle in pools).total_seconds() / 4)
            async with self._starting:
                for pool, idle in pools:
                    for process in list(pool):
                        quiet = time.monotonic() - process.idle_since
                        if not process.alive or (not process.streams and quiet > idle.total_seconds()):
                            pool.remove(process)
                            await process.aclose()
                if not any(pool for pool, _ in pools):
                    return
