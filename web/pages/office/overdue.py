"""What is late: the six lists by department and person, and the manager's red list (domain.md §0)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from crm.cases import CaseView
from crm.complaint_views import OverdueRow, OverdueSummary
from crm.limit_lists import OverdueList, TimerPage, WithdrawnBreach
from crm.limit_views import TimerView
from crm.overdue import LIST_LABELS
from crm.tables import ServiceCase
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages.case_parts import calendar_text, departments, left_text
from web.pages.case_shown import ACTIONS
from web.pages.shell import render
from web.permissions import Permission, requires

PAGE = 50
SHOWN_RED = 100
SHOWN_BACK = 50
"""Of the breaches that were taken back the page shows the latest; the API has them all."""
LISTS = {
    "not_accepted": N_("未及时接收"),
    "visit_late": N_("未按计划出现场"),
    "plan_late": N_("未按计划出方案"),
    "not_solved_as_planned": N_("未按计划解决"),
    "not_solved": N_("未解决"),
    "not_closed": N_("未结案"),
}
assert {which.value: label for which, label in LIST_LABELS.items()} == LISTS


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/overdue", show)
    app.router.add_get("/red-list", show_red)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One of the six lists."""

    which: str
    label: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of a list is whose."""

    department: str
    department_name: str
    person: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Something late, in words."""

    row: OverdueRow
    status: str
    severity: str
    severity_tone: str
    late: str


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show one of the lists, with how much of it is whose."""
    app, actor = request.app, current_actor(request)
    overdue = app[CRM].complaints.overdue
    summaries = await overdue.overdue_lists(actor)
    which = _chosen(request.query.get("list", ""), summaries)
    department = request.query.get("department", "")[:10]
    problem = ""
    cursor = request.query.get("cursor")
    try:
        page = await overdue.overdue_page(
            actor, which, department=department or None, cursor=cursor, limit=PAGE
        )
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page = await overdue.overdue_page(actor, which, department=department or None, limit=PAGE)
    requests = await app[CRM].data_requests.late(actor) if actor.can(Permission.PRIVACY_HANDLE) else ()
    summary = next(item for item in summaries if item.which == which.value)
    chosen = {"list": which.value} | ({"department": department} if department else {})
    context = {
        "tabs": [
            Tab(
                which=s.which,
                label=gettext(LISTS[s.which]),
                total=s.total + (len(requests) if s.which == OverdueList.NOT_CLOSED else 0),
            )
            for s in summaries
        ],
        "requests": [
            (one, left_text(one.due_at - app[DEPS].clock.now()))
            for one in requests
            if which is OverdueList.NOT_CLOSED and one.due_at is not None
        ],
        "which": which.value,
        "title": gettext(LISTS[which.value]),
        "bars": _bars(summary),
        "unknown": summary.calendar_missing,
        "most": max((count.count for count in summary.counts), default=1),
        "department": department,
        "names": await departments(request),
        "rows": [_late(row) for row in page.items],
        "problem": problem,
        "more": "/overdue?" + urlencode(chosen | {"cursor": page.next_cursor}) if page.next_cursor else "",
        "first": "/overdue?" + urlencode(chosen) if cursor else "",
        "export_query": urlencode(chosen) if actor.can(Permission.EXPORT) else None,
    }
    return render(request, "office/overdue.html", context, status=400 if problem else 200)


def _chosen(asked: str, summaries: tuple[OverdueSummary, ...]) -> OverdueList:
    if asked in LISTS:
        return OverdueList(asked)
    return OverdueList(next((item.which for item in summaries if item.total), summaries[0].which))


def _bars(summary: OverdueSummary) -> list[Bar]:
    return [
        Bar(
            department=item.department or "",
            department_name=item.department_name or gettext("未定部门"),
            person=item.person or gettext("未指定"),
            count=item.count,
        )
        for item in summary.counts[:40]
    ]


def _late(row: OverdueRow) -> Late:
    table = {**labels.CASE_STATUSES, **words.LINE_STATUSES}
    return Late(
        row=row,
        status=labels.word(table, row.status),
        severity=labels.word(words.SEVERITIES, row.severity),
        severity_tone=words.SEVERITY_TONES.get(str(row.severity), ""),
        late=left_text(-timedelta(seconds=row.late_seconds)),
    )


# The red list

PAGES_OF = {
    "complaint": "/cases/{id}",
    "repair": "/cases/{id}",
    "ticket": "/cases/{id}",
    "forwarded": "/cases/{id}",
    "escalation": "/escalations/{id}",
    "data_request": "/data-requests",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Red:
    """A limit that was broken more than three service hours ago, or that no calendar says the end of."""

    timer: TimerView
    label: str
    late: str
    department: str
    case: CaseView | None
    severity: str
    severity_tone: str
    href: str
    to_boss: bool


@requires(Permission.RED_LIST_VIEW)
async def show_red(request: web.Request) -> web.StreamResponse:
    """Show a page of the red list, the longest late first, with how many are whose."""
    app, actor = request.app, current_actor(request)
    names = await departments(request)
    chosen = request.query.get("department", "")[:10]
    now, problem = app[DEPS].clock.now(), ""
    async with app[DEPS].database.session() as session:
        lists = app[CRM].limit_lists
        counts = await lists.red_counts(session, actor)
        try:
            page = await lists.red_list(
                session, actor, department=chosen or None, cursor=request.query.get("cursor"), limit=SHOWN_RED
            )
        except Invalid:
            page, problem = TimerPage(timers=(), cursor=None), gettext("这一页已经过期，请从第一页开始。")
        back = await lists.withdrawn(session, actor, department=chosen or None, limit=SHOWN_BACK)
        # A major complaint's limit has the number of its complaint, and an id of its own.
        numbers = sorted({timer.record.no for timer in page.timers})
        views = await app[CRM].cases.views(
            session, actor, ServiceCase.no.in_(numbers), limit=len(numbers) or 1
        )
    cases = {view.no: view for view in views}
    kept = {"department": chosen} if chosen else {}
    context = {
        "rows": [_red(timer, cases.get(timer.record.no), names, now) for timer in page.timers],
        "counts": [
            (code or "", names.get(code or "", "") or gettext("客服"), count)
            for code, count in counts.items()
        ],
        "most": max(counts.values(), default=1),
        "total": sum(counts.values()),
        "heaps": await app[CRM].heaps.unseen(actor),
        "problem": problem,
        "first_href": "/red-list?" + urlencode(kept) if "cursor" in request.query else "",
        "more": "/red-list?" + urlencode({**kept, "cursor": page.cursor}) if page.cursor else "",
        "withdrawn": [_withdrawn(item, names) for item in back.items],
        "chosen": chosen,
    }
    return render(request, "office/red_list.html", context, status=400 if problem else 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A breach that was taken back, in words."""

    breach: WithdrawnBreach
    label: str
    department: str
    action: str
    href: str


def _withdrawn(item: WithdrawnBreach, names: dict[str, str]) -> Withdrawn:
    return Withdrawn(
        breach=item,
        label=labels.word(words.LIMITS, item.code) or item.code,
        department=names.get(item.department or "", "") or gettext("客服"),
        action=labels.word(ACTIONS, item.why) if item.why else "",
        href=PAGES_OF.get(item.record.kind, "/cases/{id}").format(id=item.record.record_id),
    )


def _red(timer: TimerView, case: CaseView | None, names: dict[str, str], now: datetime) -> Red:
    severity = str(case.severity) if case else ""
    return Red(
        timer=timer,
        label=labels.word(words.LIMITS, timer.code) or timer.name,
        late=left_text(timer.due_at - now) if timer.due_at else calendar_text(timer),
        department=names.get(timer.owner.department or "", "") or gettext("客服"),
        case=case,
        severity=labels.word(words.SEVERITIES, severity) if case else "",
        severity_tone=words.SEVERITY_TONES.get(severity, ""),
        href=PAGES_OF.get(timer.record.kind, "/cases/{id}").format(id=timer.record.record_id),
        to_boss=timer.escalated_at is not None,
    )
