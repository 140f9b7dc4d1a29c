"""History of calls with filters, and one call with its time line."""

from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from crm.case_contact import CALLABLE
from kernel.errors import Invalid
from kernel.phone import Phone
from telephony.agent_views import WrapUpView
from telephony.domain.timeline import STAFF_THERE
from telephony.views import CallFilter, CallView, TimelineEntry
from web import labels
from web.deps import DEPS
from web.disclosure import note_numbers, refuse_probing
from web.dispositions import dispositions_of
from web.i18n import N_, gettext
from web.identity import CurrentUser, current_user
from web.masking import shown_call
from web.pages.call_quality import lines_of
from web.pages.call_text import Typed, keep_correction, text_context
from web.pages.gantt import gantt
from web.pages.recordings import shown_parts
from web.pages.routing_words import routed_text
from web.pages.shell import DIRECTORY, ROSTER, render, see_other
from web.pages.times import day_end, day_start
from web.permissions import Permission, requires
from web.pop import readable
from web.said import may_find_said

PAGE = 50
FIELDS = ("from", "to", "queue", "agent", "result", "direction", "number")
LONGEST = 40


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/calls", show_list)
    app.router.add_get("/calls/{call_id}", show_call)
    app.router.add_post("/calls/{call_id}", correct)


@dataclass(frozen=True, slots=True)
class Row:
    """A call in the list; ``outside`` is the number to call about it, empty for none."""

    call: CallView
    from_number: str
    to_number: str
    queue: str
    result: str
    tone: str
    direction: str
    outside: str


TONES = {
    "ANSWERED": "green",
    "ABANDONED_QUEUE": "brick",
    "ABANDONED_SHORT": "amber",
    "NO_ANSWER": "amber",
    "FAILED": "brick",
    "IVR_ONLY": "violet",
}


@requires(Permission.CALLS_VIEW)
async def show_list(request: web.Request) -> web.StreamResponse:
    """Show a page of calls, newest first."""
    user, roster, deps = current_user(request), request.app[ROSTER], request.app[DEPS]
    form = {name: request.query.get(name, "").strip()[:LONGEST] for name in FIELDS}
    kept = {name: value for name, value in form.items() if value}
    problem, rows, more = "", [], ""
    queues = labels.queue_names(await roster.queues())
    try:
        filters = _filters(form, user, request)
        page = await deps.history.page(filters, cursor=request.query.get("cursor"), limit=PAGE)
        await note_numbers(request, user, page.items)
        rows = [_row(call, shown_call(call, user), queues) for call in page.items]
        if page.next_cursor:
            more = "/calls?" + urlencode({**kept, "cursor": page.next_cursor})
    except Invalid as error:
        problem = PROBLEM_TEXTS.get(error.field or "", "")
        problem = gettext(problem) if problem else labels.word(labels.PROBLEMS, "invalid")
    context = {
        "form": form,
        "rows": rows,
        "more": more,
        "first_href": "/calls?" + urlencode(kept),
        "problem": problem,
        "first_page": "cursor" not in request.query,
        "finds_said": may_find_said(user),
        "queues": queues,
        "agents": {agent.number: agent.name for agent in await roster.agents()},
        "results": labels.words(labels.CALL_RESULTS),
        "directions": labels.words(labels.DIRECTIONS),
    }
    return render(request, "calls.html", context, status=400 if problem else 200)


PROBLEM_TEXTS = {
    "number": N_("请输入完整的号码。"),
    "from": N_("日期的格式是 2026-03-31。"),
    "to": N_("日期的格式是 2026-03-31。"),
    "cursor": N_("这一页已经过期，请从第一页开始。"),
}


def _filters(form: dict[str, str], user: CurrentUser, request: web.Request) -> CallFilter:
    zone = request.app[DEPS].settings.timezone
    number = form["number"] or None
    refuse_probing(user, number)
    since, until = asked_day(form["from"], "from"), asked_day(form["to"], "to")
    return CallFilter(
        since=day_start(since, zone) if since else None,
        until=day_end(until, zone) if until else None,
        direction=form["direction"] if form["direction"] in labels.DIRECTIONS else None,
        queue=form["queue"] or None,
        agent=form["agent"] or None,
        result=form["result"] if form["result"] in labels.CALL_RESULTS else None,
        number=number,
    )


