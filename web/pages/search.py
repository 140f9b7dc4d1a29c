"""Search over everything a person may see: grouped, with the hits marked, worked by keyboard.

What was said in calls comes last: it is far more than all the rest.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from aiohttp import web

from callback_campaigns.number_targets import NumberKind
from crm.domain.search_text import MAX_QUERY, MAX_TERMS
from crm.domain.snippet import Shown, around
from crm.said_search import SaidAsked
from crm.search import Kind
from crm.search_asked import SearchRefused, scope_of
from crm.search_query import Hit, Page
from kernel.errors import DeadlineExceeded, Invalid
from speech.events import AGENT, CUSTOMER
from web import labels
from web.crm_part import CRM
from web.disclosure import note_phones_found
from web.i18n import N_, gettext
from web.identity import CurrentUser, current_actor, current_user
from web.pages.calls import outside_number
from web.pages.shell import render
from web.permissions import Permission, requires
from web.pop import readable
from web.said import SaidCallFound, SaidPage, find_said, may_find_said

PAGE = 30
SAID_KIND = "said"
SAID_TITLE = N_("通话里说过")
SAID_CURSOR = "said."
SPEAKERS = {CUSTOMER: N_("客户"), AGENT: N_("坐席")}

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
class SaidHit:
    """A call in which the words were said, shown like other hits."""

    title: Shown
    label: Shown
    snippet: Shown
    updated_at: datetime
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A hit and where it leads; nowhere for who may not open it.

    Attributes:
        number: that may be called from here, as it is shown; "" for none.
        dial_kind, dial_ref: name it (:class:`callback_campaigns.number_targets.NumberTarget`).
    """

    hit: Hit | SaidHit
    href: str
    tone: str
    number: str = ""
    dial_kind: str = ""
    dial_ref: str = ""


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
    page, problem, said, more = Page(()), "", SaidPage(), ""
    hears = may_find_said(user)
    only_said = hears and request.query.get("kind") == SAID_KIND
    cursor = request.query.get("cursor")
    in_said = only_said or (hears and chosen is None and (cursor or "").startswith(SAID_CURSOR))
    if query:
        try:
            if not in_said:
                page = await request.app[CRM].search.search(
                    actor, query, kinds=(chosen,) if chosen else None, limit=PAGE, cursor=cursor
                )
                await note_phones_found(request, user, page.items)
            room = PAGE - len(page.items)
            more = page.next_cursor or ""
            if hears and chosen is None and not in_said and not more and not room:
                more = SAID_CURSOR
            elif in_said or (hears and chosen is None and not more):
                after = (cursor or "").removeprefix(SAID_CURSOR) if in_said else ""
                said = await find_said(request, SaidAsked(q=query), limit=room, cursor=after or None)
                more = SAID_CURSOR + said.next_cursor if said.next_cursor else ""
        except (SearchRefused, DeadlineExceeded, Invalid) as error:
            problem = problem_of(error)
    # While somebody is still typing, half a word is no error.
    typing = request.headers.get("HX-Request") == "true"
    kind = SAID_KIND if only_said else chosen.value if chosen else ""
    kept = {"q": query[:MAX_QUERY], **({"kind": kind} if kind else {})}
    groups = _groups(request.app, user, page.items)
    if said.items:
        groups.append(Group(SAID_KIND, gettext(SAID_TITLE), [_said(one) for one in said.items]))
    context = {
        "query": query[:MAX_QUERY],
        "longest": MAX_QUERY,
        "chosen": kind,
        "chips": [
            ("", gettext("全部"), _address({"q": kept["q"]})),
            *(
                (kind.value, gettext(KINDS[kind]), _address({"q": kept["q"], "kind": kind.value}))
                for kind in kinds
            ),
            *(
                [(SAID_KIND, gettext(SAID_TITLE), _address({"q": kept["q"], "kind": SAID_KIND}))]
                if hears
                else []
            ),
        ],
        "groups": groups,
        "problem": problem,
        "examples": [(gettext(what), example) for what, example in EXAMPLES],
        "more": _address({**kept, "cursor": more}) if more else "",
        "first_page": "cursor" not in request.query,
        "first_href": _address(kept),
    }
    return render(request, "search.html", context, status=400 if problem and not typing else 200)


def _address(query: dict[str, str]) -> str:
    return "/search?" + urlencode(query)


def problem_of(error: Invalid | DeadlineExceeded) -> str:
    """Return what is wrong with what somebody looks for, in words."""
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
        numbers = " · ".join(hit.phones) if hit.kind is Kind.CUSTOMER else ""
        href, tone = _href(hit, user, places), TONES.get(hit.kind, "")
        group.found.append(Found(hit, href, tone, numbers, NumberKind.PERSON.value, hit.ref_id))
    return list(groups.values())


def _said(found: SaidCallFound) -> Found:
    call, line = found.call, found.lines[0]
    number = readable(call.to_number if call.direction == "out" else call.from_number)
    title = " ".join(
        part
        for part in (
            labels.word(labels.DIRECTIONS, call.direction),
            number or gettext("号码未知"),
            call.agent,
        )
        if part
    )
    speaker = labels.word(SPEAKERS, line.speaker)
    label = speaker + (" · " + gettext("还有 %(n)s 句") % {"n": found.more} if found.more else "")
    hit = SaidHit(Shown(title), Shown(label), around(line.text), call.started_at)
    href = f"/calls/{call.call_id}?at={line.at}#said-{line.segment_id}"
    return Found(hit, href, "", outside_number(call, call), NumberKind.CALL.value, call.call_id)


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
