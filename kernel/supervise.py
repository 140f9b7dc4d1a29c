"""Long-lived tasks: named, watched, restarted with backoff when they crash, ended together."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter

from kernel.clock import Clock

log = structlog.get_logger(__name__)

CRASHES = Counter("huifang_task_crashes_total", "Supervised tasks that ended with an error", ["task"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHealth:
    """State of one supervised task: ``running``, ``waiting`` (to be started again) or ``ended``."""

    state: str
    crashes: int
    since: datetime
    last_error: str | None


class Supervisor:
    """Runs long-lived coroutines until :meth:`close`.

    A task that ends with an exception is started again after 0.2 s, doubling to 30 s; the delay is reset
    once it has run for a minute. A task that returns is finished.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._health: dict[str, TaskHealth] = {}

    def spawn(self, name: str, factory: Callable[[], Awaitable[None]]) -> None:
        """Start ``factory()`` under ``name``.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._tasks:
            raise ValueError(f"task {name} exists")
        self._note(name, "running", 0, None)
        self._tasks[name] = asyncio.create_task(self._keep(name, factory), name=name)

    def health(self) -> dict[str, TaskHealth]:
        """Return the state of every task."""
        return dict(self._health)

    def _note(self, name: str, state: str, crashes: int, error: str | None) -> None:
        self._health[name] = TaskHealth(
            state=state, crashes=crashes, since=self._clock.now(), last_error=error
        )

    async def _keep(self, name: str, factory: Callable[[], Awaitable[None]]) -> None:
        crashes, delay = 0, 0.2
        while True:
            started = self._clock.monotonic()
            try:
                await factory()
            except asyncio.CancelledError:
                self._note(name, "ended", crashes, None)
                raise
            except Exception as error:  # the border: whatever a task raises is logged and answered here
                crashes += 1
                CRASHES.labels(name).inc()
                log.exception("task_crashed", task=name)
                if self._clock.monotonic() - started > 60:
                    delay = 0.2
                self._note(name, "waiting", crashes, f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
                delay = min(delay * 2, 30.0)
                self._note(name, "running", crashes, None)
            else:
                self._note(name, "ended", crashes, None)
                return

    async def close(self, *, timeout: float = 10.0) -> None:
        """Cancel every task, newest first, and wait for their ends."""
        for name in await end_tasks(list(reversed(self._tasks.values())), timeout=timeout):
            log.error("task_did_not_end", task=name)
        self._tasks.clear()


async def end_tasks(tasks: Sequence[asyncio.Task[Any]], *, timeout: float = 10.0) -> tuple[str, ...]:
    """Cancel tasks and wait until they have ended; return the names of those that did not.

    A cancellation that arrives while a library finishes its own timeout can be lost (Python 3.11's
    ``wait_for``, database drivers): so it is repeated every three seconds until the task has ended; a task
    has that long to put its outcome away.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    left = {task for task in tasks if not task.done()}
    while left and asyncio.get_running_loop().time() < deadline:
        for task in tasks:
            if task in left:
                task.cancel()
        _, left = await asyncio.wait(left, timeout=3.0)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
    return tuple(task.get_name() for task in left)
