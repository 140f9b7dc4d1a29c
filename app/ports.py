"""Looks whether the ports a start needs are free, and says who has one that is not."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings
from kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address that will be listened on; ``setting`` names where to choose another."""

    what: str
    host: str
    port: int
    setting: str
    udp: bool = False


class PortTaken(ConfigurationError):
    """Another program listens on a port that is needed."""

    code = "port_taken"


def wanted(settings: Settings) -> tuple[Wanted, ...]:
    """Return every address that ``huifang up`` listens on."""
    return (
        Wanted("the pages", settings.web.host, settings.web.port, "HUIFANG_WEB__PORT"),
        Wanted("FastAGI", settings.agi.host, settings.agi.port, "HUIFANG_AGI__PORT"),
        Wanted("Asterisk's manager", settings.ami.host, settings.ami.port, "HUIFANG_AMI__PORT"),
        Wanted("SIP", settings.pbx.sip_host, settings.pbx.sip_port, "HUIFANG_PBX__SIP_PORT", udp=True),
        Wanted("SIP over WebSocket", settings.pbx.ws_host, settings.pbx.ws_port, "HUIFANG_PBX__WS_PORT"),
    )


def check_free(addresses: tuple[Wanted, ...]) -> None:
    """Make sure that every address can be listened on.

    Raises:
        PortTaken: one line that names the port, its user where the machine tells, and the setting.
    """
    for address in addresses:
        if address.port == 0:
            continue
        kind = socket.SOCK_DGRAM if address.udp else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with contextlib.closing(socket.socket(family, kind)) as probe:
            if not address.udp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                owner = owner_of(address.port, udp=address.udp)
                by = f" by {owner}" if owner else ""
                raise PortTaken(
                    f"port {address.port} for {address.what} is taken{by} ({error.strerror}): "
                    f"stop it, or choose another with {address.setting}=…"
                ) from error


def owner_of(port: int, *, udp: bool = False) -> str | None:
    """Return «name (pid n)» of the local process that has the port, where /proc tells."""
    inodes = set()
    for table in ("udp", "udp6") if udp else ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                listening = udp or fields[3] == "0A"
                if listening and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(link) in inodes:
                        return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None
