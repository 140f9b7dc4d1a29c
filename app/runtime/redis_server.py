"""A Redis of our own: on a unix socket in the data folder, nothing kept on disk, memory limited."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from app.runtime.process import Backoff, ManagedProcess, ProcessEnded, ProcessSpec
from app.runtime.sockets import socket_folder
from app.runtime.tool import Tool

SOCKET_NAME = "redis.sock"


class RedisServer(ManagedProcess):
    """A private redis-server. What Redis holds can be rebuilt, so it starts empty each time.

    Args:
        folder: for its socket and log; made if it is not there.
        memory_mb: past this, writes are refused rather than a lease or a stream thrown away.
    """

    def __init__(
        self,
        tool: Tool,
        folder: Path,
        *,
        memory_mb: int = 128,
        alert: Callable[[ProcessEnded], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = socket_folder(folder) / SOCKET_NAME
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "daemonize": "no",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": f"{memory_mb}mb",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        spec = ProcessSpec(
            name="redis",
            command=tool.command(*arguments),
            env=tool.env(),
            folder=folder,
            log_file=folder / "redis.log",
            ready=self._answers,
            ready_within=timedelta(seconds=10),
        )
        super().__init__(spec, alert=alert, backoff=backoff)

    @property
    def url(self) -> str:
        """The address for ``HUIFANG_REDIS_URL``."""
        return f"unix://{self.socket}"

    async def _answers(self) -> bool:
        return await redis_answers(self.socket)


async def redis_answers(socket: Path) -> bool:
    """Whether a Redis answers PING on this socket.

    Raises:
        OSError: nobody listens there.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=1024)
    try:
        writer.write(b"PING\r\n")
        await writer.drain()
        return await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()
