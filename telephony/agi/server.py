"""FastAGI server: from a TCP connection to a route that speaks with one call.

Written instead of panoramisk's ``Application.handler``, which one half-open peer freezes and which
swallows cancellation (architecture.md §3, hazards 1 and 11).
"""

import asyncio
import ipaddress
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import structlog
from prometheus_client import Counter, Gauge

from kernel.errors import ConfigurationError, HuifangError
from telephony.agi.codec import MAX_ENVIRONMENT, AgiEnvironment
from telephony.agi.errors import AgiConnectionRefused, CallerHungUp
from telephony.agi.session import AgiSession

log = structlog.get_logger(__name__)

Handler = Callable[[AgiSession], Awaitable[None]]

SESSIONS = Gauge("huifang_agi_sessions", "Calls under AGI control now")
ENDED = Counter("huifang_agi_sessions_ended_total", "AGI connections by how they ended", ["outcome"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiConfig:
    """Settings of the server.

    Attributes:
        host, port: where to listen; port 0 takes any free one.
        header_timeout: the whole environment must be here by then.
        command_timeout: longest wait for a reply beyond what the command itself may take.
        max_connections: connections at once, calls and others together.
        max_waiting: of these, how many may still owe their environment.
        allowed_peers: networks that may connect; empty allows whoever reaches the address.
        drain: how long calls may go on when the server stops.
    """

    host: str = "127.0.0.1"
    port: int = 4573
    header_timeout: timedelta = timedelta(seconds=5)
    command_timeout: timedelta = timedelta(seconds=5)
    max_connections: int = 2000
    max_waiting: int = 200
    allowed_peers: tuple[str, ...] = ()
    drain: timedelta = timedelta(seconds=10)


class AgiServer:
    """Listens for Asterisk and runs a handler per call.

    Args:
        config: see :class:`AgiConfig`.
        routes: first path segment → handler; the other segments are the session's ``route_args``.

    A handler that returns or raises ends the connection; Asterisk then goes on in the dialplan, where an
    empty ``HF_NEXT`` leads to a person.
    """

    def __init__(self, config: AgiConfig, routes: Mapping[str, Handler]) -> None:
        self._config = config
        self._routes = dict(routes)
        try:
            self._peers = tuple(ipaddress.ip_network(peer, strict=False) for peer in config.allowed_peers)
        except ValueError as error:
            raise ConfigurationError(f"agi allowed_peers: {error}", field="agi_allowed_peers") from error
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Task[None]] = deque()
        self._complaints = _Complaints()

    @property
    def port(self) -> int:
        """The port it listens on; only while started."""
        if self._server is None or not self._server.sockets:
            raise ConfigurationError("the AGI server is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            ConfigurationError: the address is taken or not this machine's.
        """
        try:
            self._server = await asyncio.start_server(
                self._connected, self._config.host, self._config.port, limit=MAX_ENVIRONMENT, backlog=512
            )
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen for FastAGI on {self._config.host}:{self._config.port} ({reason_of(error)})",
                field="agi_port",
            ) from error
        log.info("agi_listening", host=self._config.host, port=self.port)

    async def stop(self, drain: timedelta | None = None) -> None:
        """Stop listening, let calls finish for ``drain``, then end the rest.

        Cancelling ends the calls at once.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        seconds = (self._config.drain if drain is None else drain).total_seconds()
        for task in tuple(self._waiting):
            task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(tuple(self._tasks), timeout=seconds)
        finally:
            left = tuple(self._tasks)
            for task in left:
                task.cancel()
        if left:
            log.warning("agi_calls_cut_at_stop", calls=len(left))
            await asyncio.wait(left, timeout=5)

    async def run(self) -> None:
        """Serve until cancelled, then drain."""
        await self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        refusal = self._refusal(address)
        if refusal is not None:
            ENDED.labels("refused").inc()
            self._complaints.log(refusal, peer=address)
            writer.close()
            return
        if len(self._waiting) >= self._config.max_waiting:
            # Asterisk sends its environment within milliseconds: the oldest silent peer is not Asterisk.
            self._waiting.popleft().cancel()
        task = asyncio.create_task(self._serve(reader, writer, address), name=f"agi {address}")
        self._tasks.add(task)
        self._waiting.append(task)
        task.add_done_callback(self._finished)
        # Also when the task is cancelled before its first step.
        task.add_done_callback(lambda _: writer.close())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._no_longer_waiting(task)

    def _no_longer_waiting(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None and task in self._waiting:
            self._waiting.remove(task)

    def _refusal(self, address: str) -> str | None:
        if len(self._tasks) >= self._config.max_connections:
            return "too_many_connections"
        if self._peers and not any(ipaddress.ip_address(address) in network for network in self._peers):
            return "peer_not_allowed"
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        outcome = "done"
        try:
            environment = await self._environment(reader)
            session = AgiSession(environment, reader, writer, command_timeout=self._config.command_timeout)
            SESSIONS.inc()
            try:
                outcome = await self._route(session)
            finally:
                SESSIONS.dec()
                session.close()
        except AgiConnectionRefused as error:
            outcome = error.reason
            if error.reason != "port_scan":
                self._complaints.log(error.reason, peer=peer)
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            ENDED.labels(outcome).inc()

    async def _environment(self, reader: asyncio.StreamReader) -> AgiEnvironment:
        block = bytearray()
        try:
            async with asyncio.timeout(self._config.header_timeout.total_seconds()):
                while True:
                    line = await reader.readuntil(b"\n")
                    if line in {b"\n", b"\r\n"}:
                        break
                    block += line
                    if len(block) > MAX_ENVIRONMENT:
                        raise AgiConnectionRefused("AGI environment is too big", reason="header_too_big")
        except TimeoutError as error:
            raise AgiConnectionRefused("AGI environment is late", reason="header_timeout") from error
        except asyncio.LimitOverrunError as error:
            raise AgiConnectionRefused("AGI environment is too big", reason="header_too_big") from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            nothing = not block and not getattr(error, "partial", b"")
            raise AgiConnectionRefused(
                "the peer left before its environment was complete",
                reason="port_scan" if nothing else "header_incomplete",
            ) from error
        finally:
            self._no_longer_waiting(asyncio.current_task())
        environment = AgiEnvironment.parse(bytes(block))
        if not environment.script:
            raise AgiConnectionRefused("no agi_network_script in the environment", reason="not_agi")
        return environment

    async def _route(self, session: AgiSession) -> str:
        name, *rest = (unquote(part) for part in session.environment.script.split("/"))
        handler = self._routes.get(name)
        bound = {"channel": session.environment.channel, "route": name[:64]}
        if handler is None:
            self._complaints.log("no_route", **bound)
            return "no_route"
        session.route_args = tuple(rest)
        try:
            await handler(session)
        except CallerHungUp:
            log.debug("agi_caller_hung_up", **bound)
            return "hung_up"
        except HuifangError as error:
            log.error("agi_session_failed", error_code=error.code, error=error.message, **bound)
            return "failed"
        except Exception:
            log.exception("agi_session_crashed", **bound)
            return "crashed"
        return "done"


def reason_of(error: OSError) -> str:
    """Return why an address could not be taken; asyncio's own text repeats the address and its error."""
    return os.strerror(error.errno) if error.errno else str(error)


class _Complaints:
    """Logs each kind of nuisance once a minute with its count, so that a scan cannot fill the disk."""

    PERIOD = 60.0

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, int]] = {}

    def log(self, kind: str, **context: str) -> None:
        now = time.monotonic()
        since, more = self._seen.get(kind, (-self.PERIOD, 0))
        if now - since < self.PERIOD:
            self._seen[kind] = (since, more + 1)
            return
        self._seen[kind] = (now, 0)
        log.warning("agi_connection_refused", reason=kind, unlogged_before=more, **context)
