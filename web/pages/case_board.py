"""The board of cases, what is due first on top, and the box of hand-offs."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web

from crm.case_lists import BoardRow
from crm.cases import CaseFilter
from crm.complaint_views import HandoffView
from crm.domain.case import STATUSES, CaseKind, CaseStatus
from crm.domain.classification import Nature, Urgency
from crm.handoffs import Box
from kernel.errors import Conflict, Invalid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_parts import CASE_LISTS, Due, departments, due_of, has_page, left_text
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

PAGE = 50
WHOSE = {"mine": N_("我的"), "all": N_("全部")}
LONGEST = 40
BOXES = {
    Box.WAITING: N_("等待签收"),
    Box.LATE: N_("超时未签"),
    Box.REJECTED: N_("已退回"),
    Box.SIGNED: N_("已签收"),
    Box.SENT: N_("我转交的"),
    Box.ALL: N_("全部"),
}
OPEN_STATES = tuple(dict.fromkeys(status for states in STATUSES.values() for status in states))


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/cases", show_board)
    app.router.add_get("/handoffs", show_box)
    app.router.add_post("/handoffs/{handoff_id}/chase", chase)
    app.router.add_post("/handoffs/{handoff_id}/called", called)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case of the board in words."""

    item: BoardRow
    kind: str
    status: str
    tone: str
    severity: str
    severity_tone: str
    due: Due | None


@requires(Permission.CASES_VIEW)
async def show_board(request: web.Request) -> web.StreamResponse:
    """Show a page of cases with the counts of their states."""
    app, actor, user = request.app, current_actor(request), current_user(request)
    form = asked_form(request)
    own = user.can(Permission.CASES_REGISTER)
    known = await departments(request)
    wanted, problem = wanted_of(form, actor.user_id, known), ""
    rows: list[Row] = []
    counts: dict[str, int] = {}
    more = ""
    kept = {name: value for name, value in form.items() if value}
    now = app[DEPS].clock.now()
    try:
        page = await app[CASE_LISTS].board(
            actor,
            wanted,
            overdue=form["overdue"] == "1",
            cursor=request.query.get("cursor"),
            limit=PAGE,
        )
        rows = [row_of(item, now) for item in page.items]
        if page.next_cursor:
            more = "/cases?" + urlencode({**kept, "cursor": page.next_cursor})
        counts = await app[CASE_LISTS].counts(actor, wanted_of({**form, "state": ""}, actor.user_id, known))
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
    context = {
        "form": form,
        "rows": rows,
        "more": more,
        "problem": problem,
        "first_page": "cursor" not in request.query,
        "first_href": "/cases?" + urlencode(kept),
        "whose": labels.words(WHOSE) if own else {},
        "kinds": labels.words(labels.CASE_KINDS),
        "states": [
            (
                status.value,
                labels.word(labels.CASE_STATUSES, status.value),
                counts[status.value],
                "/cases?" + urlencode({**kept, "state": status.value}),
            )
            for status in OPEN_STATES
            if counts.get(status.value)
        ],
        "all_href": "/cases?" + urlencode({name: value for name, value in kept.items() if name != "state"}),
        "open_total": sum(counts.values()),
        "departments": known,
        "severities": labels.words(words.SEVERITIES),
        "natures": labels.words(words.NATURES),
        "urgencies": labels.words(words.URGENCIES),
        "urgency_tones": words.URGENCY_TONES,
        "may_register": own,
        "export_query": urlencode(kept) if user.can(Permission.EXPORT) else None,
    }
    return render(request, "cases/board.html", context, status=400 if problem else 200)


def row_of(item: BoardRow, now: datetime) -> Row:
    """Return a row of the board in words."""
    case = item.case
    return Row(
        item=item,
        kind=labels.word(labels.CASE_KINDS, case.kind.value),
        status=labels.word(labels.CASE_STATUSES, case.status.value),
        tone=words.STATUS_TONES.get(case.status.value, ""),
        severity=labels.word(words.SEVERITIES, case.severity),
        severity_tone=words.SEVERITY_TONES.get(str(case.severity), ""),
        due=due_of(item.limit, now),
    )


def asked_form(request: web.Request) -> dict[str, str]:
    """Return the filter's fields as they stand in the address."""
    form = {
        name: request.query.get(name, "").strip()[:LONGEST]
        for name in ("whose", "kind", "state", "department", "severity", "nature", "urgency", "overdue")
    }
    # Who registers cases has cases of their own and begins with them; a department has its own anyway.
    own = current_user(request).can(Permission.CASES_REGISTER)
    form["whose"] = (form["whose"] if form["whose"] in WHOSE else "mine") if own else "all"
    return form


