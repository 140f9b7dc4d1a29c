"""Who listens on a port, as far as /proc tells."""

import contextlib
import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROC = Path("/proc")
LISTENING = {"tcp": "0A", "udp": "07"}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that holds a port."""

    pid: int
    name: str
    command: str


def try_bind(host: str, port: int, kind: Literal["tcp", "udp"]) -> int:
    """Return 0 if the port can be had, else the system's error number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, KINDS[kind]) as probe:
        if kind == "tcp":
            # As servers do: connections that just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            if kind == "tcp":
                probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def owners(port: int, kind: Literal["tcp", "udp"]) -> list[Owner]:
    """Return the processes that hold the port; other users' processes stay hidden from an ordinary user."""
    inodes = _inodes(port, kind)
    found = []
    for folder in PROC.glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) in inodes:
                        found.append(_owner(folder))
                        break
    return found


def _inodes(port: int, kind: str) -> set[str]:
    inodes = set()
    for table in (kind, f"{kind}6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / table).read_text("ascii", "replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) <= 9 or fields[3] != LISTENING[kind]:
                    continue
                if int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _owner(folder: Path) -> Owner:
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    name = (folder / "comm").read_text("utf-8", "replace").strip()
    if name.startswith("ld") and "--library-path" in words[:-2]:
        # An unpacked program goes by its loader's name.
        name = Path(words[words.index("--library-path") + 2]).name
    return Owner(pid=int(folder.name), name=name, command=" ".join(words))
