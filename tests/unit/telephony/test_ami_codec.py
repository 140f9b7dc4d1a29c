"""Framing of AMI bytes and the encoding of actions."""

import pytest

from telephony.ami.codec import MAX_LINE, MAX_MESSAGE, Decoder, encode_action, quoted_variable
from telephony.ami.errors import AmiInvalid, AmiProtocolError
from telephony.ami.message import AmiEvent, AmiMessage, AmiResponse

pytestmark = pytest.mark.unit

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def decoder(*, max_message: int = MAX_MESSAGE, max_line: int = MAX_LINE) -> Decoder:
    made = Decoder(max_message=max_message, max_line=max_line)
    assert made.feed(BANNER) == []
    return made


def names(messages: list[AmiMessage]) -> list[str]:
    return [message.name if isinstance(message, AmiEvent) else "response" for message in messages]


def test_the_banner_is_taken_apart_from_the_first_message() -> None:
    made = Decoder()
    messages = made.feed(BANNER + b"Response: Success\r\nActionID: 1\r\n\r\n")
    assert made.banner == "11.0.0"
    assert names(messages) == ["response"]


@pytest.mark.parametrize("data", [b"SSH-2.0\r\n", b"asterisk call manager/1\r\n", b"\r\n", b"x"])
def test_another_banner_is_an_error(data: bytes) -> None:
    with pytest.raises(AmiProtocolError):
        Decoder().feed(data)


def test_a_banner_without_end_is_an_error_not_a_growing_buffer() -> None:
    made = Decoder()
    made.feed(b"Asterisk Call Manager/" + b"1" * 100)
    made.feed(b"1" * 100)
    with pytest.raises(AmiProtocolError):
        made.feed(b"1" * 100)


def test_byte_by_byte() -> None:
    data = BANNER + "Event: Hangup\r\nCallerIDName: 张三的公司\r\n\r\nEvent: Next\r\n\r\n".encode()
    made = Decoder()
    messages = [message for byte in data for message in made.feed(bytes([byte]))]
    assert names(messages) == ["Hangup", "Next"]
    assert messages[0].get("calleridname") == "张三的公司"
    assert made.buffered == 0


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    (message,) = decoder().feed(b"Event: NewCallerid\r\nCallerIDName: \xe5\xbc\r\nUniqueid: 1\r\n\r\n")
    assert message.get("calleridname") == "\ufffd"
    assert message.get("uniqueid") == "1"


def test_discarded_events_are_counted_and_never_parsed() -> None:
    made = Decoder(discard={"VarSet"})
    made.feed(BANNER)
    messages = made.feed(
        b"Event: VarSet\r\nVariable: A\r\n\r\nEvent: Hangup\r\n\r\n"
        b"Event: VarSet\r\nActionID: 7\r\nVariable: B\r\n\r\n"
    )
    # The one that answers an action is kept.
    assert [(message.get("event"), message.action_id) for message in messages] == [
        ("Hangup", ""),
        ("VarSet", "7"),
    ]
    assert made.counts == {b"VarSet": 2, b"Hangup": 1}


def test_invented_event_names_do_not_fill_the_memory() -> None:
    made = decoder()
    for number in range(5000):
        made.feed(f"Event: Name{number}\r\n\r\n".encode())
    assert len(made.counts) <= 513
    assert sum(made.counts.values()) == 5000


def test_short_endings() -> None:
    messages = decoder().feed(b"Event: A\r\nKey: 1\r\n\nEvent: B\r\n\n\r\nEvent: C\r\n\r\n")
    assert names(messages) == ["A", "B", "C"]


def test_a_bare_line_feed_ends_nothing() -> None:
    (message,) = decoder().feed(b"Event: A\r\nCallerIDName: x\n\nEvent: Hangup\r\nKey: 1\r\n\r\n")
    assert message.get("event") == "A"
    assert message.get("calleridname") == "x  Event: Hangup"
    assert message.get("key") == "1"


def test_garbage_before_a_message() -> None:
    made = decoder()
    messages = made.feed(b"\x00\x01 half: x\r\nEvent: A\r\nKey: 1\r\n\r\nno message\r\n\r\nEvent: B\r\n\r\n")
    assert names(messages) == ["A", "B"]
    assert messages[0].get("key") == "1"
    assert made.malformed == 2


