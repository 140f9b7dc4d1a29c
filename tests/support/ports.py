"""Free ports for servers that a test starts: no two tests get the same one at a time, in no worker."""

import fcntl
import os
import random
import socket
import tempfile
from collections import deque
from functools import cache
from pathlib import Path

# Below the range from which the kernel takes ports for outgoing connections (32768 and up), so that no
# connection made between choosing and binding can take one.
FIRST = 15000
# Single ports lie below, ports in a row above: scattered single ones would leave no row whole.
ROWS = 20000
LAST = 32000
TRIES = 2000
# The oldest ports of a process are given back beyond this: tests run one after the other.
HELD_AT_MOST = 1000

_held: deque[range] = deque()
_taken: set[int] = set()


def free_port(*, host: str = "127.0.0.1") -> int:
    """Return a port that is free for TCP and UDP and that no other test process gets meanwhile."""
    return free_ports(1, host=host)[0]


def free_ports(count: int, *, host: str = "127.0.0.1") -> range:
    """Return ``count`` ports in a row, beginning with an even one, free for TCP and UDP (for RTP, say)."""
    while _held and len(_taken) + count > HELD_AT_MOST:
        _release(_held.popleft())
    for _ in range(TRIES):
        first = random.randrange(FIRST, ROWS, 2) if count == 1 else random.randrange(ROWS, LAST - count, 2)
        wanted = range(first, first + count)
        if not _taken.isdisjoint(wanted) or not _lock(wanted):
            continue
        if all(_is_free(host, port) for port in wanted):
            _taken.update(wanted)
            _held.append(wanted)
            return wanted
        _unlock(wanted)
    raise AssertionError(f"no {count} free ports in a row below {LAST}")


@cache
def _lock_file(pid: int) -> int:
    """The file whose byte number N stands for port N; the kernel frees a dead process' locks."""
    path = Path(tempfile.gettempdir()) / f"huifang-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(ports: range) -> bool:
    try:
        fcntl.lockf(_lock_file(os.getpid()), fcntl.LOCK_EX | fcntl.LOCK_NB, len(ports), ports.start)
    except OSError:
        return False
    return True


def _unlock(ports: range) -> None:
    fcntl.lockf(_lock_file(os.getpid()), fcntl.LOCK_UN, len(ports), ports.start)


def _release(ports: range) -> None:
    _taken.difference_update(ports)
    _unlock(ports)


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
