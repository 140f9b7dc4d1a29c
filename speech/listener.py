"""Where Asterisk brings a speaker's sound: an AudioSocket server that only takes streams it waits for.

Each stream has an id that was given out here a moment before, cannot be guessed and is good once. Whoever
connects without one, in a wrong form or from elsewhere, is cut off and learns nothing. What comes is read
always and given on at once, so that Asterisk never waits for us; whoever takes it keeps it in bounds
(:mod:`speech.buffer`).
"""

import asyncio
import ipaddress
import os
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Gauge

from kernel.errors import ConfigurationError, TooMany
from speech.audiosocket import (
    Audio,
    FrameInvalid,
    FrameReader,
    Hangup,
    Key,
    Message,
    PeerError,
    StreamId,
    encode,
)
from speech.ports import SAMPLE_RATE

log = structlog.get_logger(__name__)

STREAMS = Gauge("huifang_speech_streams", "Speakers whose sound comes in now")
ENDED = Counter("huifang_speech_streams_ended_total", "Streams by how they ended", ["reason"])
REFUSED = Counter("huifang_speech_refused_total", "Connections that were cut off", ["reason"])


class Ended(StrEnum):
    """How a stream ended."""

    HANGUP = "hangup"
    """The channel is gone."""
    CLOSED = "closed"
    """We ended it."""
    LOST = "lost"
    """The connection was cut."""
    IDLE = "idle"
    """No sound came for too long."""
    INVALID = "invalid"
    """What came was no sound that we can use."""
    EXPIRED = "expired"
    """Nobody came with its id in time."""


class Sink(Protocol):
    """Who takes the sound of one stream. Its methods return at once."""

    def opened(self) -> None:
        """Asterisk has connected; sound follows."""
        ...

    def sound(self, pcm: bytes) -> None:
        """Take what came at once: whole samples, 16-bit mono at 8 kHz."""
        ...

    def closed(self, reason: Ended) -> None:
        """Nothing more comes. Told once, also of a stream that never came."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """Settings of the listener.

    Attributes:
        host, port: where to listen; port 0 takes any free one.
        allowed_peers: networks that may connect.
        max_streams: ids given out and streams together; one more is refused.
        max_connections: connections at once, those that have not said who they are included.
        expiry: how long an id is good.
        first_frame: by then a connection has said who it is.
        idle: a stream without any sound for so long is ended.
        setting: the section of the settings that it is made of, for messages.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allowed_peers: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    max_streams: int = 64
    max_connections: int = 128
    expiry: timedelta = timedelta(seconds=10)
    first_frame: timedelta = timedelta(seconds=2)
    idle: timedelta = timedelta(seconds=60)
    setting: str = "speech"


@dataclass(slots=True)
class _Awaited:
    sink: Sink
    timer: asyncio.TimerHandle


