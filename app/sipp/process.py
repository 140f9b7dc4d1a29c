"""One SIPp: started with a scenario, heard through its log actions, steered by messages of our own.

SIPp has no language for "now hang up". But a scenario may wait for a request of any name, so a call is
steered by sending SIPp a request that no telephone knows (``HANGUP``, ``HOLD`` …) with the call's Call-ID.
What happens in a call comes back the same moment through the scenario's ``<log>`` actions, which SIPp
writes into a FIFO of ours. Works with SIPp 3.6 to 3.8 and needs no rights.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.runtime.command import tied_front
from kernel.errors import Invalid, Unavailable

STOP_SECONDS: Final = 2.0
SETTLE_SECONDS: Final = 0.05
QUEUE_LIMIT: Final = 100_000

_templates: Final = Environment(
    loader=PackageLoader("app", "sipp"), undefined=StrictUndefined, autoescape=True, trim_blocks=True
)


class SippFailed(Unavailable):
    """SIPp could not be started or refused its scenario."""

    code = "sipp_failed"


@dataclass(frozen=True, slots=True)
class SippEvent:
    """Something that happened in a call; the scenario writes ``name call_number call_id detail…``."""

    name: str
    call_number: int
    call_id: str
    detail: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> "SippEvent | None":
        """A line of the log, or None when it is none of ours."""
        name, number, call_id, *detail = [*line.split(), "", "", ""][:3] + line.split()[3:]
        return cls(name, int(number), call_id, tuple(detail)) if number.isdigit() and call_id else None


def render_scenario(name: str, **values: object) -> str:
    """The XML of a scenario template of this folder."""
    return _templates.get_template(f"{name}.xml.j2").render(values)


def free_udp_port(host: str) -> int:
    """A port that nobody uses now. SIPp cannot take port 0: its own address stands in its messages."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class SippProcess:
    """A running SIPp; ``async with`` starts and ends it.

    Args:
        command: how SIPp is started (`app.runtime` knows), without arguments.
        scenario: the XML.
        target: the PBX, as (host, port).
        host: our address, also for media.
        port: our SIP port; 0 takes a free one.
        folder: an existing folder for its files; several SIPps may share it.
        rows: for each call a row of fields, which the scenario names ``[field0]`` and so on. Fields may
            hold anything but ``;`` and line breaks, so a caller's name may be as hostile as it likes.
    """

    _numbers: Final = count(1)

    def __init__(
        self,
        command: Sequence[str],
        scenario: str,
        *,
        target: tuple[str, int],
        host: str,
        folder: Path,
        port: int = 0,
        arguments: Sequence[str] = (),
        rows: Sequence[Sequence[str]] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self.port = port or free_udp_port(host)
        self._command = list(command)
        self._scenario = scenario
        self._target = target
        self._arguments = list(arguments)
        self._rows = rows
        self._env = {**os.environ, "TERM": "dumb", **(env or {})}
        self._base = folder / f"sipp-{os.getpid()}-{next(self._numbers)}"
        self._events: asyncio.Queue[SippEvent | None] = asyncio.Queue(QUEUE_LIMIT)
        self._process: asyncio.subprocess.Process | None = None
        self._fifo = -1
        self._rest = b""
        self._poke_socket: socket.socket | None = None
        self._pokes = count(1)
        self._waiter: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def add_arguments(self, arguments: Sequence[str]) -> None:
        """More arguments for SIPp, before it is started."""
        self._arguments.extend(arguments)

    def _file(self, suffix: str) -> Path:
        return self._base.with_name(f"{self._base.name}.{suffix}")

    async def start(self) -> None:
        """Start SIPp.

        Raises:
            SippFailed: there is no such program.
        """
        scenario, log = self._file("xml"), self._file("events")
        scenario.write_text(self._scenario, encoding="utf-8")
        os.mkfifo(log)
        # read and write: so that opening does not wait for SIPp, nor its end look like ours
        self._fifo = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fifo, self._read)
        self._poke_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._poke_socket.setblocking(False)
        arguments = ["-sf", str(scenario), "-i", self.host, "-p", str(self.port), "-nostdin", "-trace_logs"]
        arguments += ["-log_file", str(log), "-trace_err", "-error_file", str(self._file("errors"))]
        if self._rows:
            lines = [";".join(map(csv_field, row)) for row in self._rows]
            self._file("csv").write_bytes(
                "\n".join(["SEQUENTIAL", *lines, ""]).encode("utf-8", "surrogateescape")
            )
            arguments += ["-inf", str(self._file("csv"))]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *tied_front(),
                *self._command,
                *arguments,
                *self._arguments,
                f"{self._target[0]}:{self._target[1]}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._env,
                cwd=self._base.parent,
                start_new_session=True,
            )
        except OSError as error:
            await self.stop()
            raise SippFailed("SIPp cannot be started: is sip-tester installed?") from error
        self._waiter = asyncio.create_task(self._wait_end(self._process), name="sipp-end")

    async def events(self) -> AsyncIterator[SippEvent]:
        """What happens in the calls, until SIPp ends."""
        while (event := await self._events.get()) is not None:
            yield event

    def tell(self, call_id: str, verb: str, **headers: str) -> None:
        """Steer a call: send the scenario the request ``verb`` with ``X-`` headers (``to`` → ``X-To``)."""
        assert self._poke_socket is not None
        number = next(self._pokes)
        rows = [
            f"{verb} sip:control@{self.host} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:9;branch=z9hG4bK-control-{number}",
            f"From: <sip:control@{self.host}>;tag={number}",
            f"To: <sip:call@{self.host}>",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {verb}",
            *(f"X-{name.title()}: {value}" for name, value in headers.items()),
            "Content-Length: 0",
        ]
        raw = ("\r\n".join(rows) + "\r\n\r\n").encode()
        # SIPp logs a message before it sends the reply to it, and a request in between ends the call
        asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._send, raw)

    def _send(self, raw: bytes) -> None:
        if self._poke_socket is not None and self._poke_socket.fileno() >= 0:
            self._poke_socket.sendto(raw, (self.host, self.port))

    async def wait(self) -> int:
        """Wait until all calls are over; the exit status is 0 when none failed."""
        assert self._process is not None
        return await self._process.wait()

    @property
    def pid(self) -> int | None:
        """The process id while SIPp runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether SIPp is there."""
        return self._process is not None and self._process.returncode is None

    def errors(self) -> str:
        """What SIPp complained of, the end of it."""
        with contextlib.suppress(OSError):
            return self._file("errors").read_text(encoding="utf-8", errors="replace")[-2000:]
        return ""

    async def stop(self) -> None:
        """End SIPp now; calls that are up are dropped without a word."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._waiter is not None:
            await self._waiter
        if self._fifo >= 0:
            asyncio.get_running_loop().remove_reader(self._fifo)
            os.close(self._fifo)
            self._fifo = -1
            self._file("events").unlink(missing_ok=True)
        if self._poke_socket is not None:
            self._poke_socket.close()

    async def _wait_end(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._read()
        self._put(None)

    def _read(self) -> None:
        if self._fifo < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fifo, 65536):
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    event = SippEvent.parse(line.decode("utf-8", "replace"))
                    if event is not None:
                        self._put(event)

    def _put(self, event: SippEvent | None) -> None:
        # the oldest go when nobody listens: a load of calls must not fill the memory
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)


def csv_field(value: str) -> str:
    """A field for SIPp's file of fields, which has no quoting.

    Raises:
        Invalid: it would be two fields or two lines.
    """
    if set(value) & set(";\r\n"):
        raise Invalid("a field for SIPp may not hold ; or a line break")
    return value