def asked_day(text: str, field: str) -> date | None:
    """Return the day that somebody wrote. Raises Invalid for what is none."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("a date is written 2026-03-31", field=field) from error
    if not 1990 <= day.year <= 2200:
        raise Invalid("a date is written 2026-03-31", field=field)
    return day


def _row(found: CallView, call: CallView, queues: dict[str, str]) -> Row:
    """Return a call as the person may see it; ``found`` is the whole of it."""
    code = call.result or ""
    return Row(
        call=call,
        from_number=readable(call.from_number) or gettext("号码未知"),
        to_number=readable(call.to_number),
        queue=queues.get(call.queue or "", call.queue or ""),
        result=labels.word(labels.CALL_RESULTS, call.result) or labels.word(labels.CALL_STATES, call.state),
        tone=TONES.get(code, "blue" if not code else ""),
        direction=labels.word(labels.DIRECTIONS, call.direction),
        outside=outside_number(found, call),
    )


# One call


@dataclass(frozen=True, slots=True)
class Happening:
    """A row of the time line in words."""

    at: datetime
    offset_seconds: float
    kind: str
    text: str


@requires(Permission.CALLS_VIEW)
async def correct(request: web.Request) -> web.StreamResponse:
    """Keep a correction of the call's text; what cannot be kept is shown again as it was typed."""
    call = await request.app[DEPS].history.get(request.match_info["call_id"])
    typed = await keep_correction(request, call)
    if typed is None:
        return see_other(f"/calls/{call.call_id}#text")
    return await _call_page(request, typed)


@requires(Permission.CALLS_VIEW)
async def show_call(request: web.Request) -> web.StreamResponse:
    """Show one call: facts, legs, time line, what was said, what the agents wrote."""
    return await _call_page(request, None)


async def _call_page(request: web.Request, typed: Typed | None) -> web.StreamResponse:
    user, deps, roster = current_user(request), request.app[DEPS], request.app[ROSTER]
    found = await deps.history.get(request.match_info["call_id"])
    await note_numbers(request, user, (found,))
    call = shown_call(found, user)
    queues = labels.queue_names(await roster.queues())
    names = {agent.number: agent.name for agent in await roster.agents()}
    customer = None
    if call.customer_id and user.can(Permission.CUSTOMERS_VIEW):
        customer = await request.app[DIRECTORY].card(call.customer_id)
    marks = [
        (at, text)
        for at, text in ((call.queued_at, gettext("进入队列")), (call.answered_at, gettext("接通")))
        if at
    ]
    happenings = [_happening(entry, call, queues, names, deps.settings.timezone) for entry in call.timeline]
    recordings = await shown_parts(request, found, [(one.offset_seconds, one.kind) for one in happenings])
    context = {
        "row": _row(found, call, queues),
        "call": call,
        "recordings": recordings,
        "recording": bool(recordings),
        "may_judge": bool(found.ended_at and found.agent_id) and user.can(Permission.QUALITY_SCORE),
        "may_download": user.can(Permission.RECORDINGS_DOWNLOAD),
        "reads_along": found.ended_at is None and user.can(Permission.RECORDINGS_PLAY),
        **await text_context(request, found, typed),
        "customer": customer,
        "agent_name": names.get(call.agent or "", ""),
        "lines": lines_of(call),
        "rating": _rated(call),
        "ended_by": labels.word(labels.HANGUP_BY, call.hangup_by),
        "end_reason": labels.word(labels.END_REASONS, call.end_reason),
        "picture": gantt(call, now=deps.clock.now(), marks=marks),
        "leg_kinds": labels.words(labels.LEG_KINDS),
        "happenings": happenings,
        "wrap_up": await _saved_wrap_up(request, found),
        "dispositions": labels.disposition_names(await dispositions_of(request.app).tree()),
    }
    return render(request, "call.html", context, status=409 if typed is not None else 200)