def wanted_of(form: dict[str, str], user_id: str, known: dict[str, str]) -> CaseFilter:
    """Return the filter; what cannot be is as if it were not asked for."""
    states = {status.value: status for status in CaseStatus}
    state = states.get(form["state"])
    kinds = {kind.value: kind for kind in CaseKind}
    return CaseFilter(
        kind=kinds.get(form["kind"]),
        statuses=(state,) if state else (),
        is_open=state.is_open if state is not None else None if form["state"] == "any" else True,
        department=form["department"] if form["department"] in known else None,
        specialist_id=user_id if form["whose"] == "mine" else None,
        severity=int(form["severity"]) if form["severity"] in words.SEVERITIES else None,
        nature=Nature(form["nature"]) if form["nature"] in words.NATURES else None,
        urgency=Urgency(form["urgency"]) if form["urgency"] in words.URGENCIES else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRow:
    """A hand-off in words; ``late`` is how long it waits beyond its time."""

    item: HandoffView
    state: str
    tone: str
    form: str
    class_: str
    left: str
    severity_tone: str


@requires(Permission.CASES_VIEW)
async def show_box(request: web.Request) -> web.StreamResponse:
    """Show a page of hand-offs: who has not signed yet is chased from here."""
    app, actor = request.app, current_actor(request)
    asked = request.query.get("box", Box.WAITING.value)
    box = next((one for one in BOXES if one.value == asked), Box.WAITING)
    known = await departments(request)
    department = request.query.get("department", "")
    department = department if department in known else ""
    rows: list[SentRow] = []
    more, problem = "", ""
    now = app[DEPS].clock.now()
    kept = {"box": box.value, **({"department": department} if department else {})}
    try:
        page = await app[CRM].complaints.handoffs.page(
            actor, box, department=department or None, cursor=request.query.get("cursor"), limit=PAGE
        )
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
    else:
        rows = [
            SentRow(
                item=item,
                state=labels.word(words.HANDOFF_STATES, item.state),
                tone={"signed": "green", "rejected": "brick"}.get(
                    item.state, "brick" if item.overdue else "blue"
                ),
                form=labels.word(words.HANDOFF_FORMS, item.form),
                class_=gettext(item.class_label) if item.class_label else "",
                left=left_text(item.due_at - now) if item.due_at and item.state == "waiting" else "",
                severity_tone=words.SEVERITY_TONES.get(str(item.severity), ""),
            )
            for item in page.items
        ]
        if page.next_cursor:
            more = "/handoffs?" + urlencode({**kept, "cursor": page.next_cursor})
    context = {
        "rows": rows,
        "more": more,
        "problem": problem,
        "box": box.value,
        "boxes": [
            (one.value, gettext(label), "/handoffs?" + urlencode({**kept, "box": one.value}))
            for one, label in BOXES.items()
        ],
        "first_page": "cursor" not in request.query,
        "first_href": "/handoffs?" + urlencode(kept),
        "departments": known,
        "department": department,
        "severities": labels.words(words.SEVERITIES),
        "sheet_page": has_page(app, "/handoffs/{handoff_id}/sheet"),
        "chases": current_user(request).can(Permission.CASES_REGISTER),
        "done_text": gettext("已经催过部门签收，一小时内不会重复通知。") if request.query.get("done") else "",
    }
    return render(request, "cases/handoffs.html", context, status=400 if problem else 200)


@requires(Permission.CASES_REGISTER)
async def chase(request: web.Request) -> web.StreamResponse:
    """Ask a department once more to sign; what was signed meanwhile is simply not there any more."""
    form = await request.post()
    box = next((one.value for one in BOXES if one.value == form.get("box")), Box.WAITING.value)
    try:
        await request.app[CRM].complaints.complaints.chase(
            current_actor(request), request.match_info["handoff_id"][:40]
        )
    except Conflict:
        return see_other(f"/handoffs?box={box}")
    return see_other(f"/handoffs?box={box}&done=chased")


@requires(Permission.CASES_REGISTER)
async def called(request: web.Request) -> web.StreamResponse:
    """Note that a department was called about its signature; whom a colleague called needs no second note."""
    with suppress(Conflict):
        await request.app[CRM].complaints.handoff_calls.called(
            current_actor(request), request.match_info["handoff_id"][:40]
        )
    return see_other("/my-day#unsigned")
