"""What the service and a recogniser's process say to each other: frames on its standard input and output.

A frame is kind (one byte), stream (four bytes, big-endian; 0 is the process itself), length (four bytes) and
the payload: sound, or JSON in UTF-8. No I/O here.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from speech.ports import Heard, PieceKind, Word

HEADER = struct.Struct(">BII")
LONGEST = 256 * 1024
"""Bytes of a payload; a longer one is nonsense, and whoever sent it is not to be talked to any more."""

AUDIO_BYTES = 64 * 1024
"""Sound is sent in frames of at most so much."""


class Kind(IntEnum):
    """What a frame is."""

    OPEN = 1  # to the recogniser: {language, phrases, thorough}
    AUDIO = 2
    FINISH = 3
    CLOSE = 4
    READY = 16  # from it: {memory_bytes}
    OPENED = 17
    HEARD = 18
    TAKEN = 19  # so many bytes of sound have been listened to
    FINISHED = 20
    FAILED = 21  # {code, message}; of stream 0: the process cannot work at all


KINDS = frozenset(int(kind) for kind in Kind)


class WireBroken(Exception):
    """The bytes are not frames."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: Kind
    stream: int = 0
    payload: bytes = b""

    def json(self) -> dict[str, Any]:
        """Return the payload as a JSON object.

        Raises:
            WireBroken: it is none.
        """
        try:
            value = json.loads(self.payload or b"{}")
        except ValueError as error:
            raise WireBroken("a payload is not JSON") from error
        if not isinstance(value, dict):
            raise WireBroken("a payload is no JSON object")
        return value


def encode(kind: Kind, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return the bytes of a frame.

    Raises:
        WireBroken: the payload is longer than :data:`LONGEST`.
    """
    if len(payload) > LONGEST:
        raise WireBroken(f"a payload of {len(payload)} bytes")
    return HEADER.pack(kind, stream, len(payload)) + payload


def encode_json(kind: Kind, stream: int, value: Mapping[str, object]) -> bytes:
    """Return the bytes of a frame with a JSON object."""
    return encode(kind, stream, json.dumps(value, ensure_ascii=False).encode())


class Decoder:
    """Turns bytes, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now.

        Raises:
            WireBroken: no such kind, or a payload that is too long.
        """
        self._waiting += data
        while len(self._waiting) >= HEADER.size:
            kind, stream, length = HEADER.unpack_from(self._waiting)
            if length > LONGEST:
                raise WireBroken(f"a payload of {length} bytes")
            if kind not in KINDS:
                raise WireBroken(f"a frame of kind {kind}")
            end = HEADER.size + length
            if len(self._waiting) < end:
                return
            payload = bytes(self._waiting[HEADER.size : end])
            del self._waiting[:end]
            yield Frame(Kind(kind), stream, payload)


def piece_to_json(piece: "Said") -> dict[str, object]:
    """Return what was heard as a JSON object."""
    return {
        "kind": piece.kind.value,
        "text": piece.text,
        "start": round(piece.start, 3),
        "end": round(piece.end, 3),
        "words": [[w.text, round(w.start, 3), round(w.end, 3), w.confidence] for w in piece.words],
    }


def heard_from_json(value: Mapping[str, Any], *, at: float, engine: str, model: str) -> Heard:
    """Return what was heard, ``at`` seconds later.

    Raises:
        WireBroken: a field is missing or of the wrong kind.
    """
    try:
        return Heard(
            kind=PieceKind(value["kind"]),
            text=str(value["text"]),
            start=at + float(value["start"]),
            end=at + float(value["end"]),
            words=tuple(
                Word(
                    text=str(text),
                    start=at + float(start),
                    end=at + float(end),
                    confidence=None if confidence is None else float(confidence),
                )
                for text, start, end, confidence in value["words"]
            ),
            engine=engine,
            model=model,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireBroken("a piece that was heard makes no sense") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an engine says it heard, in seconds since its listener's first sample."""

    kind: PieceKind
    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()
