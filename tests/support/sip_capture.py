"""What a test's PBX says in SIP, and to whom, message by message."""

import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.pbx import Pbx

_HEADER, _RECORD = 24, struct.Struct("=IIII")
_STARTS = ("INVITE ", "ACK ", "BYE ", "CANCEL ", "UPDATE ", "OPTIONS ", "INFO ", "SIP/2.0 ")


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message, in whichever direction."""

    text: str

    @property
    def first(self) -> str:
        """The request or status line."""
        return self.text.partition("\r\n")[0]

    def header(self, name: str) -> str:
        """Return a header's value, empty without one."""
        for line in self.text.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return ""


@contextlib.asynccontextmanager
async def sip_capture(pbx: Pbx, file: Path) -> AsyncIterator[list[SipMessage]]:
    """Note every message for the length of the block; the list is filled at its end."""
    found: list[SipMessage] = []
    await pbx.cli(f"pjsip set logger pcap {file}")
    await pbx.cli("pjsip set logger on")
    try:
        yield found
    finally:
        await pbx.cli("pjsip set logger off")
        found += _read(file.read_bytes()) if file.exists() else []


def _read(raw: bytes) -> list[SipMessage]:
    found, place = [], _HEADER
    while place + _RECORD.size <= len(raw):
        _, _, length, _ = _RECORD.unpack_from(raw, place)
        place += _RECORD.size
        text = raw[place : place + length].decode("utf-8", "replace")
        place += length
        begins = min((text.find(word) for word in _STARTS if word in text), default=-1)
        if begins >= 0:
            found.append(SipMessage(text[begins:]))
    return found
