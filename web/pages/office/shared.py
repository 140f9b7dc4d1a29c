"""A hand-off's sheet for whoever has a link to it, without signing in; such links (domain.md §2.3)."""

from datetime import timedelta

from aiohttp import web

from crm.handoff_links import MadeLink
from kernel.errors import HuifangError, NotFound
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import CLIENT_IP, current_actor
from web.origin import external_origin
from web.pages.office.sheet import render_sheet, words_of
from web.pages.shell import render, see_other
from web.permissions import Permission, public, requires
from web.problems import status_of
from web.throttle import Pace, Throttle, bucket_of_address

PACE = Pace(free=30, first=timedelta(seconds=1), cap=timedelta(seconds=60), memory=timedelta(minutes=10))
"""A telephone opens a link a few times; whoever guesses is soon held up."""
THROTTLE: web.AppKey[Throttle] = web.AppKey("SHARED_THROTTLE", Throttle)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
}
REFUSALS = {
    "no_link": N_("涉及廉洁的单子不能生成免登录链接。"),
    "conflict": N_("这张转交单已退回、已结案，或者有效链接已经满 10 个。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    deps = app[DEPS]
    app[THROTTLE] = Throttle(deps.clock, deps.redis)
    app.router.add_get("/shared/{token}", show)
    app.router.add_post("/handoffs/{handoff_id}/links", make)
    app.router.add_post("/handoffs/{handoff_id}/links/{link_id}/revoke", revoke)


@public
async def show(request: web.Request) -> web.StreamResponse:
    """Show the sheet that the link leads to; what a link that has ended once showed is not said."""
    ip = request.get(CLIENT_IP, "")
    await request.app[THROTTLE].draw((bucket_of_address("shared", ip, PACE),))
    try:
        found = await request.app[CRM].handoff_links.open(request.match_info["token"][:60], ip=ip)
    except NotFound:
        response = render(request, "office/shared_gone.html", {}, status=404)
    else:
        context = words_of(request, found.sheet) | {"printed_by": "", "expires_at": found.expires_at}
        response = render(request, "office/shared.html", context)
    response.headers.update(HEADERS)
    return response


@requires(Permission.CASES_VIEW)
async def make(request: web.Request) -> web.StreamResponse:
    """Make a link and show it, this once."""
    handoff_id = request.match_info["handoff_id"][:40]
    made: MadeLink | None = None
    problem, status = "", 200
    try:
        made = await request.app[CRM].handoff_links.make(current_actor(request), handoff_id)
    except HuifangError as error:
        if error.code not in REFUSALS:
            raise
        problem, status = gettext(REFUSALS[error.code]), int(status_of(error))
    url = f"{external_origin(request)}/shared/{made.token}" if made else ""
    return await render_sheet(request, handoff_id, made=made, url=url, problem=problem, status=status)


@requires(Permission.CASES_VIEW)
async def revoke(request: web.Request) -> web.StreamResponse:
    """End a link."""
    await request.app[CRM].handoff_links.revoke(current_actor(request), request.match_info["link_id"][:40])
    return see_other(f"/handoffs/{request.match_info['handoff_id'][:40]}/sheet?done=revoked")
