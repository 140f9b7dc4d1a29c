"""Flagged customers: why, by whom, since when, what came before (domain.md §2.2)."""

from urllib.parse import urlencode

from aiohttp import web

from kernel.errors import Invalid
from web.crm_part import CRM
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages.figures import stores_of
from web.pages.list_tabs import tabs_of
from web.pages.shell import render
from web.permissions import Permission, requires

PAGE = 50
HERE = "/lists/problem-customers"


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get(HERE, show)


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of flagged customers, the newest flag first."""
    actor, customers = current_actor(request), request.app[CRM].problem_customers
    stores = await stores_of(request)
    store = request.query.get("store", "")
    store = store if store in stores else ""
    only_open = request.query.get("open") == "1"
    kept = ({"store": store} if store else {}) | ({"open": "1"} if only_open else {})
    cursor, problem = request.query.get("cursor"), ""
    try:
        page = await customers.page(
            actor, store=store or None, with_open_cases=only_open, cursor=cursor, limit=PAGE
        )
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page = await customers.page(actor, store=store or None, with_open_cases=only_open, limit=PAGE)
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": page.items,
        "stores": stores,
        "store": store,
        "only_open": only_open,
        "problem": problem,
        "more": f"{HERE}?" + urlencode({**kept, "cursor": page.next_cursor}) if page.next_cursor else "",
        "first": f"{HERE}?" + urlencode(kept) if cursor else "",
    }
    return render(request, "lists/problem.html", context, status=400 if problem else 200)