def test_a_message_without_end_is_cut_and_the_rest_skipped() -> None:
    made = decoder(max_message=1000, max_line=200)
    found: list[AmiMessage] = []
    found += made.feed(b"Event: Huge\r\nUniqueid: 1\r\n")
    for _ in range(100):
        found += made.feed(b"Key: " + b"x" * 50 + b"\r\n")
        assert made.buffered <= 1100
    found += made.feed(b"Last: 1\r\n\r")
    found += made.feed(b"\nEvent: Next\r\n\r\n")
    assert names(found) == ["Huge", "Next"]
    assert found[0].truncated
    assert found[0].get("uniqueid") == "1"
    assert set(found[0].get_all("key")) == {"x" * 50}
    assert not found[1].truncated


def test_garbage_without_end_is_skipped_too() -> None:
    made = decoder(max_message=1000, max_line=200)
    for _ in range(50):
        assert made.feed(b"\x7f" * 100) == []
        assert made.buffered <= 1100
    assert names(made.feed(b"\r\n\r\nEvent: Next\r\n\r\n")) == ["Next"]
    assert made.malformed >= 1


def test_a_line_that_is_too_long_is_cut() -> None:
    made = decoder(max_message=1000, max_line=200)
    (message,) = made.feed(b"Event: A\r\nName: " + b"x" * 500 + b"\r\nUniqueid: 1\r\n\r\n")
    assert message.truncated
    assert len(message.get("name")) < 200
    assert message.get("uniqueid") == "1"


def test_a_long_event_may_be_discarded_too() -> None:
    made = Decoder(discard={"VarSet"}, max_message=1000, max_line=200)
    made.feed(BANNER)
    assert made.feed(b"Event: VarSet\r\nValue: " + b"x" * 500 + b"\r\n\r\n") == []


def test_a_long_response_stays_a_response() -> None:
    made = decoder(max_message=1000, max_line=200)
    (message,) = made.feed(b"Response: Success\r\nActionID: 1\r\nOutput: " + b"x" * 500 + b"\r\n\r\n")
    assert isinstance(message, AmiResponse)
    assert message.success
    assert message.truncated


def test_encoding_an_action() -> None:
    data = encode_action(
        "Originate",
        [("Channel", "PJSIP/1001"), ("Variable", ["A=1", "B=张三"]), ("Empty", "")],
        action_id="hf-1",
    )
    lines = data.decode().split("\r\n")
    assert lines[-2:] == ["", ""]
    assert sorted(lines[:-2]) == [
        "Action: Originate",
        "ActionID: hf-1",
        "Channel: PJSIP/1001",
        "Empty: ",
        "Variable: A=1",
        "Variable: B=张三",
    ]


@pytest.mark.parametrize("text", ["\r", "\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\ud83d"])
def test_what_cannot_be_sent_is_refused(text: str) -> None:
    for name, headers, action_id in (
        (f"Ping{text}", [("A", "b")], "1"),
        ("Ping", [("A", f"b{text}")], "1"),
        ("Ping", [(f"A{text}", "b")], "1"),
        ("Ping", [("A", "b")], f"1{text}"),
    ):
        with pytest.raises(AmiInvalid):
            encode_action(name, headers, action_id=action_id)


@pytest.mark.parametrize("key", ["", "A b", "A:", "Äpfel", "1a", "Action", "ACTIONID", "x" * 65])
def test_malformed_header_names_are_refused(key: str) -> None:
    with pytest.raises(AmiInvalid):
        encode_action("Ping", [(key, "value")], action_id="1")


def test_what_the_pbx_would_not_take_is_refused() -> None:
    encode_action("Ping", [("Foo", "x" * 1017)], action_id="1")
    with pytest.raises(AmiInvalid):
        encode_action("Ping", [("Foo", "x" * 1018)], action_id="1")
    with pytest.raises(AmiInvalid):
        encode_action("Ping", [("Foo", "王" * 340)], action_id="1")
    with pytest.raises(AmiInvalid):
        encode_action("Ping", [("Variable", ["a=b"] * 121)], action_id="1")


def test_quoting_of_variables() -> None:
    assert quoted_variable("__HF_CALL", "") == '__HF_CALL=""'
    assert quoted_variable("A", 'x,B=1"\\') == 'A="x,B=1\\"\\\\"'


@pytest.mark.parametrize("name", ["", "A,B", "A=B", 'A"', "A\\", "A B"])
def test_names_of_variables_cannot_smuggle_another(name: str) -> None:
    with pytest.raises(AmiInvalid):
        quoted_variable(name, "x")