class StreamListener:
    """Takes streams. All of it belongs to one event loop.

    Raises:
        ConfigurationError: ``allowed_peers`` names no network.
    """

    def __init__(self, config: ListenerConfig | None = None) -> None:
        self.config = config or ListenerConfig()
        try:
            self._peers = tuple(
                ipaddress.ip_network(peer, strict=False) for peer in self.config.allowed_peers
            )
        except ValueError as error:
            field = f"{self.config.setting}.allow"
            raise ConfigurationError(f"{field}: {error}", field=field) from error
        self._server: asyncio.Server | None = None
        self._awaited: dict[UUID, _Awaited] = {}
        self._streams: dict[UUID, _Connection] = {}
        self._connections: set[_Connection] = set()

    @property
    def port(self) -> int:
        """The port it listens on; only while started."""
        if self._server is None or not self._server.sockets:
            raise ConfigurationError("the listener for speech is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def streams(self) -> int:
        """Streams open now."""
        return len(self._streams)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            ConfigurationError: the address is taken or not this machine's.
        """
        loop, config = asyncio.get_running_loop(), self.config
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self), config.host, config.port, backlog=128
            )
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ConfigurationError(
                f"cannot listen for speech on {config.host}:{config.port} ({why})",
                field=f"{config.setting}.port",
            ) from error
        log.info("speech_listening", host=config.host, port=self.port)

    async def stop(self) -> None:
        """Stop listening and end every stream; Asterisk hangs their channels up."""
        server, self._server = self._server, None
        for stream in tuple(self._awaited):
            self.close(stream)
        for connection in tuple(self._connections):
            connection.end(Ended.CLOSED)
        if server is not None:
            server.close()
            await server.wait_closed()

    def expect(self, sink: Sink) -> UUID:
        """Give out an id under which a stream may come within ``expiry``, once.

        Raises:
            TooMany: ``max_streams`` are there or expected.
        """
        if len(self._awaited) + len(self._streams) >= self.config.max_streams:
            raise TooMany(f"{self.config.max_streams} streams of speech are the most")
        stream = uuid4()  # 122 bits from the system's source of randomness
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.config.expiry.total_seconds(), self._expire, stream)
        self._awaited[stream] = _Awaited(sink, timer)
        return stream

    def close(self, stream: UUID) -> None:
        """End a stream, or let nobody come under its id any more. Again does nothing."""
        awaited = self._awaited.pop(stream, None)
        if awaited is not None:
            awaited.timer.cancel()
            _tell_closed(awaited.sink, Ended.CLOSED)
        connection = self._streams.get(stream)
        if connection is not None:
            connection.end(Ended.CLOSED)

    # -- what connections ask ------------------------------------------------------------------------

    def admit(self, connection: "_Connection", peer: str) -> str:
        """Take a new connection; return why it is refused, or nothing."""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return "address"
        address = getattr(address, "ipv4_mapped", None) or address
        if not any(address in network for network in self._peers):
            return "address"
        if len(self._connections) >= self.config.max_connections:
            return "too_many"
        self._connections.add(connection)
        return ""

    def claim(self, connection: "_Connection", stream: UUID) -> Sink | None:
        """Return who takes the stream; ``None`` if nobody waits for this id, or not any more."""
        awaited = self._awaited.pop(stream, None)
        if awaited is None:
            return None
        awaited.timer.cancel()
        self._streams[stream] = connection
        STREAMS.set(len(self._streams))
        return awaited.sink

    def forget(self, connection: "_Connection", stream: UUID | None) -> None:
        """Take that a connection is gone."""
        self._connections.discard(connection)
        if stream is not None:
            self._streams.pop(stream, None)
            STREAMS.set(len(self._streams))

    def _expire(self, stream: UUID) -> None:
        awaited = self._awaited.pop(stream, None)
        if awaited is not None:
            REFUSED.labels("expired").inc()
            _tell_closed(awaited.sink, Ended.EXPIRED)


class _Connection(asyncio.Protocol):
    """One connection: first its id, then sound."""

    def __init__(self, listener: StreamListener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._stream: UUID | None = None
        self._sink: Sink | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._ended: Ended | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        refused = self._listener.admit(self, str(peer[0]) if peer else "")
        if refused:
            self._refuse(refused)
            return
        limit = self._listener.config.first_frame.total_seconds()
        self._timer = self._loop.call_later(limit, self._refuse, "silent")

    def data_received(self, data: bytes) -> None:
        if self._ended is not None:
            return
        sound: list[bytes] = []
        try:
            for message in self._reader.feed(data):
                self._take(message, sound)
                if self._ended is not None:
                    break
        except FrameInvalid as error:
            self._give(sound)
            self._wrong(error.message)
            return
        self._give(sound)

    def connection_lost(self, error: Exception | None) -> None:
        # A channel that is hung up is told by the end of the connection, not by a frame.
        self.end(Ended.HANGUP if error is None else Ended.LOST)

    # -- within --------------------------------------------------------------------------------------

    def _take(self, message: Message, sound: list[bytes]) -> None:
        if self._sink is None:
            self._present(message)
            return
        match message:
            case Audio(pcm=pcm, rate=rate):
                if rate != SAMPLE_RATE:
                    self._wrong(f"sound at {rate} samples a second: let the tap speak slin at {SAMPLE_RATE}")
                    return
                sound.append(pcm)
            case Hangup():
                self._give(sound)
                sound.clear()
                self.end(Ended.HANGUP)
            case Key():
                pass  # a key that is pressed is the menu's; its tone is no word
            case PeerError(reason=reason):
                log.warning("speech_peer_error", stream=str(self._stream), reason=reason)
            case StreamId():
                self._wrong("a second id")

    def _present(self, message: Message) -> None:
        sink = self._listener.claim(self, message.id) if isinstance(message, StreamId) else None
        if sink is None:
            self._refuse("unknown_id" if isinstance(message, StreamId) else "no_id")
            return
        assert isinstance(message, StreamId)
        self._stream, self._sink = message.id, sink
        self._heard_at = self._loop.time()
        self._watch(self._listener.config.idle.total_seconds())
        self._guard(sink.opened)

    def _give(self, sound: list[bytes]) -> None:
        if self._sink is not None and sound:
            self._heard_at = self._loop.time()
            pcm, sink = b"".join(sound), self._sink
            self._guard(lambda: sink.sound(pcm))

    def _guard(self, tell: "_Tell") -> None:
        try:
            tell()
        except Exception:  # a border: one listener's fault ends its stream, not the server's loop
            log.exception("speech_sink_failed", stream=str(self._stream))
            self.end(Ended.CLOSED)

    def _watch(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        limit = self._listener.config.idle.total_seconds()
        left = self._heard_at + limit - self._loop.time()
        if left <= 0:
            self.end(Ended.IDLE)
        else:
            self._watch(left)

    def _wrong(self, why: str) -> None:
        if self._sink is None:
            self._refuse("invalid")
            return
        log.warning("speech_stream_invalid", stream=str(self._stream), why=why)
        self.end(Ended.INVALID)

    def _refuse(self, why: str) -> None:
        """Cut off somebody who is no stream; say nothing about why."""
        REFUSED.labels(why).inc()
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        log.warning("speech_connection_refused", why=why, peer=str(peer[0]) if peer else "")
        self.end(Ended.INVALID)

    def end(self, reason: Ended) -> None:
        """End it; again does nothing."""
        if self._ended is not None:
            return
        self._ended = reason
        if self._timer is not None:
            self._timer.cancel()
        self._listener.forget(self, self._stream)
        if self._transport is not None:
            if reason is Ended.CLOSED and self._sink is not None and not self._transport.is_closing():
                self._transport.write(encode(Hangup()))
                self._transport.close()
            else:
                self._transport.abort()
        if self._sink is not None:
            ENDED.labels(reason.value).inc()
            _tell_closed(self._sink, reason)


class _Tell(Protocol):
    def __call__(self) -> None: ...


def _tell_closed(sink: Sink, reason: Ended) -> None:
    try:
        sink.closed(reason)
    except Exception:  # a border, as above
        log.exception("speech_sink_failed", reason=reason.value)
