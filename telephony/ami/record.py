"""Save what a PBX says over AMI, byte for byte, for tests and for finding out what a strange PBX does.

    HUIFANG_AMI__SECRET=… python -m telephony.ami.record FILE --host HOST --user USER --seconds 60

A recording begins with the banner and is what a link would have read. It holds the callers' names and
numbers: treat it like one of voice.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from telephony.ami.actions import AmiActions
from telephony.ami.codec import Decoder
from telephony.ami.config import AmiConfig
from telephony.ami.errors import AmiError
from telephony.ami.handshake import log_in
from telephony.ami.message import AmiMessage
from telephony.ami.pending import ActionTable
from telephony.ami.wire import Wire


class _RecordingWire(Wire):
    """A wire that keeps what comes."""

    out: BinaryIO

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.out.write(data)
        super().data_received(data)


@contextlib.asynccontextmanager
async def recording(config: AmiConfig, out: BinaryIO) -> AsyncIterator[AmiActions]:
    """Record everything that comes inside the block; the actions may be used to provoke something.

    Raises:
        OSError, TimeoutError, AmiError: the PBX cannot be reached or refuses the login.
    """
    table = ActionTable(limit=config.pending_actions, list_items=config.list_items)

    def deliver(_: Wire, messages: list[AmiMessage]) -> None:
        for message in messages:
            table.settle(message)

    def lost(_: Wire, reason: str) -> None:
        table.fail_all(reason)

    wire = _RecordingWire(Decoder(), deliver, lost, backlog=config.write_backlog)
    wire.out = out
    actions = AmiActions(config, table, wire.send_bytes)
    try:
        async with asyncio.timeout(config.connect_timeout.total_seconds()):
            await asyncio.get_running_loop().create_connection(lambda: wire, config.host, config.port)
            await wire.greeted
        await log_in(actions, config)
        yield actions
    finally:
        await wire.finish(b"", timeout=config.close_timeout.total_seconds())


def read_recording(data: bytes) -> list[AmiMessage]:
    """Return every message of a recording."""
    return Decoder().feed(data)


async def _record(config: AmiConfig, path: Path, duration: timedelta) -> int:
    with path.open("xb") as out:
        async with recording(config, out):
            await asyncio.sleep(duration.total_seconds())
        return out.tell()


def main() -> int:
    """Command line of the recorder."""
    parser = argparse.ArgumentParser(description="Save what a PBX says over AMI to a file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5038)
    parser.add_argument("--user", default="huifang")
    parser.add_argument("--events", default="on", help="event mask, e.g. system,call,agent,user")
    parser.add_argument("--seconds", type=float, default=60.0)
    wanted = parser.parse_args()
    config = AmiConfig(
        host=wanted.host,
        port=wanted.port,
        username=wanted.user,
        secret=os.environ.get("HUIFANG_AMI__SECRET", ""),
        event_mask=wanted.events,
    )
    try:
        size = asyncio.run(_record(config, wanted.file, timedelta(seconds=wanted.seconds)))
    except (OSError, TimeoutError, AmiError) as error:
        print(f"nothing recorded: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    print(f"{size} bytes in {wanted.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
