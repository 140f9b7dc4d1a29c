"""How the installation is: the doctor's findings with what to do, tasks, room. For administrators only."""

from datetime import timedelta

from aiohttp import web

from web.identity import current_actor
from web.pages.doctor_words import found_of, mend_of, name_of
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.system_state import SYSTEM

PAGE = "/admin/system"
WAIT = timedelta(seconds=8)
"""Less than a handler may take; the page says when the examination still runs."""
LEVELS = ("error", "warning", "ok")
"""In the order in which they need somebody."""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(PAGE, show)
    app.router.add_post(PAGE + "/examinations", examine)


@requires(Permission.SYSTEM_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show how the installation is."""
    view = await request.app[SYSTEM].view(current_actor(request))
    found = view.examination.findings if view.examination else ()
    groups = [(level, [one for one in found if one.level == level]) for level in LEVELS]
    minutes = int(view.up_for.total_seconds()) // 60
    context = {
        "view": view,
        "groups": [(level, ones) for level, ones in groups if ones],
        "up_hours": minutes // 60,
        "up_minutes": minutes % 60,
        "gigabyte": 1 << 30,
        "name_of": name_of,
        "found_of": found_of,
        "mend_of": mend_of,
    }
    return render(request, "admin/system.html", context)


@requires(Permission.SYSTEM_VIEW)
async def examine(request: web.Request) -> web.StreamResponse:
    """Have the installation looked at again, and show what was found."""
    await request.app[SYSTEM].examine(current_actor(request), wait=WAIT)
    return see_other(PAGE)
