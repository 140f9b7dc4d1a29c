"""Search over everything a person may see: grouped, with the hits marked, worked by keyboard."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from crm.domain.search_text import MAX_QUERY, MAX_TERMS
from crm.search import Kind
from crm.search_asked import SearchRefused, scope_of
from crm.search_query import Hit, Page
from kernel.errors import DeadlineExceeded, Invalid
from web import labels
from web.crm_part import CRM
from web.disclosure import note_phones_found
from web.i18n import N_, gettext
from web.identity import CurrentUser, current_actor, current_user
from web.pages.shell import render
from web.permissions import Permission, requires

PAGE = 30

KINDS = {
    Kind.CUSTOMER: N_("客户"),
    Kind.PROJECT: N_("项目"),
    Kind.COMPLAINT: N_("投诉"),
    Kind.REPAIR: N_("报修"),
    Kind.TICKET: N_("回访问题"),
    Kind.CALL_NOTE: N_("通话记要"),
    Kind.ARTICLE: N_("知识"),
}
TONES = {Kind.COMPLAINT: "amber", Kind.REPAIR: "blue", Kind.TICKET: "violet", Kind.CUSTOMER: "green"}
PLACES = {
    Kind.CUSTOMER: "customers",
    Kind.PROJECT: "projects",
    Kind.COMPLAINT: "cases",
    Kind.REPAIR: "cases",
    Kind.TICKET: "cases",
    Kind.CALL_NOTE: "calls",
    Kind.ARTICLE: "knowledge",
}
"""Kind → first part of the address of such a thing's page, where there is one."""

EXAMPLES = (
    (N_("姓名"), "王秀英 · 秀英 · wxy · wangxiuying"),
    (N_("地址"), "望京花园 3号楼"),
    (N_("单号和合同号"), "TS20260302-0001 · 20260302-0001"),
    (N_("内容"), "卫生间 漏水"),
    (N_("电话"), "13800138000"),
)


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/search", show)


@dataclass(frozen=True, slots=True)
class Found:
    """A hit and where it leads; nowhere for who may not open it."""

    hit: Hit
    href: str
    tone: str


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of a kind, the kinds in the order of their first hit."""

    kind: str
    title: str
    found: list[Found]


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of hits, or what is wrong with the query."""
    user, actor = current_user(request), current_actor(request)
    query = request.query.get("q", "").strip()
    chosen = next((kind for kind in Kind if kind.value == request.query.get("kind")), None)
    scope = scope_of(actor)
    kinds = [kind for kind in KINDS if kind in scope.open | scope.audience_only]
    page, problem = Page(()), ""
    if query:
        try:
            page = await request.app[CRM].search.search(
                actor,
                query,
                kinds=(chosen,) if chosen else None,
                limit=PAGE,
                cursor=request.query.get("cursor"),
            )
            await note_phones_found(request, user, page.items)
        except (SearchRefused, DeadlineExceeded, Invalid) as error:
            problem = _problem(error)
    # While somebody is still typing, half a word is no error.
    typing = request.headers.get("HX-Request") == "true"
    kept = {"q": query[:MAX_QUERY], **({"kind": chosen.value} if chosen else {})}
    context = {
        "query": query[:MAX_QUERY],
        "longest": MAX_QUERY,
        "chosen": chosen.value if chosen else "",
        "chips": [
            ("", gettext("全部"), _address({"q": kept["q"]})),
            *(
                (kind.value, gettext(KINDS[kind]), _address({"q": kept["q"], "kind": kind.value}))
                for kind in kinds
            ),
        ],
        "groups": _groups(request.app, user, page.items),
        "problem": problem,
        "examples": [(gettext(what), example) for what, example in EXAMPLES],
        "more": _address({**kept, "cursor": page.next_cursor}) if page.next_cursor else "",
        "first_page": "cursor" not in request.query,
        "first_href": _address(kept),
    }
    return render(request, "search.html", context, status=400 if problem and not typing else 200)


def _address(query: dict[str, str]) -> str:
    return "/search?" + urlencode(query)


def _problem(error: Invalid | DeadlineExceeded) -> str:
    if isinstance(error, DeadlineExceeded):
        return gettext("找得太久了。请再加一个词。")
    match error.context.get("reason"):
        case "short":
            return gettext("每个词至少写两个字。单个字找到的太多，没有用。")
        case "long":
            return gettext("最多写 %(n)s 个字。") % {"n": MAX_QUERY}
        case "many":
            return gettext("最多写 %(n)s 个词。") % {"n": MAX_TERMS}
        case "empty":
            return gettext("请写要找的内容。")
    return (
        gettext("这一页已经过期，请从第一页开始。")
        if error.field == "cursor"
        else labels.word(labels.PROBLEMS, "invalid")
    )


def _groups(app: web.Application, user: CurrentUser, hits: tuple[Hit, ...]) -> list[Group]:
    places = _places(app)
    groups: dict[Kind, Group] = {}
    for hit in hits:
        group = groups.setdefault(hit.kind, Group(hit.kind.value, gettext(KINDS[hit.kind]), []))
        group.found.append(Found(hit, _href(hit, user, places), TONES.get(hit.kind, "")))
    return list(groups.values())


def _places(app: web.Application) -> frozenset[str]:
    """Return the first parts of the addresses under which single things have pages."""
    pages = (resource.canonical for resource in app.router.resources())
    return frozenset(match[1] for page in pages if (match := re.fullmatch(r"/(\w+)/\{\w+\}", page)))


def _href(hit: Hit, user: CurrentUser, places: frozenset[str]) -> str:
    place = PLACES[hit.kind]
    if place in places and (hit.kind is not Kind.CUSTOMER or user.can(Permission.CUSTOMERS_VIEW)):
        return f"/{place}/{quote(hit.ref_id, safe='')}"
    if hit.customer_id and user.can(Permission.CUSTOMERS_VIEW):
        return f"/customers/{quote(hit.customer_id, safe='')}"
    return ""
