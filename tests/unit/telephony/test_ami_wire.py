"""What was written to a PBX that cannot be reached does not arrive when the link was long given up."""

import asyncio
import socket

import pytest

from telephony.ami.codec import Decoder
from telephony.ami.config import AmiConfig
from telephony.ami.wire import UNDELIVERED_MS, Wire

pytestmark = pytest.mark.unit

MUCH = 20


def everything(far: socket.socket) -> None:
    """Read to the end."""
    while far.recv(1 << 16):
        pass


async def test_a_link_that_is_given_up_takes_back_what_was_not_delivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        wire = Wire(
            Decoder(AmiConfig(username="", secret="").discard),
            lambda wire, messages: None,
            lambda wire, reason: None,
            backlog=1 << 30,
        )
        await asyncio.get_running_loop().create_connection(lambda: wire, *door.getsockname())
        far, _ = door.accept()
        with far:
            # It reads nothing: what it has not taken waits in the kernel.
            for _ in range(MUCH):
                wire.send_bytes(b"Action: Originate\r\n\r\n" * 5000)
            wire.abort("watchdog")
            assert await wire.lost == "watchdog"
            far.settimeout(20)
            with pytest.raises(ConnectionResetError):
                everything(far)


async def test_what_is_not_acknowledged_is_not_kept_for_ever_though_we_are_killed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        wire = Wire(
            Decoder(AmiConfig(username="", secret="").discard),
            lambda wire, messages: None,
            lambda wire, reason: None,
            backlog=1,
        )
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: wire, *door.getsockname())
        near = transport.get_extra_info("socket")
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNDELIVERED_MS
        wire.abort("closed")
        await wire.lost
