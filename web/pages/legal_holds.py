"""The page where the manager holds a case beyond its end, and lets it go (domain.md §6.4)."""

from aiohttp import web

from kernel.errors import Conflict, Invalid
from web.crm_part import CRM
from web.i18n import gettext
from web.identity import current_actor
from web.pages import people_forms as forms
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

PATH = "/cases/{case_id}/legal-hold"


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(PATH, show)
    app.router.add_post(PATH, hold)
    # A refused form has the address of its step, which somebody may reload.
    app.router.add_get(f"{PATH}/release", show)
    app.router.add_post(f"{PATH}/release", release)


@requires(Permission.CASES_DECIDE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the holds of a case."""
    return await _page(request)


@requires(Permission.CASES_DECIDE)
async def hold(request: web.Request) -> web.StreamResponse:
    """Hold the case."""
    return await _take(request, "hold")


@requires(Permission.CASES_DECIDE)
async def release(request: web.Request) -> web.StreamResponse:
    """Let the case go at its end."""
    return await _take(request, "release")


async def _take(request: web.Request, name: str) -> web.StreamResponse:
    form, case_id = await forms.read_form(request), request.match_info["case_id"]
    reason = forms.text(form, "reason")
    desk, actor = request.app[CRM].holds, current_actor(request)
    try:
        if name == "hold":
            await desk.hold(actor, case_id, reason)
        else:
            await desk.release(actor, case_id, reason, hold_id=forms.text(form, "hold_id") or None)
    except Invalid as error:
        return await _page(request, gettext("请写明原因。"), reason, status=int(status_of(error)))
    except Conflict as error:
        if error.field == "hold_id":
            told = gettext("同事刚刚又设了保留，请先看下面的原因。")
        else:
            told = gettext("已经保留了。") if name == "hold" else gettext("现在没有保留。")
        return await _page(request, told, reason, status=int(status_of(error)))
    return see_other(f"/cases/{case_id}/legal-hold")


async def _page(
    request: web.Request, problem: str = "", typed: str = "", *, status: int = 200
) -> web.Response:
    app, actor, case_id = request.app, current_actor(request), request.match_info["case_id"]
    holds = await app[CRM].holds.holds(actor, case_id)
    case = await app[CRM].cases.get(actor, case_id)
    context = {
        "case": case,
        "holds": holds,
        # A major one is held from the start; nobody wrote that down.
        "open_hold": next((one.hold_id for one in holds if one.released_at is None), ""),
        "held": any(one.released_at is None for one in holds) or (case.major and not holds),
        "problem": problem,
        "typed": typed,
    }
    return render(request, "people/legal_hold.html", context, status=status)
