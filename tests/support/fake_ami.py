"""A manager interface over real TCP that behaves, or misbehaves exactly as a test asks.

By itself it is a small PBX: log-in, queues with members, channels, originates (`fake_pbx.py`). A test may
send events (`event`), raw bytes (`raw`), refuse, fall silent, drip, cut and freeze.

    async with FakeAmi() as pbx:
        async with AmiLink(pbx.config(), clock=clock, node="pbx1") as link:
            ...
            pbx.event("Hangup", {"Uniqueid": "1"})
"""

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from telephony.ami import AmiConfig
from tests.support.fake_pbx import FakePbx, Message, response
from tests.support.waiting import eventually

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
Headers = Mapping[str, str | Iterable[str]]


def message(headers: Headers) -> bytes:
    """The bytes of one AMI message; a header with several values is repeated."""
    lines: list[str] = []
    for key, value in headers.items():
        values = (value,) if isinstance(value, str) else value
        lines.extend(f"{key}: {text}\r\n" for text in values)
    return ("".join(lines) + "\r\n").encode()


def event(name: str, headers: Headers | None = None) -> bytes:
    """The bytes of one event."""
    return message({"Event": name, **(headers or {})})


@dataclass(frozen=True, slots=True)
class Received:
    """An action as it arrived: header names in lower case, repeated headers in order."""

    name: str
    headers: dict[str, list[str]]
    raw: bytes

    def get(self, key: str, default: str = "") -> str:
        """The first value of a header."""
        return self.headers.get(key.lower(), [default])[0]

    @property
    def action_id(self) -> str:
        """Its ActionID."""
        return self.get("actionid")


@dataclass(slots=True)
class Behaviour:
    """How the server treats its clients; change it at any time, it counts from the next action on."""

    banner: bytes | None = BANNER
    refuse_login: bool = False
    boots: bool = True  # False: FullyBooted never comes
    reads: bool = True  # False: the socket is accepted and never read
    silent: set[str] = field(default_factory=set)  # actions that get no answer; "*" for all
    # Action → the bytes to send instead of the answer.
    answers: dict[str, Callable[[Received], bytes]] = field(default_factory=dict)
    drip: int = 0  # send everything in pieces of so many bytes


