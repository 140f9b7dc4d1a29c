"""Free ports for servers that a test starts: no two tests get the same one, in no worker, while they run."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below the range from which the kernel takes ports for outgoing connections (32768 and up), so that no
# connection made between choosing and binding can take one.
FIRST = 15000
LAST = 32000
TRIES = 2000

_held: list[IO[str]] = []


def free_port(*, host: str = "127.0.0.1") -> int:
    """Return a port that is free for TCP and UDP and stays this process' own until it ends."""
    return free_ports(1, host=host)[0]


def free_ports(count: int, *, host: str = "127.0.0.1") -> range:
    """Return ``count`` ports in a row, beginning with an even one, free for TCP and UDP (for RTP, say)."""
    for _ in range(TRIES):
        first = random.randrange(FIRST, LAST - count, 2)
        wanted = range(first, first + count)
        locks = [_lock(port) for port in wanted]
        if all(lock is not None for lock in locks) and all(_is_free(host, port) for port in wanted):
            _held.extend(lock for lock in locks if lock is not None)
            return wanted
        for lock in locks:
            if lock is not None:
                lock.close()
    raise AssertionError(f"no {count} free ports in a row between {FIRST} and {LAST}")


def _lock(port: int) -> IO[str] | None:
    """Hold the port's lock file; the kernel frees it when the process ends, however it ends."""
    folder = Path(tempfile.gettempdir()) / f"huifang-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / str(port)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
