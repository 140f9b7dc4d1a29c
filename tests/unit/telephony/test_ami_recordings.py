"""Every recording of a real Asterisk decodes completely, however it is cut."""

from pathlib import Path

import pytest

from telephony.ami.codec import Decoder
from telephony.ami.message import AmiEvent

pytestmark = pytest.mark.unit

RECORDINGS = sorted((Path(__file__).resolve().parents[2] / "data" / "ami").glob("*.ami"))
BANNER = b"Asterisk Call Manager/11.0.0\r\n"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_decodes_completely(path: Path) -> None:
    data = path.read_bytes()
    if not data.startswith(b"Asterisk Call Manager/"):
        data = BANNER + data
    expected = data.replace(b"\r\n\n", b"\r\n\r\n").count(b"\r\n\r\n")
    seen: set[tuple[str, ...]] = set()
    for size in (7, 1000, len(data)):
        decoder = Decoder()
        messages = [
            message
            for start in range(0, len(data), size)
            for message in decoder.feed(data[start : start + size])
        ]
        assert decoder.malformed == 0
        assert decoder.buffered == 0
        assert len(messages) == expected
        assert all("event" in message or "response" in message for message in messages)
        seen.add(tuple(event.name for event in messages if isinstance(event, AmiEvent)))
    assert len(seen) == 1


def test_a_channel_event_names_its_channel_before_anything_a_dialplan_may_add() -> None:
    morning = next(path for path in RECORDINGS if path.stem == "morning")
    found = [
        message
        for message in Decoder().feed(morning.read_bytes())
        if isinstance(message, AmiEvent) and message.name == "UserEvent"
    ]
    assert found
    for event in found:
        names = [name for name, _ in event.items()]
        assert names.index("uniqueid") < names.index("userevent") < names.index("label")
        assert event.get("label") in {"投诉", "报修", "人工"}
