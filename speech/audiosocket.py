"""AudioSocket, the protocol in which Asterisk sends a channel's sound: bytes in, messages out, no I/O.

A frame is one byte of kind, two bytes of length (big-endian) and so many bytes of payload, as Asterisk's
``res_audiosocket.h`` has it: 0x00 hang-up, 0x01 the stream's id (16 bytes, the first frame), 0x03 a key that
was pressed (since 22.3), 0x10 signed 16-bit little-endian mono sound at 8 kHz, 0x11 to 0x18 the same at other
rates (since 22.6), 0xff an error.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from uuid import UUID

from kernel.errors import Invalid

MAX_AUDIO = 16_384
"""Most bytes of one frame of sound: a second at 8 kHz; Asterisk sends 20 ms."""

_HEADER = struct.Struct(">BH")
_KEYS: Final = frozenset("0123456789*#ABCD")


class Kind(IntEnum):
    """The first byte of a frame."""

    HANGUP = 0x00
    ID = 0x01
    KEY = 0x03
    AUDIO = 0x10
    AUDIO_12 = 0x11
    AUDIO_16 = 0x12
    AUDIO_24 = 0x13
    AUDIO_32 = 0x14
    AUDIO_44 = 0x15
    AUDIO_48 = 0x16
    AUDIO_96 = 0x17
    AUDIO_192 = 0x18
    ERROR = 0xFF


RATES: Final = {
    Kind.AUDIO: 8000,
    Kind.AUDIO_12: 12_000,
    Kind.AUDIO_16: 16_000,
    Kind.AUDIO_24: 24_000,
    Kind.AUDIO_32: 32_000,
    Kind.AUDIO_44: 44_100,
    Kind.AUDIO_48: 48_000,
    Kind.AUDIO_96: 96_000,
    Kind.AUDIO_192: 192_000,
}
"""Kind of sound → samples in a second."""

_KINDS: Final = {rate: kind for kind, rate in RATES.items()}


class FrameInvalid(Invalid):
    """What came is no AudioSocket, or more of it than a frame may hold. The stream cannot go on."""

    code = "audiosocket_frame_invalid"


@dataclass(frozen=True, slots=True)
class Hangup:
    """The channel is gone; nothing follows."""


@dataclass(frozen=True, slots=True)
class StreamId:
    """Who the stream is; the first frame."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the telephone: 0 to 9, ``*``, ``#``, A to D."""

    key: str


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound, 16-bit little-endian mono, whole samples.

    Attributes:
        rate: samples in a second.
    """

    pcm: bytes
    rate: int = 8000


@dataclass(frozen=True, slots=True)
class PeerError:
    """Asterisk says that something went wrong: 1 hang-up, 2 a frame was lost, 4 no memory; 0 if unsaid."""

    reason: int = 0


Message = Hangup | StreamId | Key | Audio | PeerError


def encode(message: Message) -> bytes:
    """Return the frame of a message.

    Raises:
        FrameInvalid: it does not fit into one, or holds half a sample.
    """
    match message:
        case Hangup():
            return _HEADER.pack(Kind.HANGUP, 0)
        case StreamId(id=stream):
            return _HEADER.pack(Kind.ID, 16) + stream.bytes
        case Key(key=key):
            if key not in _KEYS:
                raise FrameInvalid("a key is one of 0 to 9, *, #, A to D", field="key")
            return _HEADER.pack(Kind.KEY, 1) + key.encode()
        case Audio(pcm=pcm, rate=rate):
            if rate not in _KINDS:
                raise FrameInvalid(f"no kind of frame has {rate} samples in a second", field="rate")
            _check(_KINDS[rate], len(pcm))
            return _HEADER.pack(_KINDS[rate], len(pcm)) + pcm
        case PeerError(reason=reason):
            return _HEADER.pack(Kind.ERROR, 1) + bytes((reason & 0xFF,))


class FrameReader:
    """Turns bytes into messages, however they are cut. Holds less than one frame.

    After an error it takes nothing more: where the next frame begins cannot be known.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._broken = False

    @property
    def held(self) -> int:
        """Bytes of the frame that is not complete."""
        return len(self._held)

    def feed(self, received: bytes) -> Iterator[Message]:
        """Yield the messages that ``received`` completes; take all of them before feeding again.

        Raises:
            FrameInvalid: unknown kind, a length that its kind does not have, half a sample, or fed again
                after such an error. What was yielded before stays true.
        """
        if self._broken:
            raise FrameInvalid("the stream is broken: close it")
        self._held += received
        at = 0
        try:
            while len(self._held) - at >= _HEADER.size:
                number, length = _HEADER.unpack_from(self._held, at)
                kind = _kind(number)
                _check(kind, length)  # before waiting for the payload: a wrong length may never be filled
                end = at + _HEADER.size + length
                if len(self._held) < end:
                    break
                payload = bytes(self._held[at + _HEADER.size : end])
                at = end
                yield _message(kind, payload)
        except FrameInvalid:
            self._broken = True
            raise
        finally:
            del self._held[: len(self._held) if self._broken else at]


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise FrameInvalid(f"no AudioSocket frame is of kind {number:#04x}") from None


def _check(kind: Kind, length: int) -> None:
    match kind:
        case Kind.HANGUP:
            fits = length == 0
        case Kind.ID:
            fits = length == 16
        case Kind.KEY:
            fits = length == 1
        case Kind.ERROR:
            fits = length <= 1
        case _:
            fits = length <= MAX_AUDIO and length % 2 == 0
    if not fits:
        raise FrameInvalid(f"an AudioSocket frame of kind {kind:#04x} has no {length} bytes")


def _message(kind: Kind, payload: bytes) -> Message:
    match kind:
        case Kind.HANGUP:
            return Hangup()
        case Kind.ID:
            return StreamId(UUID(bytes=payload))
        case Kind.KEY:
            key = payload.decode("latin-1").upper()
            if key not in _KEYS:
                raise FrameInvalid("the key that was pressed is none")
            return Key(key)
        case Kind.ERROR:
            return PeerError(payload[0] if payload else 0)
        case _:
            return Audio(payload, RATES[kind])
