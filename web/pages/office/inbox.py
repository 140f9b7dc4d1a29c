"""A department's inbox: hand-offs to sign, and its open lines by age (domain.md §2.3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from crm.complaint_views import HandoffView
from crm.handoffs import Box
from crm.line_lists import LineLists, OpenLine
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages.case_parts import Due, departments, due_of, left_text
from web.pages.office.gathered import READ, gather
from web.pages.office.gathered import shown as where_of
from web.pages.office.lines import STEPS, age_days
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

LINE_LISTS: web.AppKey[LineLists] = web.AppKey("LINE_LISTS", LineLists)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app[LINE_LISTS] = LineLists(app[DEPS].database, app[CRM].limits)
    app.router.add_get("/inbox", show)
    app.router.add_get("/handoffs/{handoff_id}", find)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSign:
    """A hand-off that waits for a signature; ``waits_long``: so long that customer service calls."""

    handoff: HandoffView
    due: Due | None
    waits_long: bool
    severity: str
    severity_tone: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """An open line."""

    line: OpenLine
    status: str
    tone: str
    class_: str
    days: int
    due: Due | None
    severity: str
    severity_tone: str


def due_at(at: datetime | None, since: datetime, now: datetime, label: str) -> Due | None:
    """Return a countdown to a moment whose limit is known by its ends alone."""
    if at is None:
        return None
    whole = max(at - since, timedelta(minutes=1))
    amber, red = since + whole / 2, since + whole * 0.8
    tone = "red" if now >= red else "amber" if now >= amber else ""
    return Due(at=at, amber_at=amber, red_at=red, text=left_text(at - now), tone=tone, label=label)


@requires(Permission.CASES_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what waits for a signature, then what is at work, the oldest first."""
    app, actor = request.app, current_actor(request)
    now = app[DEPS].clock.now()
    handoffs = app[CRM].complaints.handoffs
    waiting = await gather(lambda cursor: handoffs.page(actor, Box.WAITING, cursor=cursor, limit=READ))
    part = where_of("/inbox", request.query, len(waiting))
    waiting.sort(key=lambda item: (item.due_at or item.sent_at, item.handoff_id))
    lines = await app[LINE_LISTS].open_lines(actor)
    names = await departments(request)
    done = STEPS.get(request.query.get("done", ""))
    mine = request.query.get("mine", "") == "1"
    shown = [line for line in lines if not mine or line.person == actor.name]
    context = {
        "department": names.get(actor.department or "", ""),
        "everybody": actor.can(Permission.CASES_VIEW_ALL),
        "may_sign": actor.can(Permission.CASES_SIGN),
        "to_sign": [_to_sign(item, now) for item in waiting[part.begin : part.end]],
        "to_sign_total": len(waiting),
        "more": part.more,
        "first": part.first,
        "at_work": [_at_work(line, now) for line in shown],
        "mine": mine,
        "total": len(lines),
        "late": sum(1 for line in lines if line.limit is not None and line.limit.overdue),
        "done_text": gettext(done.done) if done else "",
    }
    return render(request, "office/inbox.html", context)


def _to_sign(item: HandoffView, now: datetime) -> ToSign:
    return ToSign(
        handoff=item,
        due=due_at(item.due_at, item.sent_at, now, gettext("签收")),
        waits_long=item.call_at is not None and item.call_at <= now,
        severity=labels.word(words.SEVERITIES, item.severity),
        severity_tone=words.SEVERITY_TONES.get(str(item.severity), ""),
        href=f"/handoffs/{item.handoff_id}",
    )


def _at_work(line: OpenLine, now: datetime) -> AtWork:
    class_ = labels.word(words.CLASSES, line.class_code)
    subclass = labels.word(words.SUBCLASS_WORDS, line.subclass)
    return AtWork(
        line=line,
        status=labels.word(words.LINE_STATUSES, line.status.value),
        tone=words.LINE_TONES.get(line.status.value, ""),
        class_=f"{class_} · {subclass}" if subclass else class_,
        days=age_days(line.registered_at, now),
        due=due_of(line.limit, now),
        severity=labels.word(words.SEVERITIES, line.severity),
        severity_tone=words.SEVERITY_TONES.get(str(line.severity), ""),
    )


@requires(Permission.CASES_VIEW)
async def find(request: web.Request) -> web.StreamResponse:
    """Lead from a hand-off to the page where it is signed."""
    actor, handoff_id = current_actor(request), request.match_info["handoff_id"][:40]
    place = await request.app[LINE_LISTS].place_of(actor, handoff_id)
    return see_other(f"/lines/{place.line_id}" if place.is_complaint else f"/cases/{place.case_id}")
