"""Callbacks as work: the list, one callback with its questions and its history, the call itself."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from callback_campaigns.assignment import AssignedElsewhere
from callback_campaigns.assignment import may_call as may_call_about
from callback_campaigns.domain.task import IN_CALL, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.preview import DialRefused
from callback_campaigns.preview_wire import TelephonyAway
from callback_campaigns.task_desk import TaskDetail, TaskFilter, Whose
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep
from kernel.errors import Forbidden, HuifangError, Invalid, Unavailable
from kernel.ids import is_ulid
from web import labels
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.own_phone import own_number
from web.pages import callback_sheet, callback_steps, callback_talk, timeline_words
from web.pages import callback_words as words
from web.pages.case_texts import texts_of_task
from web.pages.people_forms import read_form, text, version_of
from web.pages.shell import DIRECTORY, render, see_other
from web.permissions import Permission, requires

PAGE = 50
DUE_SPANS = {"today": timedelta(days=1), "week": timedelta(days=7)}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/callback-tasks", show_all)
    app.router.add_get("/callback-tasks/{task_id}", show)
    app.router.add_post("/callback-tasks/{task_id}/call", call)
    app.router.add_post("/callback-tasks/{task_id}/talk", begin)
    app.router.add_post("/callback-tasks/{task_id}/appoint", appoint)
    app.router.add_post("/callback-tasks/{task_id}/next", plan_next)
    for step in ("call", "talk", "appoint", "next", *callback_steps.HANDLERS):
        app.router.add_get("/callback-tasks/{task_id}/" + step, back)
    callback_talk.setup(app)
    callback_sheet.setup(app)
    callback_steps.setup(app)


def asked_form(request: web.Request) -> dict[str, str]:
    """Return the filter as it stands in the address, what is not known left out."""
    known = {
        "status": {*words.STATUSES, "open"},
        "kind": words.KINDS,
        "level": words.LEVELS,
        "channel": words.CHANNELS,
        "tried": words.TRIED,
        "due": {*DUE_SPANS, "any"},
    }
    query = request.query
    asked = {name: query.get(name, "") for name in known}
    asked = {name: value if value in known[name] else "" for name, value in asked.items()}
    asked["whose"] = query.get("whose", "")
    if asked["whose"] not in words.WHOSE:
        # Who leads the shift sees everybody's; agents what they may take on.
        asked["whose"] = "all" if current_user(request).can(Permission.BOARD_VIEW) else "own"
    store = query.get("store", "")
    return asked | {"store": store if is_ulid(store) else ""}


def wanted_of(asked: dict[str, str], now: datetime) -> TaskFilter:
    """Return which callbacks a filter asks for; without one, what an agent may take now."""
    status, due = asked["status"], asked["due"] or "today"
    return TaskFilter(
        status=TaskStatus(status) if status in set(TaskStatus) else None,
        open_only=status in {"", "open"},
        kind=CallbackType(asked["kind"]) if asked["kind"] else None,
        level=Level(asked["level"]) if asked["level"] else None,
        channel=Channel(asked["channel"]) if asked["channel"] else None,
        store_id=asked["store"] or None,
        tried={"yes": True, "no": False}.get(asked["tried"]),
        until=now + DUE_SPANS[due] if due in DUE_SPANS else None,
        whose=Whose(asked["whose"]),
    )


@requires(Permission.CALLBACKS_WORK)
async def show_all(request: web.Request) -> web.StreamResponse:
    """Show what is to be called back, what is due first at the top."""
    actor, now = current_actor(request), request.app[DEPS].clock.now()
    asked, cursor, problem, status = asked_form(request), request.query.get("cursor"), "", 200
    wanted, desk = wanted_of(asked, now), request.app[CALLBACKS].desk
    try:
        page = await desk.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status, cursor = gettext("这一页已经过期，请从第一页开始。"), 400, None
        page = await desk.page(actor, wanted, limit=PAGE)
    stores = await request.app[CRM].people.organisation.stores(actor)
    given = urlencode({name: value for name, value in asked.items() if value})
    context = {
        "asked": asked,
        "rows": page.items,
        "now": now,
        "status_choices": {"open": gettext("所有未完成"), **labels.words(words.STATUSES)},
        "stores": {store.store_id: store.name for store in stores},
        "whose_words": labels.words(words.WHOSE),
        "me": actor.user_id,
        "problem": problem,
        "first": f"/callback-tasks?{given}" if cursor else "",
        "more": f"/callback-tasks?{given}&" + urlencode({"cursor": page.next_cursor})
        if page.next_cursor
        else "",
        **_tables(),
    }
    return render(request, "callbacks/list.html", context, status=status)


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a callback: the questions, and what is known beside them."""
    return await _page(request)


