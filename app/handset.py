"""A telephone's mouth and ear: real RTP in and out, for played customers and for tests that listen.

SIPp does the signalling and names this socket in its SDP. What is said and which keys are pressed goes
out as G.711 and as telephone events (RFC 4733); what comes in is kept, in the time in which it was heard,
so that silence can be found.
"""

import asyncio
import contextlib
import secrets
import struct
from array import array
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, Self, cast

from telephony.audio import FRAME_SAMPLES, RATE, Law, decode, encode, loudness, write_wav

FRAME_SECONDS: Final = FRAME_SAMPLES / RATE
KEYS: Final = "0123456789*#ABCD"
KEY_SECONDS: Final = 0.12
KEY_GAP_SECONDS: Final = 0.1
EVENT_PAYLOAD: Final = 101
JITTER_FRAMES: Final = 3
MAX_FRAMES: Final = 50 * 60 * 30
"""What an ear keeps: half an hour."""

_HEADER: Final = struct.Struct("!BBHII")
_LAWS: Final = {law.payload_type: law for law in Law}


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet (RFC 3550) without header extensions."""

    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        """The bytes on the wire."""
        kind = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, kind, self.sequence, self.timestamp, self.source) + self.payload

    @classmethod
    def decode(cls, raw: bytes) -> "Packet | None":
        """The packet, or None for what is not RTP."""
        if len(raw) < _HEADER.size or raw[0] >> 6 != 2:
            return None
        first, kind, sequence, timestamp, source = _HEADER.unpack_from(raw)
        start, end = _HEADER.size + 4 * (first & 0x0F), len(raw)
        if first & 0x10 and len(raw) >= start + 4:
            start += 4 + 4 * int.from_bytes(raw[start + 2 : start + 4], "big")
        if first & 0x20 and raw:
            end -= raw[-1]
        return cls(kind & 0x7F, sequence, timestamp, source, raw[start:end], bool(kind & 0x80))


@dataclass(slots=True)
class Ear:
    """What was heard, 20 ms a frame, from the moment of being connected."""

    began: float = 0.0
    frames: list[tuple[int, bytes, Law]] = field(default_factory=list)

    def hear(self, packet: Packet, now: float) -> None:
        """Keep a packet of audio at the place in time at which it came; jitter is smoothed."""
        law = _LAWS.get(packet.payload_type)
        if law is None or len(self.frames) >= MAX_FRAMES:
            return
        place = max(0, int((now - self.began) / FRAME_SECONDS))
        if self.frames:
            following = self.frames[-1][0] + 1
            place = following if place - following <= JITTER_FRAMES else place
        self.frames.append((place, packet.payload, law))

    @property
    def packets(self) -> int:
        """How many packets of audio came."""
        return len(self.frames)

    def samples(self) -> "array[int]":
        """All that was heard, silence where nothing came."""
        result = array("h")
        for place, payload, law in self.frames:
            missing = place * FRAME_SAMPLES - len(result)
            if missing > 0:
                result.extend([0] * missing)
            result.extend(decode(payload, law))
        return result

    def loudness(self) -> float:
        """The root mean square of all that was heard."""
        return loudness(self.samples())

    def silences(
        self, *, longer_than: float, until: float | None = None, below: float = 40.0
    ) -> tuple[tuple[float, float], ...]:
        """Stretches (from, to in seconds since connected) in which nothing could be heard.

        Args:
            longer_than: seconds; shorter pauses, as between words, do not count.
            until: the end of listening, a time of the event loop's clock; by default the last packet.
            below: root mean square of a frame that counts as silent.
        """
        samples = self.samples()
        end = len(samples) / RATE if until is None else until - self.began
        loud = [
            index * FRAME_SECONDS
            for index in range(len(samples) // FRAME_SAMPLES)
            if loudness(samples[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]) >= below
        ]
        edges = pairwise([-FRAME_SECONDS, *loud, end])
        return tuple((a + FRAME_SECONDS, b) for a, b in edges if b - a - FRAME_SECONDS > longer_than)

    def save(self, path: Path) -> None:
        """Write all that was heard as a WAV file."""
        write_wav(path, self.samples())


class Handset(asyncio.DatagramProtocol):
    """One call's audio. `open` it, put its ``port`` into the SDP, `connect` it once the call is answered.

    Once connected it sends a packet every 20 ms, silence when there is nothing to say, as telephones do.
    """

    def __init__(self, law: Law = Law.A) -> None:
        self.ear = Ear()
        self._law = law
        self._outgoing: deque[tuple[int, bytes, bool, int]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._transport: asyncio.DatagramTransport | None = None
        self._remote: tuple[str, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._sequence = secrets.randbelow(1 << 16)
        self._timestamp = secrets.randbelow(1 << 31)
        self._source = secrets.randbelow(1 << 32)
        self.sent = 0

    @classmethod
    async def open(cls, host: str, *, law: Law = Law.A) -> Self:
        """Take a free UDP port on this address."""
        handset = cls(law)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: handset, local_addr=(host, 0))
        return handset

    @property
    def port(self) -> int:
        """The port for the SDP."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def connected(self) -> bool:
        """Whether audio goes out."""
        return self._remote is not None

    def connect(self, host: str, port: int) -> None:
        """Begin to speak to this address; what is heard counts from now."""
        loop = asyncio.get_running_loop()
        self._remote = (host, port)
        self.ear.began = self._next = loop.time()
        self._tick()

    def say(self, samples: "array[int]") -> None:
        """Speak after what is still to be said."""
        payload = encode(samples, self._law)
        for at in range(0, len(payload), FRAME_SAMPLES):
            frame = payload[at : at + FRAME_SAMPLES].ljust(FRAME_SAMPLES, bytes([self._law.silence]))
            self._queue(self._law.payload_type, frame, False, FRAME_SAMPLES)

    def pause(self, seconds: float) -> None:
        """Say nothing for a while, after what is still to be said."""
        silence = bytes([self._law.silence]) * FRAME_SAMPLES
        for _ in range(round(seconds / FRAME_SECONDS)):
            self._queue(self._law.payload_type, silence, False, FRAME_SAMPLES)

    def press(self, key: str) -> None:
        """Press a key after what is still to be said (RFC 4733: one event, its end three times)."""
        code = KEYS.index(key)
        steps = round(KEY_SECONDS / FRAME_SECONDS)
        for step in range(1, steps + 1):
            payload = struct.pack("!BBH", code, 10, step * FRAME_SAMPLES)
            self._queue(EVENT_PAYLOAD, payload, step == 1, 0)
        last = struct.pack("!BBH", code, 0x80 | 10, steps * FRAME_SAMPLES)
        for repeat in range(3):
            self._queue(EVENT_PAYLOAD, last, False, (steps + 3) * FRAME_SAMPLES if repeat == 2 else 0)
        self.pause(KEY_GAP_SECONDS)

    async def finished(self) -> None:
        """Wait until everything has been said and pressed."""
        await self._idle.wait()

    def close(self) -> None:
        """Free the port; what was heard stays."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        self._remote = None
        self._idle.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own datagram transport is no DatagramTransport before Python 3.12
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = Packet.decode(data)
        if packet is not None and self._remote is not None:
            self.ear.hear(packet, asyncio.get_running_loop().time())

    def error_received(self, exc: Exception) -> None:
        """The other side's port is closed already: the call is ending."""

    def _queue(self, kind: int, payload: bytes, marker: bool, advance: int) -> None:
        self._outgoing.append((kind, payload, marker, advance))
        self._idle.clear()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._remote is None or self._transport is None or self._transport.is_closing():
            return
        # a loop that was late catches up, so that the stream keeps its pace
        while self._next <= loop.time():
            self._send()
            self._next += FRAME_SECONDS
        self._timer = loop.call_at(self._next, self._tick)

    def _send(self) -> None:
        assert self._transport is not None
        silence = (self._law.payload_type, bytes([self._law.silence]) * FRAME_SAMPLES, False, FRAME_SAMPLES)
        kind, payload, marker, advance = self._outgoing.popleft() if self._outgoing else silence
        packet = Packet(kind, self._sequence, self._timestamp, self._source, payload, marker)
        with contextlib.suppress(OSError):
            self._transport.sendto(packet.encode(), self._remote)
        self.sent += 1
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + advance) & 0xFFFFFFFF
        if not self._outgoing:
            self._idle.set()