class Connection:
    """One client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.challenge = ""
        self.logged_in = False
        self.events = False
        self.drip = 0

    def send(self, data: bytes) -> None:
        """Write, in pieces when asked to; every piece is a segment of its own."""
        if self.writer.is_closing():
            return
        if self.drip <= 0:
            self.writer.write(data)
            return
        for start in range(0, len(data), self.drip):
            self.writer.write(data[start : start + self.drip])

    def cut(self) -> None:
        """Reset the connection."""
        transport = self.writer.transport
        transport.abort()


class FakeAmi:
    """The server. ``actions`` is everything it was ever asked, over all connections, in order."""

    def __init__(
        self,
        *,
        username: str = "huifang",
        secret: str = "秘密-secret",
        queues: Iterable[str] = ("complaint", "repair", "service"),
    ) -> None:
        self.behaviour = Behaviour()
        self.actions: list[Received] = []
        self.connections: list[Connection] = []
        self.accepted = 0
        self.port = 0
        self.pbx = FakePbx(queues, emit=self._emit)
        self._username = username
        self._secret = secret
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._challenges = itertools.count(100_000)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Open the port (the same one as before, after `stop`)."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=1024 * 1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    def config(self, **changes: Any) -> AmiConfig:
        """Settings of a link to this server: short backoff, the rest as in life."""
        values: dict[str, Any] = {
            "port": self.port,
            "username": self._username,
            "secret": self._secret,
            "backoff_first": timedelta(milliseconds=20),
            "backoff_most": timedelta(milliseconds=100),
        }
        return AmiConfig(**{**values, **changes})

    # -- what the server does of itself ----------------------------------------------------------------

    def event(self, name: str, headers: Headers | None = None) -> None:
        """Send an event to everybody who is logged in."""
        self.raw(event(name, headers))

    def raw(self, data: bytes) -> None:
        """Send bytes to everybody who is logged in."""
        for connection in self.connections:
            if connection.logged_in:
                connection.drip = self.behaviour.drip
                connection.send(data)

    def cut(self) -> None:
        """Reset every connection; clients may come back."""
        for connection in self.connections:
            connection.cut()

    def hang_up(self) -> None:
        """Close every connection in order (end of file)."""
        for connection in self.connections:
            connection.writer.close()

    def freeze(self) -> None:
        """From now on nobody gets an answer, though the connections stay open (half-open)."""
        self.behaviour.silent.add("*")

    def thaw(self) -> None:
        """Answer again."""
        self.behaviour.silent.discard("*")

    def restart(self) -> None:
        """Asterisk was started anew: no channels, no dynamic members, another start-up time."""
        self.pbx.restart()
        self.cut()

    # -- what a test may ask ---------------------------------------------------------------------------

    def seen(self, name: str) -> list[Received]:
        """The actions of one name so far."""
        return [action for action in self.actions if action.name.lower() == name.lower()]

    async def asked(self, name: str, *, count: int = 1, timeout: float = 5.0) -> Received:
        """Wait until an action has come ``count`` times; return the last of them."""
        await eventually(
            lambda: len(self.seen(name)) >= count, timeout=timeout, what=f"{count} × action {name}"
        )
        return self.seen(name)[count - 1]

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The server's own tasks, for tests that look for forgotten ones."""
        return set(self._tasks)

    @property
    def logged_in(self) -> int:
        """How many clients are logged in now."""
        return sum(connection.logged_in for connection in self.connections)

    # -- inside ----------------------------------------------------------------------------------------

    def _emit(self, name: str, headers: Message) -> None:
        self.event(name, headers)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        connection = Connection(reader, writer)
        self.connections.append(connection)
        try:
            if self.behaviour.banner is not None:
                connection.send(self.behaviour.banner)
            await self._serve(connection)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.remove(connection)
            self._tasks.discard(task)
            connection.cut()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, connection: Connection) -> None:
        while True:
            if not self.behaviour.reads:
                await asyncio.Event().wait()
            raw = await connection.reader.readuntil(b"\r\n\r\n")
            headers: dict[str, list[str]] = {}
            for line in raw.decode().splitlines():
                key, colon, value = line.partition(": ")
                if colon:
                    headers.setdefault(key.lower(), []).append(value)
            action = Received(headers.get("action", [""])[0], headers, raw)
            self.actions.append(action)
            connection.drip = self.behaviour.drip
            await self._answer(connection, action)

    async def _answer(self, connection: Connection, action: Received) -> None:
        behaviour = self.behaviour
        if action.name in behaviour.silent or "*" in behaviour.silent:
            return
        if action.name in behaviour.answers:
            connection.send(behaviour.answers[action.name](action))
            return
        handler: Callable[[Connection, Received], Awaitable[None]] | None = {
            "Challenge": self._challenge,
            "Login": self._login,
            "Logoff": self._logoff,
        }.get(action.name)
        if handler is not None:
            await handler(connection, action)
            return
        if not connection.logged_in:
            connection.send(message(response(action.action_id, False, "Permission denied")))
            return
        answer = self.pbx.answer(action.name, action.headers)
        for part in answer.messages:
            connection.send(message(part))
        if answer.after is not None:
            answer.after()

    async def _challenge(self, connection: Connection, action: Received) -> None:
        connection.challenge = str(next(self._challenges))
        connection.send(
            message({"Response": "Success", "ActionID": action.action_id, "Challenge": connection.challenge})
        )

    async def _login(self, connection: Connection, action: Received) -> None:
        known = action.get("username") == self._username and not self.behaviour.refuse_login
        if action.get("authtype") == "MD5":
            wanted = hashlib.md5((connection.challenge + self._secret).encode()).hexdigest()
            known = known and connection.challenge != "" and action.get("key") == wanted
        else:
            known = known and action.get("secret") == self._secret
        if not known:
            connection.send(message(response(action.action_id, False, "Authentication failed")))
            await connection.writer.drain()
            connection.writer.close()
            return
        connection.logged_in = True
        connection.send(message(response(action.action_id, True, "Authentication accepted")))
        if self.behaviour.boots:
            uptime = str(self.pbx.uptime)
            headers = {"Uptime": uptime, "LastReload": uptime, "Status": "Fully Booted"}
            connection.send(event("FullyBooted", {"Privilege": "system,all", **headers}))

    async def _logoff(self, connection: Connection, action: Received) -> None:
        connection.send(
            message(
                {"Response": "Goodbye", "ActionID": action.action_id, "Message": "Thanks for all the fish."}
            )
        )
        await connection.writer.drain()
        connection.writer.close()
