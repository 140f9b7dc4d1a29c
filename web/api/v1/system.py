"""``/api/v1/system``: how the installation is."""

from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.permissions import Permission
from web.system_state import SYSTEM, SystemView

TAG = "system"


class FindingOut(Out):
    """One finding of the doctor, with what to do about it."""

    name: str
    level: Literal["ok", "warning", "error"]
    message: str
    mend: str


class TaskOut(Out):
    """A task in the background."""

    name: str
    state: str
    crashes: int
    since: SiteTime


class SystemOut(Out):
    """The system now, with the last examination; `examined_at` is null until one has ended."""

    at: SiteTime
    up_seconds: int
    versions: dict[str, str]
    disk_free_bytes: int | None
    disk_total_bytes: int | None
    tasks: tuple[TaskOut, ...]
    examining: bool
    examined_at: SiteTime | None
    examination_failed: bool
    findings: tuple[FindingOut, ...]


@operation(
    query=NoQuery,
    response=SystemOut,
    permission=Permission.SYSTEM_VIEW,
    summary="Read how the installation is",
    tag=TAG,
)
async def get_system(call: Call[NoQuery]) -> SystemOut:
    """Return the system as it is."""
    return _out(await call.request.app[SYSTEM].view(call.actor))


def _out(view: SystemView) -> SystemOut:
    last = view.examination
    return SystemOut(
        at=view.at,
        up_seconds=int(view.up_for.total_seconds()),
        versions=dict(view.versions),
        disk_free_bytes=view.disk_free,
        disk_total_bytes=view.disk_total,
        tasks=tuple(
            TaskOut(name=name, state=task.state, crashes=task.crashes, since=task.since)
            for name, task in sorted(view.tasks.items())
        ),
        examining=view.running,
        examined_at=last.ended_at if last else None,
        examination_failed=last.late if last else False,
        findings=tuple(
            FindingOut(name=one.name, level=one.level, message=one.message, mend=one.mend)
            for one in (last.findings if last else ())
        ),
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/system", get_system),
)
"""Only to be read: an examination is begun on the page."""