@requires(Permission.CALLBACKS_WORK)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the callback: a refused form has the address of its step, which somebody may reload."""
    return see_other(f"/callback-tasks/{request.match_info['task_id']}")


@requires(Permission.CALLBACKS_WORK)
async def call(request: web.Request) -> web.StreamResponse:
    """Ring the agent, then the customer. Pressed twice it is one call: the task is another version then."""
    form, task_id = await read_form(request), request.match_info["task_id"]
    actor, deps = current_actor(request), request.app[DEPS]
    problem = ""
    try:
        if deps.preview is None:
            raise Unavailable("no link to the telephone system in this process")
        await deps.preview.call(
            actor,
            task_id,
            agent_number=await own_number(request),
            campaign=await request.app[CALLBACKS].campaigns.preview_of(task_id, deps.clock.now()),
            expected=version_of(form),
        )
    except AssignedElsewhere:
        problem = gettext("这条回访已有专人负责，请先接下再拨打。")
    except DialRefused as refused:
        problem = refusal_text(request, refused)
    except (IllegalStep, Forbidden) as error:
        if isinstance(error, Forbidden) and error.field != "agent":
            raise
        problem = labels.word(words.REASONS, error.context.get("why", "changed"))
    except TelephonyAway:
        problem = gettext("没有运行电话服务的进程，电话没有拨出。请通知管理员启动带 telephony 角色的进程。")
    except Unavailable:
        problem = gettext("电话系统暂时连不上，请稍后再试。")
    if problem:
        return await _page(request, problem, status=409)
    return see_other(f"/callback-tasks/{task_id}?called=1")


def refusal_text(request: web.Request, refused: DialRefused) -> str:
    """Return why a call was not made, and when it may be."""
    why = labels.word(words.REFUSALS, refused.refusal.code.value)
    until = refused.refusal.until
    if until is None:
        return gettext("现在不能拨打：%(why)s。") % {"why": why}
    local = until.astimezone(request.app[DEPS].settings.timezone)
    return gettext("现在不能拨打：%(why)s。最早 %(at)s 可以拨。") % {
        "why": why,
        "at": local.strftime("%m-%d %H:%M"),
    }


@requires(Permission.CALLBACKS_WORK)
async def begin(request: web.Request) -> web.StreamResponse:
    """Write down a talk that had no call of ours: a visit, a chat, somebody who called in."""
    task_id, actor = request.match_info["task_id"], current_actor(request)
    try:
        await request.app[CALLBACKS].talks.open(
            task_id, attempt_id=None, channel=Channel.AGENT, by=actor.name, actor=actor
        )
    except (IllegalStep, Invalid) as error:
        return await _page(request, _advice(error), status=409)
    return see_other(f"/callback-tasks/{task_id}#runner")


@requires(Permission.CALLBACKS_WORK)
async def appoint(request: web.Request) -> web.StreamResponse:
    """Write down when the customer wants to be called."""
    form, task_id = await read_form(request), request.match_info["task_id"]
    desk, actor = request.app[CALLBACKS].desk, current_actor(request)
    try:
        at = _moment(form.get("at", ""), request)
        await desk.appoint(actor, task_id, at, expected=version_of(form))
    except (IllegalStep, Invalid) as error:
        return await _page(request, _advice(error), status=409)
    return see_other(f"/callback-tasks/{task_id}?done=appointed")


@requires(Permission.CALLBACKS_WORK)
async def plan_next(request: web.Request) -> web.StreamResponse:
    """Set the customer's next callback, the same one again or another (domain.md §1.1)."""
    form, task_id = await read_form(request), request.match_info["task_id"]
    desk, actor = request.app[CALLBACKS].desk, current_actor(request)
    detail = await desk.get(actor, task_id)
    task = detail.listed.task
    try:
        on = _moment(f"{text(form, 'on')}T12:00", request).date()
        made = await desk.plan(
            actor, text(form, "kind"), on=on, customer_id=task.customer_id, project_id=task.project_id
        )
    except (IllegalStep, Invalid) as error:
        return await _page(request, _advice(error), status=409)
    return see_other(f"/callback-tasks/{made.listed.task.task_id}?done=planned")


