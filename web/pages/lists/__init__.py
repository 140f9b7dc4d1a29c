"""Lists for whoever looks after the work of others: what repeats, what is owed, what is to be decided."""

from aiohttp import web

from web.identity import current_user
from web.pages.list_tabs import tabs_of
from web.pages.lists import (
    alert_rules,
    appraisals,
    causes,
    deposits,
    dispositions,
    duty,
    follow_ups,
    forwarded,
    heaps,
    improvements,
    materials,
    pause_reasons,
    point_file,
    points,
    problem,
    repeats,
    skills,
    staffing,
    voices,
)
from web.pages.shell import see_other
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/lists", home)
    for part in (
        repeats,
        heaps,
        alert_rules,
        problem,
        causes,
        improvements,
        voices,
        duty,
        staffing,
        materials,
        deposits,
        forwarded,
        follow_ups,
        appraisals,
        points,
        point_file,
        dispositions,
        pause_reasons,
        skills,
    ):
        part.setup(app)


@requires(Permission.CASES_VIEW)
async def home(request: web.Request) -> web.StreamResponse:
    """Lead to the first list that somebody has."""
    found = tabs_of(current_user(request))
    return see_other(found[0][0] if found else "/")
