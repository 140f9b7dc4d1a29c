"""An Asterisk of our own, in the foreground, with a rendered configuration."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from app.runtime.command import run
from app.runtime.errors import ProcessFailed
from app.runtime.process import Backoff, ManagedProcess, ProcessEnded, ProcessSpec
from app.runtime.tool import Tool

CLI_DEADLINE_SECONDS = 10.0
BANNER = b"Asterisk Call Manager/"


class AsteriskServer(ManagedProcess):
    """Asterisk started with ``-C``; every folder it uses is named in that asterisk.conf.

    It runs as the user who starts it. Starting again is always stop and start: ``core restart`` executes
    the bare program and would lose the loader of an unpacked tree.

    Args:
        asterisk_conf: the rendered asterisk.conf.
        manager: host and port of AMI; its banner is waited for, because Asterisk itself starts without
            AMI when the port is taken.
        folder: where it runs and its output goes.
    """

    def __init__(
        self,
        tool: Tool,
        asterisk_conf: Path,
        *,
        manager: tuple[str, int] | None,
        folder: Path,
        ready_within: timedelta = timedelta(seconds=30),
        alert: Callable[[ProcessEnded], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._tool = tool
        self._conf = asterisk_conf.absolute()
        self._manager = manager
        spec = ProcessSpec(
            name="asterisk",
            command=tool.command("-C", self._conf, "-f", "-n"),
            env=tool.env(),
            folder=folder,
            log_file=folder / "asterisk-output.log",
            ready=self._booted,
            ready_within=ready_within,
            stop=self._stop_now,
        )
        super().__init__(spec, alert=alert, backoff=backoff)

    async def cli(self, command: str, *, deadline_seconds: float = CLI_DEADLINE_SECONDS) -> str:
        """Run a command on the console of the running Asterisk and return what it prints.

        Raises:
            ProcessFailed: Asterisk is not running or did not answer in time.
        """
        try:
            ran = await run(
                self._tool.command("-C", self._conf, "-n", "-rx", command),
                env=self._tool.env(),
                deadline_seconds=deadline_seconds,
            )
        except TimeoutError as error:
            raise ProcessFailed("Asterisk's console did not answer in time") from error
        if ran.status != 0:
            raise ProcessFailed(f"Asterisk's console refused: {ran.output.strip()[-200:]}")
        return ran.output

    async def _booted(self) -> bool:
        try:
            said = await self.cli("core waitfullybooted")
        except ProcessFailed:
            return False
        return "fully booted" in said and (self._manager is None or await manager_answers(*self._manager))

    async def _stop_now(self) -> None:
        await self.cli("core stop now")


async def manager_answers(host: str, port: int) -> bool:
    """Whether AMI greets on this address.

    Raises:
        OSError: nobody listens there.
    """
    reader, writer = await asyncio.open_connection(host, port, limit=1024)
    try:
        return (await reader.readline()).startswith(BANNER)
    finally:
        writer.close()
