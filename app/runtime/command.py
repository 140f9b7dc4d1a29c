"""Run a program to its end, with a deadline and a limit on what it prints."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OUTPUT_LIMIT_BYTES = 4 << 20
CHILD = Path(__file__).with_name("child.py")


def tied_front(
    *, death_signal: signal.Signals = signal.SIGKILL, run_as: tuple[int, int] | None = None
) -> list[str]:
    """Return what to put in front of a command so that the program dies with us, however we die.

    Args:
        run_as: user and group id to change to first; only root may.
    """
    uid, gid = run_as or (-1, -1)
    numbers = (os.getpid(), int(death_signal), uid, gid)
    return [sys.executable, "-I", "-S", str(CHILD), *map(str, numbers)]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program left: its exit status and everything it printed."""

    status: int
    output: str


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    deadline_seconds: float,
    on_line: Callable[[str], None] | None = None,
    tied: bool = False,
) -> Ran:
    """Run a program to its end in a process group of its own and return its output, both streams in one.

    Past the deadline, or when this is cancelled, the whole group is killed. A ``tied`` program also dies when
    we are killed; that costs an interpreter's start.

    Raises:
        TimeoutError: the deadline passed.
        OSError: the program cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *(tied_front() if tied else ()),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C", **(env or {})},
        start_new_session=True,
        limit=OUTPUT_LIMIT_BYTES,
    )
    assert process.stdout is not None
    lines: list[str] = []
    size = 0
    try:
        async with asyncio.timeout(deadline_seconds):
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                size += len(line)
                if size < OUTPUT_LIMIT_BYTES:
                    lines.append(line)
                if on_line is not None:
                    on_line(line)
            status = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ran(status, "\n".join(lines))
