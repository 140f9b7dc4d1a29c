"""A caller's number with line breaks: Asterisk writes it into its events as it came."""

import pytest

from telephony.ami.codec import Decoder
from telephony.ami.message import AmiEvent, AmiMessage

pytestmark = pytest.mark.unit

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
VICTIM = "pbx1-1795330100.0"


def newchannel(number: str, *, uniqueid: str = "pbx1-1795330104.1") -> bytes:
    """The event as Asterisk 22 writes it."""
    lines = [
        "Event: Newchannel",
        "Privilege: call,all",
        "Timestamp: 1795330104.705925",
        "SystemName: pbx1",
        "Channel: PJSIP/trunk-main-00000001",
        "ChannelState: 4",
        "ChannelStateDesc: Ring",
        f"CallerIDNum: {number}",
        "CallerIDName: <unknown>",
        "ConnectedLineNum: <unknown>",
        "ConnectedLineName: <unknown>",
        "Language: en",
        "AccountCode: ",
        "Context: from-trunk",
        "Exten: 4008001234",
        "Priority: 1",
        f"Uniqueid: {uniqueid}",
        f"Linkedid: {uniqueid}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def hangup(uniqueid: str) -> bytes:
    return f"Event: Hangup\r\nUniqueid: {uniqueid}\r\nCause: 16\r\n\r\n".encode()


FORGERIES = {
    "another channel's id": f"1\r\nUniqueid: {VICTIM}\r\nLinkedid: {VICTIM}",
    "a number of its own after it": f"1\r\nUniqueid: {VICTIM}\r\nCallerIDNum: 2",
    "an event with our tail": f"1\r\n\r\nEvent: Hangup\r\nUniqueid: {VICTIM}",
    "an event of its own": f"\r\n\r\nEvent: Hangup\r\nUniqueid: {VICTIM}\r\n\r\n",
    "the short ending": "1\r\n\nEvent: Shutdown\r\n\n",
    "a channel that looks whole": "1\r\nUniqueid: 1\r\nLinkedid: 1\r\n\r\nEvent: Shutdown\r\n\r\n",
    "many ends": "1" + "\r\n\r\n" * 18,
    "an answer": "1\r\n\r\nResponse: Error\r\nActionID: hf-1\r\n\r\n",
}


def facts(messages: list[AmiMessage]) -> list[tuple[str, str]]:
    return [(message.name, message.get("uniqueid")) for message in messages if isinstance(message, AmiEvent)]


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize("number", FORGERIES.values(), ids=FORGERIES)
def test_a_number_cannot_speak_as_asterisk(number: str, piece: int) -> None:
    assert len(number) < 80, "Asterisk keeps no more of a number"
    data = BANNER + newchannel("13800138000", uniqueid=VICTIM) + newchannel(number) + hangup(VICTIM)
    decoder = Decoder()
    messages = [
        message for at in range(0, len(data), piece) for message in decoder.feed(data[at : at + piece])
    ]
    assert facts(messages) == [
        ("Newchannel", VICTIM),
        ("Newchannel", "pbx1-1795330104.1"),
        ("Hangup", VICTIM),
    ]
    assert len(messages) == 3
    assert messages[1].get("calleridnum").isprintable()
    assert messages[1].get("linkedid") == "pbx1-1795330104.1"
    assert decoder.malformed == 1
    assert decoder.buffered == 0


def test_a_channel_told_in_another_order_is_taken_as_it_is() -> None:
    data = BANNER + b"Event: Newchannel\r\nChannelStateDesc: Ring\r\nCallerIDNum: 1\r\nUniqueid: 1\r\n\r\n"
    assert facts(Decoder().feed(data)) == [("Newchannel", "1")]


def test_a_message_that_never_becomes_whole_is_given_up() -> None:
    decoder = Decoder()
    torn = newchannel("1\r\n\r\n").split(b"CallerIDName")[0]
    decoder.feed(BANNER + newchannel("13800138000"))
    messages = decoder.feed(torn + b"Event: X\r\n\r\n" * 400 + hangup(VICTIM))
    assert facts(messages)[-1] == ("Hangup", VICTIM)
    assert decoder.malformed == 1


def test_names_are_read_as_they_were_meant() -> None:
    raw = rb"Event: Newchannel" + b"\r\n" + rb"CallerIDName: O\'Brien \"Bob\"\r\nEvent: Hangup C:\\new"
    event = AmiEvent("Newchannel", raw)
    assert event.get("calleridname") == 'O\'Brien "Bob"  Event: Hangup C:\\new'
