"""Asks a SIP server whether it is there, from beside the PBX: one OPTIONS over UDP, and what came back.

The PBX's own qualify is left alone: a carrier that answers no OPTIONS would be marked as away by it, and no
call would be tried any more.
"""

import asyncio
import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ([^\r\n]{0,80})")
AGAIN = (0.5, 1.0)
"""Seconds until it is asked once more: a packet may be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAnswer:
    """What a server answered.

    Attributes:
        status: SIP status, ``None`` where nothing came.
        reason: as the server says it, or why nothing could be asked; at most 80 characters.
        took: from the packet that was answered to the answer.
    """

    status: int | None
    reason: str
    took: timedelta | None = None


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, token: bytes) -> None:
        self._token = token
        self.answered: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        found = _STATUS.match(data)
        if found and self._token in data and not self.answered.done():
            self.answered.set_result((int(found[1]), found[2].decode("utf-8", "replace").strip()))

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc)


async def ask_options(host: str, port: int, *, user: str, within: timedelta) -> SipAnswer:
    """Send OPTIONS and wait for the answer; never raises for a server that is away."""
    token = secrets.token_hex(8)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within.total_seconds()):
            transport, asking = await loop.create_datagram_endpoint(
                lambda: _Asking(token.encode()), remote_addr=(host, port)
            )
            try:
                own = transport.get_extra_info("sockname")
                for wait in (*AGAIN, None):
                    sent = time.perf_counter()
                    transport.sendto(_options(host, port, own[0], own[1], user, token))
                    try:
                        status, reason = await asyncio.wait_for(asyncio.shield(asking.answered), wait)
                    except TimeoutError:
                        continue
                    took = timedelta(seconds=time.perf_counter() - sent)
                    return SipAnswer(status=status, reason=reason, took=took)
            finally:
                transport.close()
                asking.answered.cancel()
    except TimeoutError:
        return SipAnswer(status=None, reason="no answer")
    except OSError as error:
        return SipAnswer(status=None, reason=(error.strerror or type(error).__name__)[:80])
    return SipAnswer(status=None, reason="no answer")


def _options(host: str, port: int, own: str, own_port: int, user: str, token: str) -> bytes:
    shown, mine = (f"[{one}]" if ":" in one else one for one in (host, own))
    lines = (
        f"OPTIONS sip:{shown}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {mine}:{own_port};rport;branch=z9hG4bK{token}",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{mine}>;tag={token}",
        f"To: <sip:{shown}:{port}>",
        f"Call-ID: {token}@{mine}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:{user}@{mine}:{own_port}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
