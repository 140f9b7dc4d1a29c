"""One call under AGI control: typed commands, each with a deadline."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from panoramisk import fast_agi
from prometheus_client import Histogram

from telephony.agi.codec import (
    AgiEnvironment,
    AgiReply,
    HangupNotice,
    ReplyDecoder,
    argument_text,
    encode_command,
)
from telephony.agi.errors import AgiError, AgiTimeout, AgiValueRefused, CallerHungUp

KEYS = "0123456789*#ABCD"

_STOP = "NOOP"
"""Asterisk stops playing when another command comes, and then answers that one alone."""
_PLAYED = "endpos="

COMMAND_SECONDS = Histogram(
    "huifang_agi_command_seconds",
    "AGI round trip of commands that do not wait for the caller",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)


@dataclass(frozen=True, slots=True)
class Digits:
    """What the caller typed.

    Attributes:
        keys: the keys, possibly none.
        timed_out: nothing more came before the time ran out.
    """

    keys: str
    timed_out: bool


class _Request(fast_agi.Request):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's request with its reply parser replaced (architecture.md §3, hazard 11).

    Upstream reads line by line, reports end of file as ``ValueError``, HANGUP as a dict, and reads one
    line too few after a 520. Here a reply is a typed :class:`AgiReply` and the rest are exceptions.
    """

    def __init__(
        self, environment: AgiEnvironment, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(app=None, headers=environment, reader=reader, writer=writer)
        self._decoder = ReplyDecoder()
        self._received: list[AgiReply | HangupNotice] = []

    async def send_command(self, command: str) -> dict[str, Any]:
        if self._received:
            # Nothing is outstanding: a reply that lies here belongs to no command.
            if any(isinstance(item, HangupNotice) for item in self._received):
                raise CallerHungUp("caller hung up")
            self._received.clear()
        answer: dict[str, Any] = await super().send_command(command)
        return answer

    async def stoppable(self, command: str, stop: asyncio.Event) -> dict[str, Any]:
        """Send a command that plays; when ``stop`` is set, stop it.

        Asterisk gives up playing when another command comes, and answers only that one; where the prompt
        had just ended by itself, or by a key, both are answered.
        """
        sent = False

        async def interrupt() -> None:
            nonlocal sent
            await stop.wait()
            sent = True
            self.writer.write(f"{_STOP}\n".encode())

        task = asyncio.ensure_future(interrupt())
        try:
            answer = await self.send_command(command)
            if sent and _PLAYED in answer["reply"].text:
                await self._read_result()
        finally:
            task.cancel()
        return answer

    async def _read_result(self) -> dict[str, Any]:
        while not self._received:
            received = await self.reader.read(4096)
            if not received:
                raise CallerHungUp("end of the AGI connection")
            self._received += self._decoder.feed(received)
        item = self._received.pop(0)
        if isinstance(item, HangupNotice):
            raise CallerHungUp("caller hung up")
        # send_command() looks at status_code to skip «100 Trying» and hands the rest back untouched.
        return {"status_code": item.code, "reply": item}


class _Watchdog:
    """The deadline of the command that is going on: one timer for a whole session, moved only when it must.

    When it passes the connection is cut, which ends the command whether it was reading or writing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.WriteTransport) -> None:
        self._loop = loop
        self._transport = transport
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.barked = False

    def watch(self, deadline: float) -> None:
        self._deadline = deadline
        timer = self._timer
        if timer is None or timer.when() > deadline:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(deadline, self._due)

    def rest(self) -> None:
        self._deadline = None

    def stop(self) -> None:
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._due)
            return
        self.barked = True
        self._transport.abort()


class AgiSession:
    """A channel that executes our commands, one at a time.

    Every method may raise:
        CallerHungUp: the caller is gone; every later command raises it too.
        AgiTimeout: no reply in time; the session is closed.
        AgiError: Asterisk refused the command, or the session is closed or busy.
        AgiValueRefused: an argument holds control characters or is too long; nothing was sent.

    Cancelling a command closes the session, because its reply could be taken for the next one's.
    """

    def __init__(
        self,
        environment: AgiEnvironment,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        command_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self.environment = environment
        self.route_args: tuple[str, ...] = ()
        self.hung_up = False
        self._request = _Request(environment, reader, writer)
        self._timeout = command_timeout.total_seconds()
        self._loop = asyncio.get_running_loop()
        self._watchdog = _Watchdog(self._loop, writer.transport)
        self._busy = False
        self._closed = False

    def close(self) -> None:
        """Forget the session; its connection is the server's to close."""
        self._closed = True
        self._watchdog.stop()

    @property
    def usable(self) -> bool:
        """Whether another command may be sent."""
        return not (self.hung_up or self._closed or self._busy)

    async def command(self, *words: str, waits: timedelta = timedelta(0)) -> AgiReply:
        """Send one command and return its 200 reply.

        Args:
            words: the command and its arguments, unquoted.
            waits: how long the command may rightly take in Asterisk; the usual timeout is added.
        """
        return await self._send(encode_command(*words), waits)

    async def _send(self, line: str, waits: timedelta, stop: asyncio.Event | None = None) -> AgiReply:
        if self.hung_up:
            raise CallerHungUp("caller hung up before")
        if self._closed or self._busy:
            raise AgiError("AGI session is closed or busy", command=line[:20])
        self._busy = True
        started = self._loop.time()
        self._watchdog.watch(started + self._timeout + waits.total_seconds())
        try:
            if stop is None:
                answer = await self._request.send_command(line)
            else:
                answer = await self._request.stoppable(line, stop)
        except (ConnectionError, CallerHungUp) as error:
            if self._watchdog.barked:
                self._closed = True
                raise AgiTimeout("no AGI reply in time", command=line[:20]) from error
            self.hung_up = True
            raise CallerHungUp("caller hung up", command=line[:20]) from error
        except BaseException:
            self._closed = True
            raise
        finally:
            self._watchdog.rest()
            self._busy = False
        if not waits:
            COMMAND_SECONDS.observe(self._loop.time() - started)
        reply: AgiReply = answer["reply"]
        if reply.code == 511:
            self.hung_up = True
            raise CallerHungUp("the channel is dead", command=line[:20])
        if reply.code != 200:
            raise AgiError(f"Asterisk refused {line[:20]}: {reply.text[:200]!r}", code=reply.code)
        return reply

    async def answer(self) -> None:
        """Answer the channel; harmless when it is up already."""
        await self._checked("ANSWER", waits=timedelta(seconds=5))

    async def hangup(self) -> None:
        """Hang the channel up."""
        await self.command("HANGUP")

    async def get_variable(self, name: str) -> str | None:
        """Return a channel variable, ``None`` when it is not set."""
        reply = await self.command("GET", "VARIABLE", name)
        return reply.data if reply.result == "1" else None

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable (``__NAME`` makes it inherited)."""
        await self.command("SET", "VARIABLE", name, value)

    async def stream_file(
        self,
        path: PurePath | str,
        *,
        escape: str = "",
        length: timedelta = timedelta(seconds=120),
        stop: asyncio.Event | None = None,
    ) -> str | None:
        """Play a file (no extension) and return the key that stopped it, ``None`` if it was heard to its end.

        Args:
            path: sound file without extension.
            escape: keys that stop it.
            length: the longest it can last.
            stop: when it is set, nothing more is played.
        """
        if stop is not None and stop.is_set():
            return None
        line = encode_command("STREAM", "FILE", str(path), _keys(escape))
        reply = await self._send(line, length, stop)
        if reply.result == "0":
            return None
        return _key(reply if reply.number != -1 else await self._failed_or_gone(line))

    async def wait_for_digit(self, timeout: timedelta) -> str | None:
        """Wait for one key; ``None`` when none came."""
        milliseconds = max(1, round(timeout.total_seconds() * 1000))
        return _key(await self._checked("WAIT", "FOR", "DIGIT", str(milliseconds), waits=timeout))

    async def get_data(
        self,
        path: PurePath | str,
        *,
        timeout: timedelta,
        max_digits: int,
        length: timedelta = timedelta(seconds=120),
    ) -> Digits:
        """Play a file and collect up to ``max_digits`` keys; ``#`` ends early and is not part of them."""
        milliseconds = max(1, round(timeout.total_seconds() * 1000))
        reply = await self._checked(
            "GET",
            "DATA",
            str(path),
            str(milliseconds),
            str(max_digits),
            waits=length + timeout * (max_digits + 1),
        )
        return Digits(keys=reply.result, timed_out=reply.data == "timeout")

    async def record_file(
        self,
        path: PurePath | str,
        *,
        file_format: str = "wav",
        escape: str = "#",
        limit: timedelta = timedelta(seconds=60),
        beep: bool = True,
        silence: timedelta = timedelta(seconds=5),
    ) -> str | None:
        """Record the caller and return the key that ended it."""
        words = [
            "RECORD",
            "FILE",
            str(path),
            file_format,
            _keys(escape),
            str(int(limit.total_seconds() * 1000)),
        ]
        if beep:
            words.append("BEEP")
        words.append(f"s={max(1, int(silence.total_seconds()))}")
        return _key(await self._checked(*words, waits=limit + timedelta(seconds=5)))

    async def exec(self, application: str, *arguments: str, waits: timedelta = timedelta(0)) -> str:
        """Run a dialplan application and return its result.

        Raises:
            AgiValueRefused: an argument holds a comma and would become two.
        """
        if any("," in argument for argument in arguments):
            raise AgiValueRefused("comma in an argument of an application", application=application)
        reply = await self.command("EXEC", application, ",".join(arguments), waits=waits)
        if reply.result == "-2":
            raise AgiError(f"Asterisk has no application {application}")
        return reply.result

    async def user_event(self, name: str, **headers: str) -> None:
        """Send a ``UserEvent`` to everyone on AMI. Separators in the values become look-alikes."""
        await self.exec(
            "UserEvent", name, *(f"{key}: {argument_text(value)}" for key, value in headers.items())
        )

    async def _checked(self, *words: str, waits: timedelta) -> AgiReply:
        """Send a command whose ``-1`` means «failed or hung up», and find out which of the two."""
        line = encode_command(*words)
        reply = await self._send(line, waits)
        return reply if reply.number != -1 else await self._failed_or_gone(line)

    async def _failed_or_gone(self, line: str) -> AgiReply:
        """Find out after a ``-1``; the reply is that of a key which the caller pressed meanwhile."""
        # A dead channel answers the shortest wait with -1 as well, or sends HANGUP first.
        probe = await self._send("WAIT FOR DIGIT 1", timedelta(seconds=1))
        if probe.number == -1:
            self.hung_up = True
            raise CallerHungUp("caller hung up", command=line[:20])
        if probe.number > 0:
            return probe
        raise AgiError(f"Asterisk failed {line[:120]}")


def _keys(escape: str) -> str:
    if escape.strip(KEYS):
        raise AgiValueRefused("not a telephone key", keys=escape[:32])
    return escape


def _key(reply: AgiReply) -> str | None:
    number = reply.number
    return chr(number) if 0 < number < 128 and chr(number) in KEYS else None
