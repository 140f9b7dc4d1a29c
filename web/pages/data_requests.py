"""The desk for requests about one's own data: taken down, answered, refused; the copy as a file."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.data_requests import RequestKind, RequestState
from crm.people_views import CustomerSummary
from kernel.errors import Invalid, StaleVersion
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import own_copy_words
from web.pages import people_forms as forms
from web.pages.customer_pick import pick
from web.pages.people_forms import EXPECTED, Form, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

PAGE = 50
KINDS = {"see": N_("查阅"), "copy": N_("复制"), "correct": N_("更正"), "delete": N_("删除")}
STATES = {"open": N_("待答复"), "answered": N_("已答复"), "refused": N_("已拒绝"), "all": N_("全部")}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/data-requests", show)
    app.router.add_post("/data-requests", receive)
    app.router.add_post("/data-requests/{request_id}/answer", answer)
    app.router.add_post("/data-requests/{request_id}/refuse", refuse)
    app.router.add_get("/data-requests/{request_id}/copy.json", copy_json)
    app.router.add_get("/data-requests/{request_id}/copy.html", copy_html)


@requires(Permission.PRIVACY_HANDLE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of the requests."""
    return await _page(request)


async def _page(
    request: web.Request,
    refused: Refused | None = None,
    typed: Form | None = None,
    choices: Sequence[CustomerSummary] = (),
    *,
    status: int = 200,
) -> web.Response:
    state = request.query.get("state", "open")
    state = state if state in STATES else "open"
    cursor, problem = request.query.get("cursor"), ""
    wanted = RequestState(state) if state != "all" else None
    desk, actor = request.app[CRM].data_requests, current_actor(request)
    try:
        page = await desk.page(actor, state=wanted, cursor=cursor, limit=PAGE)
        items, following = page.items, page.next_cursor
    except Invalid:
        items, following, status = (), None, 400
        problem = gettext("这一页已经过期，请从第一页开始。")
    more = urlencode({"state": state, "cursor": following}) if following else ""
    context = {
        "items": items,
        "state": state,
        "states": labels.words(STATES),
        "kinds": labels.words(KINDS),
        "problem": problem,
        "more": f"/data-requests?{more}" if more else "",
        "first_page": cursor is None,
        "first_href": f"/data-requests?state={state}",
        "refused": refused,
        "typed": typed or {},
        "choices": choices,
    }
    return render(request, "people/data_requests.html", context, status=status)


@requires(Permission.PRIVACY_HANDLE)
async def receive(request: web.Request) -> web.StreamResponse:
    """Take a request down."""
    form = await forms.read_form(request)
    found = (await pick(request, form.get("who", ""))).found
    known = {one.customer_id for one in found}
    chosen = form.get("customer_id", "")
    customer_id = chosen if chosen in known else next(iter(known)) if len(known) == 1 else None
    if customer_id is None:
        text = gettext("有几位客户，请选一位。") if known else gettext("没有找到这位客户。")
        return await _page(request, Refused("data-request", "who", text), form, found, status=400)
    try:
        kind = forms.text(form, "kind")
        if kind not in set(RequestKind):
            raise Invalid("not one of the kinds", field="kind")
        await request.app[CRM].data_requests.receive(
            current_actor(request),
            customer_id,
            RequestKind(kind),
            evidence=forms.text(form, "evidence"),
            wish=forms.text(form, "wish"),
        )
    except EXPECTED as error:
        return await _page(request, Refused.of("data-request", error), form, status=int(status_of(error)))
    return see_other("/data-requests")


@requires(Permission.PRIVACY_HANDLE)
async def answer(request: web.Request) -> web.StreamResponse:
    """Write the answer down; a deletion is carried out."""
    return await _end(request, "answer")


@requires(Permission.PRIVACY_HANDLE)
async def refuse(request: web.Request) -> web.StreamResponse:
    """Refuse a request with a reason."""
    return await _end(request, "refuse")


async def _end(request: web.Request, name: str) -> web.StreamResponse:
    form, key = await forms.read_form(request), request.match_info["request_id"]
    desk = request.app[CRM].data_requests
    step = desk.answer if name == "answer" else desk.refuse
    try:
        await step(current_actor(request), key, forms.version_of(form), forms.text(form, "text"))
    except (*EXPECTED, StaleVersion) as error:
        typed = {**form, "at": key}
        return await _page(request, Refused.of(name, error), typed, status=int(status_of(error)))
    return see_other("/data-requests")


@requires(Permission.PRIVACY_HANDLE)
async def copy_json(request: web.Request) -> web.StreamResponse:
    """Hand the copy out for machines."""
    found = await _copy(request)
    body = json.dumps(found, ensure_ascii=False, indent=1).encode()
    name = f'attachment; filename="{found["request"]}.json"'
    return web.Response(
        body=body,
        content_type="application/json",
        headers={"Content-Disposition": name, "Cache-Control": "no-store"},
    )


@requires(Permission.PRIVACY_HANDLE)
async def copy_html(request: web.Request) -> web.StreamResponse:
    """Show the copy for people, to read out, print or send."""
    found = await _copy(request)
    zone = request.app[DEPS].settings.timezone

    def shown(part: str, row: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            (gettext(own_copy_words.FIELDS.get(name, name)), own_copy_words.said(part, name, value, zone))
            for name, value in row.items()
        ]

    parts = []
    for name, label in own_copy_words.PARTS.items():
        rows = [found[name]] if isinstance(found[name], dict) else found[name]
        parts.append((gettext(label), [shown(name, row) for row in rows]))
    response = render(request, "people/own_copy.html", {"copy": found, "parts": parts})
    response.headers["Cache-Control"] = "no-store"
    return response


async def _copy(request: web.Request) -> dict[str, Any]:
    key = request.match_info["request_id"]
    return await request.app[CRM].data_requests.copy(current_actor(request), key)
