"""Frames between the service and a recogniser, cut anywhere."""

import pytest

from speech.ports import PieceKind, Word
from speech.wire import (
    HEADER,
    LONGEST,
    Decoder,
    Frame,
    Kind,
    Said,
    WireBroken,
    encode,
    encode_json,
    heard_from_json,
    piece_to_json,
)

pytestmark = pytest.mark.unit


def test_frames_come_out_whole_at_every_cut() -> None:
    frames = [Frame(Kind.AUDIO, 7, b"\x00\x01" * 3), Frame(Kind.FINISH, 2**31), Frame(Kind.READY)]
    data = b"".join(encode(frame.kind, frame.stream, frame.payload) for frame in frames)

    for cut in range(len(data) + 1):
        decoder = Decoder()
        assert [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])] == frames


@pytest.mark.parametrize(
    "data",
    [HEADER.pack(99, 0, 0), HEADER.pack(Kind.AUDIO, 0, LONGEST + 1), b"LOG (VoskAPI) hello"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(WireBroken):
        list(Decoder().feed(data))


def test_too_long_a_payload_is_not_sent() -> None:
    with pytest.raises(WireBroken):
        encode(Kind.AUDIO, 1, bytes(LONGEST + 1))


def test_what_was_heard_arrives_on_the_calls_clock() -> None:
    word = Word(text="漏水", start=0.5, end=1.0, confidence=0.75)
    said = Said(kind=PieceKind.FINAL, text="漏水", start=0.5, end=1.0, words=(word,))
    (frame,) = Decoder().feed(encode_json(Kind.HEARD, 3, piece_to_json(said)))

    heard = heard_from_json(frame.json(), at=10.0, engine="vosk", model="vosk-small-cn")

    assert (heard.text, heard.start, heard.end, heard.is_final) == ("漏水", 10.5, 11.0, True)
    assert heard.words == (Word(text="漏水", start=10.5, end=11.0, confidence=0.75),)
    assert heard.confidence == 0.75


@pytest.mark.parametrize("value", [{}, {"kind": "maybe"}, {"kind": "final", "text": "", "start": "x"}])
def test_what_makes_no_sense_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(WireBroken):
        heard_from_json(value, at=0.0, engine="vosk", model="m")
    with pytest.raises(WireBroken):
        Frame(Kind.HEARD, 1, b"[1]").json()
    with pytest.raises(WireBroken):
        Frame(Kind.HEARD, 1, b"{").json()