def _moment(typed: str, request: web.Request) -> datetime:
    try:
        found = datetime.fromisoformat(typed)
    except ValueError as error:
        raise Invalid("a time like 2026-03-02T09:30", field="at") from error
    return found if found.tzinfo else found.replace(tzinfo=request.app[DEPS].settings.timezone)


def _advice(error: HuifangError) -> str:
    match error:
        case Invalid(field="at" | "on"):
            return gettext("这个时间不行：已经过了，或不在可以打电话的时段。")
        case _:
            return labels.word(labels.PROBLEMS, error.code)


async def _page(request: web.Request, problem: str = "", *, status: int = 200) -> web.StreamResponse:
    actor, task_id = current_actor(request), request.match_info["task_id"]
    part = request.app[CALLBACKS]
    detail = await part.desk.get(actor, task_id)
    talk = await part.talks.of_task(task_id)
    card = await request.app[DIRECTORY].card(detail.listed.task.customer_id)
    steps = await callback_steps.part(request, detail)
    runner: dict[str, Any] = await callback_talk.part(request, talk) if talk is not None else {"talk": None}
    context = {
        **_tables(),
        "listed": detail.listed,
        "task": detail.listed.task,
        "detail": detail,
        "card": card,
        "project": next(
            (one for one in card.projects if one.project_id == detail.listed.task.project_id), None
        ),
        "now": request.app[DEPS].clock.now(),
        "may_call": may_call(request, detail),
        "call_hint": _call_hint(request, detail),
        **steps,
        "in_call": detail.listed.task.status in IN_CALL,
        "call_problem": problem or steps["step_problem"],
        "called": request.query.get("called") == "1",
        "done": request.query.get("done", ""),
        "steps": labels.words(words.STEPS),
        "remarks": labels.words(words.REMARKS),
        "authors": labels.words(words.AUTHORS),
        "contact_kinds": labels.words(timeline_words.KINDS),
        "case_kinds": labels.words(labels.CASE_KINDS),
        "case_statuses": labels.words(labels.CASE_STATUSES),
        "plannable": {code: label for code, label in labels.words(words.KINDS).items() if code != "VISIT"},
        "call_texts": await texts_of_task(request, task_id),
        "has_sheet": callback_sheet.has_sheet(detail.listed.task.kind, talk),
        **runner,
    }
    return render(request, "callbacks/task.html", context, status=status)


def may_call(request: web.Request, detail: TaskDetail) -> bool:
    """Tell whether whoever looks at a callback can be rung for it now."""
    now = request.app[DEPS].clock.now()
    takes_calls = current_user(request).agent_id is not None
    mine = may_call_about(current_actor(request), detail.listed.assignee_id)
    return (
        takes_calls and mine and request.app[DEPS].preview is not None and detail.listed.task.is_dialable(now)
    )


def _call_hint(request: web.Request, detail: TaskDetail) -> str:
    """Return why whoever looks cannot place the call now; empty where they can, or where it is over."""
    listed, now = detail.listed, request.app[DEPS].clock.now()
    task, agent = listed.task, current_user(request).agent_id
    if not task.status.is_open or task.status in IN_CALL or may_call(request, detail):
        return ""
    if agent is None:
        return gettext("您没有分机，不能从这里拨打；需要的话请管理员给您的账户分配话机号码。")
    if not may_call_about(current_actor(request), listed.assignee_id):
        return gettext("这条回访由%(who)s负责，接下后才能拨打。") % {"who": listed.assignee_name}
    if task.holds:
        return gettext("这条回访暂时搁置，不能拨打。")
    return gettext("还没到拨打时间。") if task.due_at > now else ""


def _tables() -> dict[str, Any]:
    return {
        "kinds": labels.words(words.KINDS),
        "statuses": labels.words(words.STATUSES),
        "tones": words.TONES,
        "channels": labels.words(words.CHANNELS),
        "levels": labels.words(words.LEVELS),
        "outcomes": labels.words(words.OUTCOMES),
        "tried_words": labels.words(words.TRIED),
    }
