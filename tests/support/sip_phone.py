"""SIP (RFC 3261) as far as somebody who is called needs it: read requests, answer them, hang up."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE"
_TO: Final = re.compile(r"sip:([0-9+]*)@")
_TARGET: Final = re.compile(r"<?(sip:[^>;\s]+)")
_ADDRESS: Final = re.compile(r"^c=IN IP4 (\S+)", re.MULTILINE)
_AUDIO: Final = re.compile(r"^m=audio (\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request or a response."""

    first: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, raw: bytes) -> "SipMessage | None":
        """Read a datagram; ``None`` for what is no SIP."""
        head, _, body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        if "SIP/2.0" not in first:
            return None
        pairs = (line.partition(":") for line in lines if ":" in line)
        return cls(first, tuple((name.strip().lower(), value.strip()) for name, _, value in pairs), body)

    def get(self, name: str) -> str:
        """Return a header, the first of its name."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def method(self) -> str:
        """The request's, or that of the request which is answered."""
        return self.get("cseq").rpartition(" ")[2]

    @property
    def is_response(self) -> bool:
        """Whether it answers something."""
        return self.first.startswith("SIP/2.0")

    @property
    def call_id(self) -> str:
        """The dialog's name."""
        return self.get("call-id")

    @property
    def in_dialog(self) -> bool:
        """Whether it belongs to a call that both sides know."""
        return ";tag=" in self.get("to")

    @property
    def number(self) -> str:
        """Who is called."""
        found = _TO.search(self.get("to"))
        return found[1] if found else ""

    @property
    def audio(self) -> tuple[str, int] | None:
        """Where the other side wants to hear us."""
        address, port = _ADDRESS.search(self.body), _AUDIO.search(self.body)
        return (address[1], int(port[1])) if address and port else None


@dataclass(slots=True)
class Dialog:
    """One call, seen from whoever is called."""

    invite: SipMessage
    host: str
    port: int
    media_port: int
    tag: str = field(default_factory=lambda: secrets.token_hex(6))
    sequence: int = 10
    payload: int = 8
    """The codec: 8 is A-law, 0 is μ-law."""

    @property
    def _contact(self) -> str:
        return f"<sip:people@{self.host}:{self.port}>"

    @property
    def _sdp(self) -> str:
        rows = (
            "v=0",
            f"o=people 1 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.media_port} RTP/AVP {self.payload} 101",
            f"a=rtpmap:{self.payload} PCM{'A' if self.payload else 'U'}/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=ptime:20",
            "a=sendrecv",
        )
        return "".join(f"{row}\r\n" for row in rows)

    def answer(self, request: SipMessage, status: str) -> bytes:
        """Answer a request; a 200 or 183 to an INVITE says where we hear."""
        echoed = [
            (name, value) for name, value in request.headers if name in {"via", "from", "call-id", "cseq"}
        ]
        rows = [f"SIP/2.0 {status}", *(f"{name}: {value}" for name, value in echoed)]
        to = request.get("to")
        rows.append(f"to: {to}" if ";tag=" in to else f"to: {to};tag={self.tag}")
        speaks = status[:3] in {"183", "200"} and request.method == "INVITE"
        body = self._sdp if speaks else ""
        rows += [f"contact: {self._contact}", f"allow: {ALLOW}"]
        return _datagram(rows, body)

    def bye(self) -> bytes:
        """Hang up."""
        self.sequence += 1
        invite = self.invite
        target = _TARGET.search(invite.get("contact"))
        rows = [
            f"BYE {target[1] if target else ''} SIP/2.0",
            f"via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(8)}",
            f"from: {invite.get('to')};tag={self.tag}",
            f"to: {invite.get('from')}",
            f"call-id: {invite.call_id}",
            f"cseq: {self.sequence} BYE",
            "max-forwards: 70",
        ]
        return _datagram(rows)


def _datagram(rows: list[str], body: str = "") -> bytes:
    if body:
        rows = [*rows, "content-type: application/sdp"]
    return ("\r\n".join([*rows, f"content-length: {len(body)}"]) + "\r\n\r\n" + body).encode()
