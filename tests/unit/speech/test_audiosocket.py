"""The AudioSocket codec: every split, and everything that is no AudioSocket."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audiosocket import (
    MAX_AUDIO,
    RATES,
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

pytestmark = pytest.mark.unit

STREAM = UUID("5f0c7d6e-9a1b-4c2d-8e3f-0a1b2c3d4e5f")
STORY: tuple[Message, ...] = (
    StreamId(STREAM),
    Audio(bytes(range(160)) * 2),
    Key("#"),
    Audio(b""),
    Audio(b"\x01\x02" * 320, 16_000),
    PeerError(2),
    Hangup(),
)

messages = st.one_of(
    st.builds(Hangup),
    st.builds(StreamId, st.uuids()),
    st.builds(Key, st.sampled_from("0123456789*#ABCD")),
    st.builds(
        Audio, st.binary(max_size=400).map(lambda b: b[: len(b) // 2 * 2]), st.sampled_from([*RATES.values()])
    ),
    st.builds(PeerError, st.integers(0, 255)),
)


def read(*pieces: bytes) -> list[Message]:
    reader = FrameReader()
    return [message for piece in pieces for message in reader.feed(piece)]


def test_the_bytes_of_asterisk() -> None:
    assert read(b"\x01\x00\x10" + STREAM.bytes) == [StreamId(STREAM)]
    assert read(b"\x10\x00\x04\x01\x00\xff\x7f") == [Audio(b"\x01\x00\xff\x7f", 8000)]
    assert read(b"\x12\x00\x02\x01\x00") == [Audio(b"\x01\x00", 16_000)]
    assert read(b"\x03\x00\x015") == [Key("5")]
    assert read(b"\x00\x00\x00") == [Hangup()]
    assert read(b"\xff\x00\x01\x04", b"\xff\x00\x00") == [PeerError(4), PeerError(0)]


def test_cut_into_two_at_every_place() -> None:
    whole = b"".join(encode(message) for message in STORY)
    for at in range(len(whole) + 1):
        assert tuple(read(whole[:at], whole[at:])) == STORY


def test_byte_by_byte_and_nothing_is_left_over() -> None:
    reader = FrameReader()
    whole = b"".join(encode(message) for message in STORY)
    found = [message for byte in whole for message in reader.feed(bytes((byte,)))]
    assert (tuple(found), reader.held) == (STORY, 0)


@settings(max_examples=60)
@given(st.lists(messages, max_size=12), st.lists(st.integers(0, 5000), max_size=12))
def test_any_messages_cut_anywhere(story: list[Message], cuts: list[int]) -> None:
    whole = b"".join(encode(message) for message in story)
    places = [0, *sorted(cut for cut in cuts if cut <= len(whole)), len(whole)]
    assert read(*(whole[a:b] for a, b in pairwise(places))) == story


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_noise_ends_in_an_error_or_waits_for_less_than_a_frame(pieces: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for piece in pieces:
            for _ in reader.feed(piece):
                pass
            assert reader.held <= MAX_AUDIO + 3
    except FrameInvalid:
        assert reader.held == 0


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\x02\x00\x00", "unknown kind"),
        (b"\x19\x00\x02", "a rate that does not exist"),
        (b"GET / HTTP/1.1\r\n\r\n", "somebody takes it for a web server"),
        (b"\x00\x00\x01", "a hang-up with a payload"),
        (b"\x01\x00\x0f", "an id that is too short"),
        (b"\x01\x00\x11", "an id that is too long"),
        (b"\x03\x00\x00", "no key"),
        (b"\x03\x00\x01\n", "a key that no telephone has"),
        (b"\xff\x00\x02", "an error of two bytes"),
        (b"\x10\x00\x03", "half a sample"),
        (b"\x10\x40\x02", "too much sound"),
        (b"\x10\xff\xfe", "as much sound as the length can say"),
    ],
)
def test_what_is_no_frame_is_refused_before_its_payload(frame: bytes, why: str) -> None:
    reader = FrameReader()
    with pytest.raises(FrameInvalid):
        list(reader.feed(frame))
    assert reader.held == 0, why
    with pytest.raises(FrameInvalid, match="close it"):
        list(reader.feed(encode(Hangup())))


def test_what_came_before_a_broken_frame_is_told() -> None:
    reader = FrameReader()
    story = reader.feed(encode(Key("1")) + b"\x77\x00\x00")
    assert next(story) == Key("1")
    with pytest.raises(FrameInvalid):
        next(story)


@pytest.mark.parametrize(
    "message",
    [Audio(b"\x00"), Audio(b"\x00\x00", 11_025), Audio(bytes(MAX_AUDIO + 2)), Key("x"), Key("12"), Key("")],
)
def test_nothing_wrong_is_written(message: Message) -> None:
    with pytest.raises(FrameInvalid):
        encode(message)
