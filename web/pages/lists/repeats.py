"""Complaints that repeat: what came before each, and which class comes back most (domain.md §2.2)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.case_figures import LONGEST
from crm.domain.complaint import ComplaintClass
from crm.repeat_complaints import RepeatComplaint, RepeatFilter
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_parts import departments
from web.pages.figures import stores_of
from web.pages.list_tabs import tabs_of
from web.pages.shell import render
from web.permissions import Permission, requires

PAGE = 50
PERIODS = {"30": N_("近 30 天"), "90": N_("近 90 天"), "180": N_("近半年"), "365": N_("近一年")}
FIELDS = ("days", "department", "store", "class", "open")
_LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A complaint that came before, in words."""

    case_id: str
    no: str
    status: str
    opened_at: Any
    same_class: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A complaint that repeats, in words."""

    item: RepeatComplaint
    status: str
    tone: str
    severity: str
    severity_tone: str
    classes: list[str]
    earlier: list[Earlier]


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/lists/repeats", show)


def asked_form(request: web.Request) -> dict[str, str]:
    """Return the filter's fields as they stand in the address; what cannot be is as if it were not there."""
    form = {name: request.query.get(name, "").strip()[:_LONGEST_TEXT] for name in FIELDS}
    form["days"] = form["days"] if form["days"] in PERIODS else "90"
    form["class"] = form["class"] if form["class"] in words.CLASSES else ""
    form["open"] = "1" if form["open"] == "1" else ""
    return form


async def wanted_of(request: web.Request, form: dict[str, str]) -> RepeatFilter:
    """Return the filter; unknown departments and stores are dropped from ``form``."""
    if form["department"] not in await departments(request):
        form["department"] = ""
    if form["store"] not in await stores_of(request):
        form["store"] = ""
    now = request.app[DEPS].clock.now()
    return RepeatFilter(
        since=now - min(timedelta(days=int(form["days"])), LONGEST),
        until=now + timedelta(seconds=1),
        department=form["department"] or None,
        store=form["store"] or None,
        class_=ComplaintClass(int(form["class"])) if form["class"] else None,
        is_open=True if form["open"] else None,
    )


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of the complaints that repeat."""
    actor, repeats = current_actor(request), request.app[CRM].repeats
    form = asked_form(request)
    wanted = await wanted_of(request, form)
    kept = {name: value for name, value in form.items() if value}
    cursor, problem = request.query.get("cursor"), ""
    try:
        page = await repeats.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page = await repeats.page(actor, wanted, limit=PAGE)
    counts = await repeats.by_class(actor, wanted)
    context = {
        "tabs": tabs_of(current_user(request)),
        "form": form,
        "rows": [row_of(item) for item in page.items],
        "total": await repeats.count(actor, wanted),
        "counts": [
            (
                str(one.class_.value),
                labels.word(words.CLASSES, one.class_.value),
                one.count,
                "/lists/repeats?" + urlencode({**kept, "class": str(one.class_.value)}),
            )
            for one in counts
        ],
        "most": max((one.count for one in counts), default=1),
        "periods": labels.words(PERIODS),
        "classes": labels.words(words.CLASSES),
        "departments": await departments(request),
        "stores": {name: name for name in await stores_of(request)},
        "problem": problem,
        "export_query": urlencode(kept) if actor.can(Permission.EXPORT) else None,
        "more": "/lists/repeats?" + urlencode({**kept, "cursor": page.next_cursor})
        if page.next_cursor
        else "",
        "first": "/lists/repeats?" + urlencode(kept) if cursor else "",
    }
    return render(request, "lists/repeats.html", context, status=400 if problem else 200)


def row_of(item: RepeatComplaint) -> Row:
    """Return a row in words."""
    case = item.case
    return Row(
        item=item,
        status=labels.word(labels.CASE_STATUSES, case.status.value),
        tone=words.STATUS_TONES.get(case.status.value, ""),
        severity=labels.word(words.SEVERITIES, case.severity),
        severity_tone=words.SEVERITY_TONES.get(str(case.severity), ""),
        classes=[labels.word(words.CLASSES, one.value) for one in item.classes],
        earlier=[
            Earlier(
                case_id=before.case_id,
                no=before.no,
                status=labels.word(labels.CASE_STATUSES, before.status.value),
                opened_at=before.opened_at,
                same_class=before.same_class,
            )
            for before in item.earlier
        ],
    )
