"""A call as Asterisk tells it: a recorded story, played again with other people, in pieces of our timing."""

import re
from dataclasses import dataclass
from pathlib import Path

from telephony.ami.message import AmiEvent
from telephony.ami.record import read_recording

FOLDER = Path(__file__).resolve().parents[1] / "data" / "ami"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
# Events further apart than this belong to different pieces: between them somebody did something.
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays the call. ``number`` makes its channels unique."""

    number: int
    call_id: str
    caller: str
    caller_name: str
    agent: str


class Story:
    """A recorded call to a queue, one caller and one agent's phone, cut into what happened at one moment."""

    def __init__(self, name: str) -> None:
        data = (FOLDER / f"{name}.ami").read_bytes()
        events = [item for item in read_recording(BANNER + data) if isinstance(item, AmiEvent)]
        called = next(event for event in events if event.name == "AgentCalled")
        self._recorded = {
            "channel": called.get("Channel"),
            "uniqueid": called.get("Uniqueid"),
            "caller": called.get("CallerIDNum"),
            "caller_name": called.get("CallerIDName"),
            "call_id": called.chan_variables["HF_CALL"],
            "dest_channel": called.get("DestChannel"),
            "dest_uniqueid": called.get("DestUniqueid"),
            "agent": called.get("Interface").partition("/")[2],
        }
        self.queue = called.get("Queue")
        self.label = next(event.get("Label") for event in events if event.get("UserEvent") == "HuifangMenu")
        self.pieces = _pieces(data)
        self.ring = next(i for i, piece in enumerate(self.pieces) if b"Event: AgentCalled" in piece)

    def played_by(self, cast: Cast) -> list[bytes]:
        """Return the pieces with these people and channels of their own."""
        old = self._recorded
        agent_channel = f"PJSIP/{cast.agent}-{cast.number:08x}"
        # In this order: what is longer or contains another word goes first.
        words = {
            old["dest_channel"]: agent_channel,
            old["channel"]: f"PJSIP/trunk-main-{cast.number:08x}",
            old["call_id"]: cast.call_id,
            old["caller"]: cast.caller,
            # Where nobody's name was shown, nobody's is.
            **({old["caller_name"]: cast.caller_name} if old["caller_name"] != "<unknown>" else {}),
            f"PJSIP/{old['agent']}": f"PJSIP/{cast.agent}",
            f": {old['agent']}\r\n": f": {cast.agent}\r\n",
            f"id: {old['uniqueid']}\r\n": f"id: 1795400000.{2 * cast.number}\r\n",
            f"id: {old['dest_uniqueid']}\r\n": f"id: 1795400000.{2 * cast.number + 1}\r\n",
        }
        pattern = re.compile(b"|".join(re.escape(word.encode()) for word in words))
        new = {word.encode(): text.encode() for word, text in words.items()}
        bridge = b"Bridge-%d" % cast.number
        return [
            re.sub(rb"(?<=BridgeUniqueid: )\S+", bridge, pattern.sub(lambda found: new[found[0]], piece))
            for piece in self.pieces
        ]


def _pieces(data: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    last: float | None = None
    for message in data.split(b"\r\n\r\n"):
        stamp = re.search(rb"^Timestamp: (\S+)", message, re.MULTILINE)
        if stamp is None:
            continue
        at = float(stamp[1])
        if last is None or at - last > PAUSE_SECONDS:
            pieces.append(b"")
        pieces[-1] += message + b"\r\n\r\n"
        last = at
    return pieces
