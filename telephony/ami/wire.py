"""The socket's side of a link: bytes in, messages to one synchronous callback, bytes out."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import structlog
from panoramisk.ami_protocol import AMIProtocol

from telephony.ami.codec import Decoder
from telephony.ami.errors import AmiDown, AmiProtocolError
from telephony.ami.message import AmiMessage

log = structlog.get_logger(__name__)

UNDELIVERED_MS = 20_000
"""What the PBX has not acknowledged after so long the kernel throws away, also when we are gone: an action
that arrives minutes after it was written is worse than one that is lost."""
_THROW_AWAY = struct.pack("ii", 1, 0)


class Wire(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol with our framing, and without its action table, replay and reconnecting.

    ``lost`` is done when the connection is over and tells the reason in one word.
    """

    def __init__(
        self,
        decoder: Decoder,
        deliver: "Callable[[Wire, list[AmiMessage]], None]",
        lost: "Callable[[Wire, str], None]",
        *,
        backlog: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.decoder = decoder
        self.greeted: asyncio.Future[str] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._deliver = deliver
        self._tell_lost = lost
        self._backlog = backlog
        self._reason: str | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._set_option(socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None), UNDELIVERED_MS)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio. Whatever happens here, no exception reaches the transport."""
        if self._reason is not None:
            return
        try:
            messages = self.decoder.feed(data)
            if not self.greeted.done() and self.decoder.banner is not None:
                self.greeted.set_result(self.decoder.banner)
            if messages:
                self._deliver(self, messages)
        except AmiProtocolError:
            self.abort("protocol")
        except Exception:
            # The border of the reader: a defect ends this connection, never the process.
            log.exception("ami_reader_failed")
            self.abort("failed")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio."""
        reason = self._reason or ("eof" if exc is None else "reset")
        if not self.lost.done():
            self.lost.set_result(reason)
        if not self.greeted.done():
            self.greeted.set_exception(AmiDown("the peer hung up before its greeting", sent=False))
            self.greeted.exception()
        self._tell_lost(self, reason)

    def end(self, reason: str) -> str:
        """Make sure the connection is over; return why, ``reason`` if it was not over before."""
        if self.lost.done():
            return self.lost.result()
        self.abort(reason)
        return self._reason or reason

    def send_bytes(self, data: bytes) -> None:
        """Write an action.

        Raises:
            AmiDown: the connection is over or the peer does not read; nothing was written.
        """
        transport = self._transport
        if transport is None or self._reason is not None or transport.is_closing():
            raise AmiDown("the link to the PBX is down", sent=False)
        if transport.get_write_buffer_size() > self._backlog:
            raise AmiDown("the PBX does not read what it is sent", sent=False)
        transport.write(data)

    def abort(self, reason: str) -> None:
        """End the connection at once; what has not arrived yet never does."""
        if self._reason is None:
            self._reason = reason
        if self._transport is not None:
            self._set_option(socket.SOL_SOCKET, socket.SO_LINGER, _THROW_AWAY)
            self._transport.abort()

    def _set_option(self, level: int, option: int | None, value: int | bytes) -> None:
        found = self._transport.get_extra_info("socket") if self._transport is not None else None
        if found is not None and option is not None:
            # A socket that is closed already, or no TCP.
            with suppress(OSError):
                found.setsockopt(level, option, value)

    async def finish(self, farewell: bytes, *, timeout: float) -> None:
        """Say goodbye and close; a peer that does not take it is cut off after ``timeout`` seconds."""
        try:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(farewell)
                self._reason = self._reason or "closed"
                self._transport.close()
            async with asyncio.timeout(timeout):
                await asyncio.shield(self.lost)
        except TimeoutError:
            pass
        finally:
            self.abort("closed")
