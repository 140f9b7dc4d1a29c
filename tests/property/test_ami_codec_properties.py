"""AMI framing at every split, and encoding of any text."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.ami.codec import Decoder, encode_action
from telephony.ami.errors import AmiInvalid
from telephony.ami.message import AmiEvent, AmiMessage

pytestmark = pytest.mark.property

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
CHARACTERS = st.one_of(
    st.sampled_from("张三的公司🏠é:= ,\"\\<>&'"), st.characters(exclude_categories=["Cc", "Cs"])
)
TEXTS = st.text(CHARACTERS, max_size=20)
KEYS = st.sampled_from(["Channel", "Uniqueid", "CallerIDName", "ChanVariable", "Queue", "x-y"])
EVENTS = st.tuples(
    st.sampled_from(["Hangup", "Newchannel", "UserEvent"]), st.lists(st.tuples(KEYS, TEXTS), max_size=6)
)


def wire(name: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"Event: {name}"]
    for key, value in headers:
        # Asterisk writes names, and nothing else, with C escapes.
        written = value.replace("\\", "\\\\").replace('"', '\\"') if key == "CallerIDName" else value
        lines.append(f"{key}: {written}")
    return "\r\n".join(lines).encode()


def decode(data: bytes, cuts: list[int]) -> list[AmiMessage]:
    decoder = Decoder()
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [message for start, end in pairwise(edges) for message in decoder.feed(data[start:end])]


@given(
    st.lists(EVENTS, max_size=5),
    st.lists(st.integers(min_value=0, max_value=10_000), max_size=40),
    st.sampled_from([b"\r\n\r\n", b"\r\n\n"]),
)
def test_every_split_gives_the_same_messages(
    events: list[tuple[str, list[tuple[str, str]]]], cuts: list[int], ending: bytes
) -> None:
    data = BANNER + b"".join(wire(name, headers) + ending for name, headers in events)
    messages = decode(data, cuts)
    assert len(messages) == len(events)
    for message, (name, headers) in zip(messages, events, strict=True):
        assert isinstance(message, AmiEvent)
        assert message.name == name
        for key in {key for key, _ in headers}:
            values = tuple(value for each, value in headers if each == key)
            assert message.get_all(key) == values
            assert message.get(key.upper()) == values[0]


@given(st.binary(max_size=3000), st.lists(st.integers(min_value=0, max_value=3000), max_size=20))
@settings(max_examples=300)
def test_no_bytes_break_the_decoder(garbage: bytes, cuts: list[int]) -> None:
    decoder = Decoder(max_message=500, max_line=100)
    decoder.feed(BANNER)
    edges = [0, *sorted({cut % (len(garbage) + 1) for cut in cuts}), len(garbage)]
    for start, end in pairwise(edges):
        for message in decoder.feed(garbage[start:end]):
            dict(message.items())
        assert decoder.buffered <= 500 + len(garbage)
    # Whatever came before, a whole message after an end of message is understood.
    last = decoder.feed(b"\r\n\r\nEvent: After\r\nKey: value\r\n\r\n")[-1]
    assert isinstance(last, AmiEvent)
    assert (last.name, last.get("key")) == ("After", "value")


@given(st.lists(st.tuples(KEYS, st.text(max_size=30)), max_size=5))
def test_an_action_is_refused_or_arrives_as_it_was_meant(headers: list[tuple[str, str]]) -> None:
    unique = dict(headers)
    try:
        data = encode_action("Setvar", unique.items(), action_id="7")
    except AmiInvalid:
        return
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    lines = data.decode()[:-4].split("\r\n")
    assert sorted(lines) == sorted(
        ["Action: Setvar", "ActionID: 7", *(f"{key}: {value}" for key, value in unique.items())]
    )
