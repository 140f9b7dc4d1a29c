"""Who is on duty against the calls and cases of each hour, today or this week (domain.md §2.2)."""

from datetime import timedelta

from aiohttp import web

from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.list_tabs import tabs_of
from web.pages.shell import render
from web.permissions import Permission, requires
from web.staffing import Staffing

HERE = "/lists/staffing"
PERIODS = {"today": N_("今天"), "week": N_("本周"), "last": N_("上周")}


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get(HERE, show)


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the hours of today, this week or the last."""
    app, actor = request.app, current_actor(request)
    asked = request.query.get("period", "")
    period = asked if asked in PERIODS else "today"
    today = app[CRM].duty.today()
    monday = today - timedelta(days=today.weekday())
    since, days = {"today": (today, 1), "week": (monday, 7), "last": (monday - timedelta(days=7), 7)}[period]
    staffing = Staffing(app[DEPS].database, app[CRM].duty, zone=app[DEPS].settings.timezone)
    hours = await staffing.read(actor, since, days)
    context = {
        "tabs": tabs_of(current_user(request)),
        "periods": {code: gettext(label) for code, label in PERIODS.items()},
        "period": period,
        "since": since,
        "until": since + timedelta(days=days - 1),
        "hours": hours,
        "most": max((one.calls + one.cases for one in hours), default=0) or 1,
        "calls": sum(one.calls for one in hours),
        "cases": sum(one.cases for one in hours),
    }
    return render(request, "lists/staffing.html", context)
