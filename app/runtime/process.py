"""One program kept running: started, proved ready, restarted when it falls, stopped for good.

The program leads a process group of its own (Ctrl-C reaches only us, and we stop the programs in order),
writes to a log file of limited size, and dies with us even if we are killed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog
from prometheus_client import Counter

from app.runtime.command import tied_front
from app.runtime.errors import ProcessFailed

log = structlog.get_logger(__name__)

RESTARTS = Counter(
    "huifang_process_restarts_total", "Programs started again after an unexpected end", ["process"]
)

PROBE_EVERY_SECONDS = 0.05
PROBE_DEADLINE_SECONDS = 5.0
LOG_CHECK_SECONDS = 20.0
LOG_LIMIT_BYTES = 8 << 20
LOG_TAIL_BYTES = 2000
TERMINATE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before each new start: doubling, and from the beginning after a quiet time."""

    first: timedelta = timedelta(seconds=0.5)
    most: timedelta = timedelta(seconds=30)
    quiet: timedelta = timedelta(minutes=1)

    def wait(self, failures: int) -> timedelta:
        """Return the wait after this many failures in a row (1 or more)."""
        doubled: timedelta = self.first * 2 ** min(max(failures - 1, 0), 16)
        return min(self.most, doubled)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run and how to know that it works.

    Attributes:
        ready: returns True once the program does its work; called again and again until then. It may
            raise OSError while the program does not listen yet.
        stop: asks the program politely to end; SIGTERM is sent where there is none.
        run_as: user and group id to run as, for a program that refuses to be root.
        death_signal: what the kernel sends the program when we die.
    """

    name: str
    command: Sequence[str]
    folder: Path
    log_file: Path
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_within: timedelta = timedelta(seconds=20)
    stop: Callable[[], Awaitable[None]] | None = None
    stop_within: timedelta = timedelta(seconds=10)
    run_as: tuple[int, int] | None = None
    death_signal: signal.Signals = signal.SIGKILL
    log_limit_bytes: int = LOG_LIMIT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnded:
    """A program ended though nobody asked it to; given to the alert."""

    name: str
    status: int  # negative: killed by that signal
    failures: int  # in a row
    output: str  # the end of its log file


class ManagedProcess:
    """A program under supervision.

    Use ``start``, then ``watch`` in a task, then ``stop``; or ``running`` for all three. Start it from the
    main thread: the kernel ties the program to the thread that started it.

    Args:
        alert: called when the program ended by itself, before it is started again.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        alert: Callable[[ProcessEnded], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self._alert = alert
        self._backoff = backoff or Backoff()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the program and wait until it is ready.

        Cancelling kills the program.

        Raises:
            ProcessFailed: it ended or was not ready in time; the message has the end of its output.
        """
        self._stopping = False
        try:
            await self._kill()  # what the last run may have left of its group
            await self._spawn()
            if self._stopping:
                raise ProcessFailed(f"{self.spec.name} was stopped while it started")
            await self._wait_ready()
        except BaseException:
            await self._kill()
            raise
        log.info("process_ready", process=self.spec.name, pid=self.pid)

    async def watch(self) -> None:
        """Start the program again each time it ends by itself; returns after ``stop``."""
        failures = 0
        while self._process is not None and not self._stopping:
            began = time.monotonic()
            status = await self._wait_end(self._process)
            if self._stopping:
                return
            if time.monotonic() - began > self._backoff.quiet.total_seconds():
                failures = 0
            failures += 1
            self._report(status, failures)
            while not self._stopping:
                await asyncio.sleep(self._backoff.wait(failures).total_seconds())
                if await self._start_again(failures):
                    break
                failures += 1

    async def _start_again(self, failures: int) -> bool:
        if self._stopping:
            return False
        try:
            await self.start()
        except (ProcessFailed, OSError) as error:
            if not self._stopping:
                log.error("process_start_failed", process=self.spec.name, failures=failures, error=str(error))
            return False
        self.restarts += 1
        RESTARTS.labels(self.spec.name).inc()
        return True

    async def stop(self) -> None:
        """End the program: politely, then with SIGTERM, then with SIGKILL for the whole group.

        Cancelling kills the program at once.
        """
        self._stopping = True
        process = self._process
        try:
            if process is None or process.returncode is not None:
                return
            if self.spec.stop is not None:
                with contextlib.suppress(TimeoutError, OSError, ProcessFailed):
                    async with asyncio.timeout(self.spec.stop_within.total_seconds()):
                        await self.spec.stop()
                        await process.wait()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TERMINATE_SECONDS):
                        await process.wait()
            if process.returncode is None:
                log.warning("process_killed", process=self.spec.name, pid=process.pid)
        finally:
            await self._kill()
            log.info("process_stopped", process=self.spec.name)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ManagedProcess"]:
        """Start it, keep it running inside the block, stop it after the block."""
        await self.start()
        watcher = asyncio.create_task(self.watch(), name=f"watch-{self.spec.name}")
        try:
            yield self
        finally:
            try:
                await self.stop()
            finally:
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)

    def output(self) -> str:
        """Return the end of the log file."""
        try:
            with self.spec.log_file.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""

    async def _spawn(self) -> None:
        spec = self.spec
        self._rotate()
        # Written straight to the file: a pipe that we are slow to empty would stop the program.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        output = os.open(spec.log_file, flags, 0o640)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *tied_front(death_signal=spec.death_signal, run_as=spec.run_as),
                *spec.command,
                cwd=spec.folder,
                env={**os.environ, **spec.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)

    async def _wait_ready(self) -> None:
        process = self._process
        assert process is not None
        seconds = self.spec.ready_within.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                while process.returncode is None:
                    if await self._probe():
                        return
                    await asyncio.sleep(PROBE_EVERY_SECONDS)
        except TimeoutError:
            raise ProcessFailed(
                f"{self.spec.name} was not ready within {seconds:g} seconds: {self._last_lines()}"
            ) from None
        raise ProcessFailed(
            f"{self.spec.name} ended at its start with status {process.returncode}: {self._last_lines()}"
        )

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_DEADLINE_SECONDS):
                return await self.spec.ready()
        except (OSError, TimeoutError, EOFError):
            return False

    async def _wait_end(self, process: asyncio.subprocess.Process) -> int:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOG_CHECK_SECONDS):
                    return await process.wait()
            self._rotate()

    def _report(self, status: int, failures: int) -> None:
        ended = ProcessEnded(name=self.spec.name, status=status, failures=failures, output=self._last_lines())
        log.error("process_ended", process=ended.name, status=status, failures=failures)
        if self._alert is not None:
            self._alert(ended)

    def _last_lines(self) -> str:
        return " / ".join(line.strip() for line in self.output().splitlines()[-3:]) or "it printed nothing"

    def _rotate(self) -> None:
        """Keep one older file; the program goes on writing to the same file, which is emptied."""
        file = self.spec.log_file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            if file.stat().st_size <= self.spec.log_limit_bytes:
                return
            shutil.copyfile(file, file.with_name(f"{file.name}.1"))
            os.truncate(file, 0)
        except FileNotFoundError:
            return

    async def _kill(self) -> None:
        """Kill what is left of the group and collect the program's status."""
        process, self._process = self._process, None
        if process is None:
            return  # killed before: by now its number may be another program's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
