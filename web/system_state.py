"""What administrators see of the system: the doctor's last examination with its age, versions, tasks, room.

An examination runs in the background, one at a time and with a deadline; pages show the last one that ended.
"""

import asyncio
import platform
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
from aiohttp import web

from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.supervise import TaskHealth
from web.deps import DEPS
from web.doctor_wire import Examine, Examined

EXAMINATION_SECONDS = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Examination:
    """What the last examination found; ``late`` says that it did not end within its deadline."""

    ended_at: datetime
    findings: tuple[Examined, ...]
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """The system now.

    Attributes:
        examination: ``None`` until the first one ended.
        can_examine: whether this process can examine the installation at all.
        disk_free, disk_total: bytes of the file system with the data; ``None`` where it cannot be read.
    """

    at: datetime
    up_for: timedelta
    versions: Mapping[str, str]
    tasks: Mapping[str, TaskHealth]
    disk_free: int | None
    disk_total: int | None
    examination: Examination | None
    running: bool
    can_examine: bool


class SystemState:
    """Looks at the system for administrators."""

    def __init__(
        self,
        clock: Clock,
        *,
        examine: Examine | None,
        tasks: Callable[[], Mapping[str, TaskHealth]],
        release: str,
        folder: Path,
        seconds: float = EXAMINATION_SECONDS,
    ) -> None:
        self._clock = clock
        self._examine = examine
        self._tasks = tasks
        self._release = release
        self._folder = folder
        self._seconds = seconds
        self._since = clock.now()
        self._last: Examination | None = None
        self._task: asyncio.Task[None] | None = None

    async def view(self, actor: Actor) -> SystemView:
        """Return the system as it is, with the last examination. Raises Forbidden."""
        actor.need(Permission.SYSTEM_VIEW)
        now = self._clock.now()
        total, free = await asyncio.to_thread(_room, self._folder)
        return SystemView(
            at=now,
            up_for=now - self._since,
            versions={"huifang": self._release, "python": platform.python_version()},
            tasks=self._tasks(),
            disk_free=free,
            disk_total=total,
            examination=self._last,
            running=self._running(),
            can_examine=self._examine is not None,
        )

    async def examine(self, actor: Actor, *, wait: timedelta = timedelta()) -> bool:
        """Begin an examination, unless one runs, and wait for its end at most ``wait``.

        Returns:
            Whether it has ended.

        Raises:
            Forbidden: not an administrator.
        """
        actor.need(Permission.SYSTEM_VIEW)
        if self._examine is None:
            return True
        if not self._running():
            self._task = asyncio.create_task(self._run(self._examine), name="examination")
        if self._task is None or not wait:
            return not self._running()
        done, _ = await asyncio.wait({self._task}, timeout=wait.total_seconds())
        return bool(done)

    async def close(self) -> None:
        """End an examination that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _run(self, examine: Examine) -> None:
        found: Sequence[Examined] = ()
        late = False
        try:
            async with asyncio.timeout(self._seconds):
                found = await examine()
        except TimeoutError:
            late = True
        except Exception:  # the border: the page says that it did not end, the log says why
            log.exception("examination_failed")
            late = True
        self._last = Examination(self._clock.now(), tuple(found), late)


def _room(folder: Path) -> tuple[int | None, int | None]:
    for candidate in (folder, *folder.absolute().parents):
        try:
            usage = shutil.disk_usage(candidate)
        except OSError:
            continue
        return usage.total, usage.free
    return None, None


SYSTEM: web.AppKey[SystemState] = web.AppKey("SYSTEM", SystemState)


def setup(app: web.Application) -> None:
    """Make the service; what it still does ends with the application."""
    deps = app[DEPS]
    app[SYSTEM] = SystemState(
        deps.clock,
        examine=deps.examine,
        tasks=deps.tasks_health,
        release=_version(),
        folder=deps.settings.recordings_dir,
    )
    app.cleanup_ctx.append(_ended)


async def _ended(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[SYSTEM].close()


def _version() -> str:
    try:
        return version("huifang")
    except PackageNotFoundError:
        return ""
