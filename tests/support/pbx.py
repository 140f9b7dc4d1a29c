"""A real Asterisk of a test's own: rendered configuration, free ports, folders under the test's.

``async with running_pbx(tmp_path) as pbx`` boots in about a second. Agents live on 127.0.0.1, the
telephone network on 127.0.0.2: the trunk is known by its address, as it is in life.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.runtime import Runtime
from app.runtime.asterisk import AsteriskServer
from app.runtime.sockets import socket_folder
from app.runtime.tool import ALL_TOOLS
from telephony.asterisk.model import AgentEndpoint, AsteriskPaths, PbxConfig, QueueConfig, TrunkConfig
from telephony.asterisk.render import prepare
from tests.support.ports import free_port, free_ports
from tests.support.runtime import runtime_folder

AGENT_HOST: Final = "127.0.0.1"
NETWORK_HOST: Final = "127.0.0.2"
HOTLINE: Final = "4008001234"
RTP_PORTS: Final = 100

AGENTS: Final = tuple(
    AgentEndpoint(number=number, display_name=name, secret=f"phone-{number}")
    for number, name in (("1001", "李静"), ("1002", "张伟"), ("1003", "王芳"))
)
QUEUES: Final = tuple(
    QueueConfig(name=name, label=label, ring_seconds=3, retry_seconds=1, max_wait_seconds=60)
    for name, label in (("complaint", "投诉"), ("repair", "报修"), ("service", "人工"))
)


def pbx_config(folder: Path, runtime: Runtime, **changes: Any) -> PbxConfig:
    """A small centre on free ports: three agents, three queues, trunk ``main``; anything may be changed."""
    found = runtime.asterisk_files
    paths = AsteriskPaths(
        config=folder / "etc",
        modules=found.modules,
        data=found.data,
        varlib=folder / "lib",
        keys=folder / "keys",
        agi=folder / "agi",
        spool=folder / "spool",
        run=socket_folder(folder / "run"),
        log=folder / "log",
        sbin=runtime.asterisk.program.parent,
    )
    rtp = free_ports(RTP_PORTS)
    trunk = TrunkConfig(
        name="main",
        host=NETWORK_HOST,
        port=free_port(host=NETWORK_HOST),
        dids=(HOTLINE,),
        caller_number=HOTLINE,
    )
    values: dict[str, Any] = {
        "node": "pbx1",
        "paths": paths,
        "sip_host": AGENT_HOST,
        "sip_port": free_port(),
        "http_host": AGENT_HOST,
        "http_port": free_port(),
        "rtp_start": rtp.start,
        "rtp_end": rtp.stop - 1,
        "ami_host": AGENT_HOST,
        "ami_port": free_port(),
        "ami_user": "huifang",
        "ami_secret": "ami-secret",
        "agi_host": AGENT_HOST,
        "agi_port": free_port(),
        "trunks": (trunk,),
        "agents": AGENTS,
        "queues": QUEUES,
        "default_queue": "service",
        "hotline_number": HOTLINE,
        "prompts_dir": folder / "prompts",
        "music_dir": folder / "music",
        "recordings_dir": folder / "recordings",
    }
    return PbxConfig(**{**values, **changes})


@dataclass(frozen=True, slots=True)
class Pbx:
    """A running Asterisk and where everything of it is."""

    config: PbxConfig
    runtime: Runtime
    server: AsteriskServer

    @property
    def trunk(self) -> TrunkConfig:
        """The line to the telephone network."""
        return self.config.trunks[0]

    async def cli(self, command: str) -> str:
        """What the console answers."""
        return await self.server.cli(command)

    async def channels(self) -> list[str]:
        """The names of the channels that exist now."""
        lines = (await self.cli("core show channels concise")).splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    async def idle(self) -> bool:
        """Whether no channel is left."""
        return await self.channels() == []

    async def variable(self, channel: str, name: str) -> str:
        """A channel variable, empty when it is not set."""
        said = await self.cli(f"core show channel {channel}")
        for line in said.splitlines():
            key, _, value = line.partition("=")
            if key.strip() == name:
                return value
        return ""

    async def restart(self) -> None:
        """Stop Asterisk, every call with it, and start it again."""
        await self.server.stop()
        await self.server.start()

    def log(self, *levels: str) -> list[str]:
        """The lines of messages.log that bear one of these levels (all lines without any)."""
        path = self.config.paths.log / "messages.log"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return [line for line in lines if not levels or any(f"] {level}[" in line for level in levels)]

    def events(self) -> list[str]:
        """The lines of the channel event log."""
        path = self.config.paths.event_log
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@contextlib.asynccontextmanager
async def running_pbx(folder: Path, *, runtime: Runtime | None = None, **changes: Any) -> AsyncIterator[Pbx]:
    """Boot Asterisk with `pbx_config` (``changes`` applied) and stop it after the block."""
    if runtime is None:
        runtime = await Runtime.ensure(runtime_folder(), need=frozenset(ALL_TOOLS))
    config = pbx_config(folder / "pbx", runtime, **changes)
    await asyncio.to_thread(prepare, config)
    server = AsteriskServer(
        runtime.asterisk,
        config.paths.config / "asterisk.conf",
        manager=(config.ami_host, config.ami_port),
        folder=folder / "pbx",
    )
    await server.start()
    try:
        yield Pbx(config, runtime, server)
    finally:
        await server.stop()