def _rated(call: CallView) -> list[str]:
    """Return what the customer said of the call, in words."""
    rating = call.rating
    if rating is None:
        return []
    said = [labels.word(labels.RATINGS, rating.service.name)] if rating.service is not None else []
    if rating.solved is not None:
        said.append(gettext("问题已解决") if rating.solved else gettext("问题没有解决"))
    return said


def outside_number(found: CallView, call: CallView) -> str:
    """Return the number to call about a call that is over, as the person sees it; empty for none."""
    if found.ended_at is None or found.direction not in {"in", "out"}:
        return ""
    came_in = found.direction == "in"
    phone = Phone.parse_caller(found.from_number if came_in else found.to_number)
    shown = call.from_number if came_in else call.to_number
    return readable(shown) if phone is not None and phone.kind in CALLABLE else ""


async def _saved_wrap_up(request: web.Request, call: CallView) -> WrapUpView | None:
    if call.agent_id is None:
        return None
    wrap_up: WrapUpView | None = await request.app[DEPS].desk.wrap_up(call.agent_id, call.call_id)
    return wrap_up if wrap_up is not None and wrap_up.saved_at is not None else None


def _happening(
    entry: TimelineEntry, call: CallView, queues: dict[str, str], names: dict[str, str], zone: ZoneInfo
) -> Happening:
    parts: list[str] = []
    if entry.queue:
        parts.append(queues.get(entry.queue, entry.queue))
    if entry.agent:
        parts.append(" ".join(part for part in (entry.agent, names.get(entry.agent, "")) if part))
    if entry.kind == "routed":
        parts.append(routed_text(entry.detail, queues, names))
    else:
        found = (_detail(entry.kind, key, value, zone) for key, value in entry.detail.items())
        parts += [text for text in found if text]
    offered = entry.kind == "offered"
    return Happening(
        at=entry.at,
        offset_seconds=(entry.at - call.started_at).total_seconds(),
        kind=labels.word(labels.DIRECTIONS, call.direction)
        if offered
        else labels.word(labels.TIMELINE_KINDS, entry.kind),
        text=" · ".join(parts),
    )


def _share(value: str) -> str:
    """Return 0.9 as 90%; what is no share as it is."""
    try:
        return f"{float(value):.0%}"
    except ValueError:
        return value


REASONS = {"ring_ended": labels.RING_END_REASONS, "left_queue": labels.LEFT_QUEUE_REASONS}


def _detail(kind: str, key: str, value: str, zone: ZoneInfo) -> str:
    match key:
        case "result":
            return labels.word(labels.CALL_RESULTS, value)
        case "reason":
            return labels.word(REASONS.get(kind, labels.END_REASONS), value)
        case "type":
            return labels.word(labels.TRANSFER_TYPES, value)
        case "mode" if kind == "supervised":
            return labels.word(labels.LISTENING_MODES, value)
        case "to" if kind == "transferred":
            return gettext("转给 %(number)s") % {"number": readable(value)}
        case "position":
            return gettext("第 %(n)s 位") % {"n": value}
        case "since" | "until":
            moment = datetime.fromisoformat(value).astimezone(zone)
            text = gettext("从 %(time)s") if key == "since" else gettext("到 %(time)s")
            return text % {"time": moment.strftime("%H:%M:%S")}
        case "by":
            return gettext("%(who)s先挂机") % {"who": labels.word(labels.HANGUP_BY, value)}
        case "node" if value == STAFF_THERE:
            return gettext("我方电话已接起，开始呼叫客户")
        case "direction" | "node" | "consultation" | "into":
            return ""
        case "from":
            return gettext("主叫 %(number)s") % {"number": readable(value) or gettext("号码未知")}
        case "to":
            return gettext("被叫 %(number)s") % {"number": readable(value)}
        case "why":
            return labels.word(labels.PAUSE_REASONS, value)
        case "who":
            return value
        case "said":
            return gettext("说：“%(words)s”") % {"words": value}
        case "understood":
            return gettext("理解为：%(wish)s") % {"wish": value}
        case "confidence":
            return gettext("把握 %(share)s") % {"share": _share(value)}
        case "key":
            return gettext("按键 %(key)s") % {"key": value}
        case "label" | "number":
            return value
        case _:
            return f"{key} {value}"
