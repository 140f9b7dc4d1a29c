"""A carrier's server as far as OPTIONS goes: answers, refuses, or is silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any


class SipServer(asyncio.DatagramProtocol):
    """Answers every request with ``status``; ``0``: nothing. The first ``lost`` packets are not answered."""

    def __init__(self, status: str, lost: int) -> None:
        self.status = status
        self.lost = lost
        self.asked: list[str] = []
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode()
        self.asked.append(text)
        if len(self.asked) <= self.lost or not self.status:
            return
        copied = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
        kept = [line for line in text.split("\r\n") if line.startswith(copied)]
        answer = "\r\n".join([f"SIP/2.0 {self.status}", *kept, "Content-Length: 0", "", ""])
        self._transport.sendto(answer.encode(), addr)


@contextlib.asynccontextmanager
async def sip_server(
    status: str = "200 OK", *, host: str = "127.0.0.1", port: int = 0, lost: int = 0
) -> AsyncIterator[tuple[SipServer, int]]:
    """Yield it and its port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: SipServer(status, lost), local_addr=(host, port)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
