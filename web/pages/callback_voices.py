"""What customers said in their own words: heard, and passed on to departments."""

from urllib.parse import urlencode

from aiohttp import web

from callback_campaigns.answer_review import ReviewFilter
from kernel.errors import Invalid
from kernel.ids import is_ulid
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.i18n import gettext
from web.identity import current_actor
from web.pages.people_forms import read_form, text
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

PAGE = 30


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/callback-voices", show)
    app.router.add_post("/callback-voices/{said_id}/heard", heard)
    app.router.add_post("/callback-voices/{said_id}/ticket", ticket)
    for step in ("heard", "ticket"):
        app.router.add_get("/callback-voices/{said_id}/" + step, back)


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what was said, newest first."""
    return await _page(request)


@requires(Permission.CALLBACKS_WORK)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the list: a refused form has the address of its step, which somebody may reload."""
    return see_other("/callback-voices")


@requires(Permission.CALLBACKS_WORK)
async def heard(request: web.Request) -> web.StreamResponse:
    """Note that a recording was heard and leads to nothing."""
    await request.app[CALLBACKS].review.heard(current_actor(request), request.match_info["said_id"])
    return see_other("/callback-voices?done=heard")


@requires(Permission.CALLBACKS_WORK)
async def ticket(request: web.Request) -> web.StreamResponse:
    """Open a ticket for what was said."""
    form = await read_form(request)
    try:
        opened = await request.app[CALLBACKS].review.open_ticket(
            current_actor(request),
            request.match_info["said_id"],
            department=text(form, "department"),
            words=text(form, "words"),
        )
    except Invalid:
        return await _page(request, gettext("请选部门，并写明客户说了什么。"), status=400)
    return see_other(f"/cases/{opened.header.case_id}")


async def _page(request: web.Request, problem: str = "", *, status: int = 200) -> web.StreamResponse:
    actor, query, review = current_actor(request), request.query, request.app[CALLBACKS].review
    store = query.get("store", "")
    asked = {
        "kind": "text" if query.get("kind") == "text" else "",
        "unheard": "1" if query.get("unheard") == "1" else "",
        "store": store if is_ulid(store) else "",
    }
    wanted = ReviewFilter(
        written=bool(asked["kind"]), unheard=bool(asked["unheard"]), store_id=asked["store"] or None
    )
    cursor = query.get("cursor") if request.method == "GET" else None
    try:
        page = await review.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status, cursor = gettext("这一页已经过期，请从第一页开始。"), 400, None
        page = await review.page(actor, wanted, limit=PAGE)
    given = urlencode({name: value for name, value in asked.items() if value})
    stores = await request.app[CRM].people.organisation.stores(actor)
    context = {
        "asked": asked,
        "rows": page.items,
        "stores": {store.store_id: store.name for store in stores},
        "departments": await review.departments(),
        "problem": problem,
        "done": query.get("done", ""),
        "may_open": actor.can(Permission.CASES_REGISTER),
        "first": f"/callback-voices?{given}" if cursor else "",
        "more": f"/callback-voices?{given}&" + urlencode({"cursor": page.next_cursor})
        if page.next_cursor
        else "",
    }
    return render(request, "callbacks/voices.html", context, status=status)
