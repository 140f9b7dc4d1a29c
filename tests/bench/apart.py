"""The service as a process of its own, as in life, and what any process costs.

A service in the bench's own process would share its event loop with the load that is measured.
"""

import os
import signal
import sys
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import aiohttp
import pydantic

from app.runtime.process import ManagedProcess, ProcessSpec
from app.settings import PREFIX, Settings, names

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment variables that make a process read these very settings."""
    return {PREFIX + "__".join(path).upper(): _text(reduce(getattr, path, settings)) for path in names()}


def _text(value: Any) -> str:
    if isinstance(value, pydantic.SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def service_url(settings: Settings) -> str:
    """Return the address of the service's pages."""
    return f"http://{settings.web.host}:{settings.web.port}"


def service_process(settings: Settings, *, roles: str = "telephony,ivr,web") -> ManagedProcess:
    """Return ``huifang serve`` over these settings; ``async with ….running()`` waits until it is ready."""

    async def ready() -> bool:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            try:
                async with session.get(service_url(settings) + "/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

    return ManagedProcess(
        ProcessSpec(
            name="service",
            command=(sys.executable, "-m", "app.cli", "serve", "--roles", roles),
            folder=ROOT,
            log_file=settings.data_dir / "service.log",
            ready=ready,
            env=environment_of(settings),
            ready_within=timedelta(seconds=60),
            stop_within=timedelta(seconds=15),
            death_signal=signal.SIGTERM,
        )
    )


def cpu_seconds(*pids: int | None) -> float:
    """Return the CPU time these processes have used by themselves; one that is gone counts as nothing."""
    return sum(_cpu_seconds(pid) for pid in pids if pid is not None)


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_ticks() -> tuple[int, int]:
    """Return the ticks all processors have had, and those in which they were idle."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]


def busy_percent(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return how busy the machine was, with everything that ran on it: near 100 the times mean little."""
    return 100 * (1 - (after[1] - before[1]) / (after[0] - before[0]))


def resident_mb(pid: int | None) -> float:
    """Return the memory a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def descendants(pid: int) -> list[int]:
    """Return the processes below this one."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += children
            waiting += children
    return found


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of them do not exceed; not a number when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
