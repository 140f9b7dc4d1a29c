"""Complaints that came in a heap, each with the cases behind it (domain.md §2.2)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.cause_heap_lists import HeapView
from crm.domain.alert_rules import Subject
from kernel.errors import Invalid, StaleVersion
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.list_tabs import tabs_of
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

HERE = "/lists/heaps"
PAGE = 50
KINDS = {
    "crew": N_("同一施工队"),
    "manufacturer": N_("同一厂家"),
    "store": N_("同一店面"),
    "cause": N_("同类问题"),
    "department": N_("同一责任部门"),
    "project": N_("同一工程"),
}
assert set(KINDS) == {subject.value for subject in Subject}


@dataclass(frozen=True, slots=True)
class Row:
    """A heap in words."""

    item: HeapView
    kind: str
    cause: str


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_get(HERE + "/{heap_id}", show_one)
    app.router.add_post(HERE + "/{heap_id}/noted", note)


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of heaps."""
    actor, heaps = current_actor(request), request.app[CRM].heaps
    unseen = request.query.get("unseen") == "1"
    kept = {"unseen": "1"} if unseen else {}
    cursor, problem = request.query.get("cursor"), ""
    try:
        page = await heaps.page(actor, unseen=unseen, cursor=cursor, limit=PAGE)
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page = await heaps.page(actor, unseen=unseen, limit=PAGE)
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": [row_of(item) for item in page.items],
        "unseen": unseen,
        "total": await heaps.unseen(actor),
        "problem": problem,
        "more": f"{HERE}?" + urlencode({**kept, "cursor": page.next_cursor}) if page.next_cursor else "",
        "first": f"{HERE}?" + urlencode(kept) if cursor else "",
    }
    return render(request, "lists/heaps.html", context, status=400 if problem else 200)


@requires(Permission.RED_LIST_VIEW)
async def show_one(request: web.Request) -> web.StreamResponse:
    """Show a heap with its cases."""
    return await _one(request)


@requires(Permission.CASES_DECIDE)
async def note(request: web.Request) -> web.StreamResponse:
    """Take that the manager looked at a heap."""
    form, heap_id = await request.post(), request.match_info["heap_id"]
    version = str(form.get("version", ""))
    expected = int(version) if version.isdecimal() and len(version) < 9 else 0
    try:
        await request.app[CRM].heaps.take_note(current_actor(request), heap_id, expected)
    except StaleVersion:
        return await _one(request, problem=gettext("刚刚又有新的投诉，请看过再确认。"), status=412)
    return see_other(f"{HERE}/{heap_id}?done=noted")


async def _one(request: web.Request, *, problem: str = "", status: int = 200) -> web.StreamResponse:
    actor = current_actor(request)
    found = await request.app[CRM].heaps.get(actor, request.match_info["heap_id"])
    heap = found.heap
    asked: dict[str, Any] = {"from_month": f"{heap.last_at:%Y-%m}"}
    if heap.class_code is not None:
        asked |= {"from_class_code": heap.class_code, "from_subclass": heap.subclass or ""}
    context = {
        "tabs": tabs_of(current_user(request)),
        "row": row_of(heap),
        "cases": [
            (
                case,
                labels.word(labels.CASE_STATUSES, case.status.value),
                words.STATUS_TONES.get(case.status.value, ""),
            )
            for case in found.cases
        ],
        "may_note": actor.can(Permission.CASES_DECIDE) and heap.seen_at is None,
        "improve": "/lists/improvements?" + urlencode(asked)
        if actor.can(Permission.IMPROVEMENTS_SET)
        else "",
        "problem": problem,
        "done_text": gettext("已记下：您已了解。") if request.query.get("done") == "noted" else "",
    }
    return render(request, "lists/heap.html", context, status=status)


def row_of(item: HeapView) -> Row:
    """Return a heap in words."""
    cause = ""
    if item.class_code is not None:
        cause = labels.word(words.CLASSES, str(item.class_code))
        if item.subclass:
            cause += " · " + labels.word(words.SUBCLASS_WORDS, item.subclass)
    return Row(item, labels.word(KINDS, item.subject_kind.value), cause)
