"""A caller who sends what no telephone would: SIP written byte by byte, from the telephone network.

SIPp and well-meant phones build headers for us; this one takes the bytes of From and of the dialled number
as they are. It only counts what it hears; keys are sent as INFO.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.pbx import HOTLINE, NETWORK_HOST, Pbx
from tests.support.waiting import PATIENCE, eventually

_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
_CSEQ = re.compile(rb"\r\nCSeq: *(\d+) (\w+)")
_TO = re.compile(rb"\r\nTo: *([^\r]*)")
_CONTACT = re.compile(rb"\r\nContact: *<([^>]*)>")
_ECHOED = (b"via", b"from", b"to", b"call-id", b"cseq")


def _branch() -> bytes:
    return b"z9hG4bK" + secrets.token_hex(8).encode()


class _Ear(asyncio.DatagramProtocol):
    """Counts what it hears."""

    packets = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.packets += 1


class Rogue(asyncio.DatagramProtocol):
    """One hostile call. ``async with`` opens its sockets and hangs up.

    Args:
        from_: the whole value of From without its tag, any bytes.
        did: the user part of the dialled address, any bytes; empty leaves it out.
        extra: more header lines of the INVITE, each ending in CR LF.

    Attributes:
        status: the last answer to the INVITE, 0 while there is none.
        answered: the call was taken.
        over: it has ended.
    """

    def __init__(self, pbx: Pbx, *, from_: bytes, did: bytes = HOTLINE.encode(), extra: bytes = b"") -> None:
        self.status = 0
        self.answered = False
        self.over = False
        self._server = (pbx.config.sip_host, pbx.config.sip_port)
        server = f"{pbx.config.sip_host}:{pbx.config.sip_port}".encode()
        self._uri = b"sip:" + (did + b"@" if did else b"") + server
        self._target = self._uri
        self._from = from_ + b";tag=" + secrets.token_hex(6).encode()
        self._to = b"<" + self._uri + b">"
        self._extra = extra
        self._branch = _branch()
        self._call_id = secrets.token_hex(10).encode()
        self._seq = 1
        self._ear = _Ear()
        self._signal: asyncio.DatagramTransport
        self._audio: asyncio.DatagramTransport

    async def __aenter__(self) -> Self:
        loop, here = asyncio.get_running_loop(), (NETWORK_HOST, 0)
        self._signal, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=here)
        self._audio, _ = await loop.create_datagram_endpoint(lambda: self._ear, local_addr=here)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        dialling = 0 < self.status < 200
        self.hang_up()
        if dialling:
            # The answer may have crossed our CANCEL.
            await self._quietly(lambda: self.status >= 200, 1.0)
            if self.answered:
                self._bye()
        self._signal.close()
        self._audio.close()
        await asyncio.sleep(0)

    async def call(self, *, within: float = 15) -> int:
        """Dial, again and again while nothing comes back; return the final answer, 0 for none in time."""
        invite = self._request(b"INVITE", self._sdp())
        loop = asyncio.get_running_loop()
        until, patience = loop.time() + within, 0.5
        while loop.time() < until and self.status == 0:
            self._send(invite)
            await self._quietly(lambda: self.status > 0, patience)
            patience *= 2
        await self._quietly(lambda: self.status >= 200, until - loop.time())
        return self.status if self.status >= 200 else 0

    async def hears(self, packets: int = 10) -> None:
        """Wait until somebody or something has been speaking for so many packets of 20 ms."""
        until = self._ear.packets + packets
        await eventually(lambda: self._ear.packets >= until, timeout=10, what="audio")

    def press(self, key: str) -> None:
        """Press a key."""
        self._seq += 1
        self._branch = _branch()
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        self._send(self._request(b"INFO", body, content=b"application/dtmf-relay"))

    def hang_up(self) -> None:
        """Say BYE if the call is up, CANCEL if nobody has answered."""
        if self.over:
            return
        self.over = True
        if self.answered:
            self._bye()
        elif 100 <= self.status < 200:
            self._send(self._request(b"CANCEL"))

    def _bye(self) -> None:
        self._seq += 1
        self._branch = _branch()
        self._send(self._request(b"BYE"))

    @staticmethod
    async def _quietly(done: Callable[[], bool], seconds: float) -> None:
        with contextlib.suppress(AssertionError):
            await eventually(done, timeout=max(0.0, seconds) / PATIENCE)

    def _sdp(self) -> bytes:
        port = self._audio.get_extra_info("sockname")[1]
        rows = ["v=0", f"o=- 1 1 IN IP4 {NETWORK_HOST}", "s=-", f"c=IN IP4 {NETWORK_HOST}", "t=0 0"]
        rows += [f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", "a=sendrecv"]
        return ("\r\n".join(rows) + "\r\n").encode()

    def _request(self, method: bytes, body: bytes = b"", *, content: bytes = b"application/sdp") -> bytes:
        here = f"{NETWORK_HOST}:{self._signal.get_extra_info('sockname')[1]}".encode()
        target = self._uri if method in (b"INVITE", b"CANCEL") else self._target
        seq = 1 if method in (b"INVITE", b"CANCEL", b"ACK") else self._seq
        rows = [
            method + b" " + target + b" SIP/2.0",
            b"Via: SIP/2.0/UDP " + here + b";branch=" + self._branch,
            b"From: " + self._from,
            b"To: " + self._to,
            b"Call-ID: " + self._call_id,
            b"CSeq: " + str(seq).encode() + b" " + method,
            b"Contact: <sip:rogue@" + here + b">",
            b"Max-Forwards: 70",
        ]
        if body:
            rows.append(b"Content-Type: " + content)
        rows.append(b"Content-Length: " + str(len(body)).encode())
        head = b"\r\n".join(rows) + b"\r\n"
        return head + (self._extra if method == b"INVITE" else b"") + b"\r\n" + body

    def _send(self, raw: bytes) -> None:
        if not self._signal.is_closing():
            self._signal.sendto(raw, self._server)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take what the PBX sends."""
        head = data.partition(b"\r\n\r\n")[0]
        status, seq = _STATUS.match(head), _CSEQ.search(head)
        if seq is None:
            return
        if status is None and seq[2] != b"ACK":
            self._grant(head)
            self.over = self.over or seq[2] == b"BYE"
        elif status is not None and seq[2] == b"INVITE":
            self._take(int(status[1]), head)

    def _take(self, status: int, head: bytes) -> None:
        self.status = max(self.status, status)
        to, contact = _TO.search(head), _CONTACT.search(head)
        if to is not None and status >= 180:
            self._to = to[1]
        if status < 200:
            return
        if status < 300:
            self._target = contact[1] if contact else self._target
            self._branch = self._branch if self.answered else _branch()
            self.answered = True
        else:
            self.over = True
        self._send(self._request(b"ACK"))

    def _grant(self, head: bytes) -> None:
        rows = [line for line in head.split(b"\r\n")[1:] if line.partition(b":")[0].lower() in _ECHOED]
        self._send(b"\r\n".join([b"SIP/2.0 200 OK", *rows, b"Content-Length: 0", b"", b""]))
