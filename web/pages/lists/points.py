"""The repair-point network: agreements, spare parts, monthly accounts, quality feedback (domain.md §1.13)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.point_figures import PointFigures
from crm.repair_point_views import AccountView, PointView
from kernel.access import Actor
from kernel.errors import Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_parts import departments
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, row_step, take_row
from web.pages.lists.point_steps import (
    ACCOUNT,
    APPROVE,
    FEEDBACK,
    FINISH,
    MOVE,
    PART_KINDS,
    PERMISSIONS,
    PLAN,
    PUT,
    STEPS,
    VISIT_KINDS,
)
from web.pages.office.parts import ShownStep, Step
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.pop import readable

HERE = "/lists/repair-points"
NEW = "new"
POINTS = 100
FEEDBACK_ROWS = 50
PARTS = 50
"""Rows of a page."""
FILES = "files"
"""The form that takes files of the agreement."""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/steps/{step}", take)
    app.router.add_get(HERE + "/steps/{step}", back)
    app.router.add_get(HERE + "/{point_id}", show_point)
    app.router.add_post(HERE + "/{point_id}/steps/{step}", take_of_point)
    app.router.add_get(HERE + "/{point_id}/steps/{step}", back)
    app.router.add_post(HERE + "/{point_id}/accounts/{account_id}/steps/approve", approve)
    app.router.add_get(HERE + "/{point_id}/accounts/{account_id}/steps/approve", back)


@requires(Permission.PROJECTS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the points by district, a month's accounts and quality feedback."""
    return await _list(request, RowAttempt())


@requires(Permission.PROJECTS_VIEW)
async def show_point(request: web.Request) -> web.StreamResponse:
    """Show a point."""
    return await one(request, RowAttempt())


@requires(Permission.PROJECTS_VIEW)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the page of a form: a refused one has the address of its step, which somebody may reload."""
    point_id = request.match_info.get("point_id")
    return see_other(f"{HERE}/{point_id[:40]}" if point_id else HERE)


@requires(Permission.PROJECTS_VIEW)
async def take(request: web.Request) -> web.StreamResponse:
    """Write down a new point or a row of quality feedback."""
    step = _allowed(request, {"put", "feedback"})
    key = NEW if step.name == "put" else "feedback"
    step = await _with_choices(request, step)
    return await take_row(request, step, key, _given(request, ""), _list, here=HERE)


@requires(Permission.PROJECTS_VIEW)
async def take_of_point(request: web.Request) -> web.StreamResponse:
    """Change a point, write down its spare parts or a month."""
    point_id = request.match_info["point_id"][:40]
    step = _allowed(request, {"put", "move", "account", "plan", "finish"})
    key = request.query.get("key", point_id)[:60]
    given = _given(request, point_id) | {"visit_id": key}
    return await take_row(request, step, key, given, one, here=f"{HERE}/{point_id}")


@requires(Permission.COSTS_SIGN_SERVICE)
async def approve(request: web.Request) -> web.StreamResponse:
    """Approve a month of a point."""
    point_id, account_id = (request.match_info[name][:40] for name in ("point_id", "account_id"))
    given = _given(request, point_id) | {"account_id": account_id}
    return await take_row(request, APPROVE, account_id, given, one, here=f"{HERE}/{point_id}")


def _allowed(request: web.Request, names: set[str]) -> Step:
    name = request.match_info["step"]
    if name not in names:
        raise NotFound("no such step", field="step")
    current_actor(request).need(PERMISSIONS[name])
    return STEPS[name]


def _given(request: web.Request, key: str) -> dict[str, Any]:
    crm = request.app[CRM]
    return {
        "points": crm.repair_points,
        "visits": crm.point_visits,
        "actor": current_actor(request),
        "key": key,
    }


async def _with_choices(request: web.Request, step: Step) -> Step:
    if step.name != FEEDBACK.name:
        return step
    names = await departments(request)
    points = {
        point.point_id: point.name
        for point in await request.app[CRM].repair_points.points(current_actor(request))
    }
    options = {"department": names, "other": names, "point_id": points}
    return replace(
        step, fields=tuple(replace(item, options=options.get(item.name, {})) for item in step.fields)
    )


def _done(request: web.Request) -> str:
    name = request.query.get("done", "")
    if name == FILES:
        return gettext("协议文件已保存。")
    step = STEPS.get(name)
    return gettext(step.done) if step else ""


async def _list(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    actor, lists = current_actor(request), request.app[CRM].point_lists
    today = request.app[CRM].repair_points.today()
    asked = {name: request.query.get(name, "")[:40] for name in ("month", "cursor", "feedback")}
    month = asked["month"] or f"{today:%Y-%m}"
    try:
        feedback = await lists.feedback(actor, month, cursor=asked["feedback"] or None, limit=FEEDBACK_ROWS)
        page = await lists.points(actor, cursor=asked["cursor"] or None, limit=POINTS)
    except Invalid:
        asked, month = dict.fromkeys(asked, ""), f"{today:%Y-%m}"
        feedback = await lists.feedback(actor, month, limit=FEEDBACK_ROWS)
        page = await lists.points(actor, limit=POINTS)
    points = page.items
    budget, actual = await lists.month_sums(actor, month)
    sees_costs = actor.can(Permission.DEPOSITS_VIEW)
    groups: dict[str, list[PointView]] = defaultdict(list)
    for point in points:
        groups[point.district].append(point)
    steps: list[ShownStep] = []
    if actor.can(PERMISSIONS["put"]):
        new = replace(PUT, title=N_("新增维修点"))
        start = {"valid_from": today.isoformat(), "active": "1"}
        steps.append(row_step(new, tried, key=NEW, action=f"{HERE}/steps/put", start=start))
    if actor.can(PERMISSIONS["feedback"]):
        steps.append(
            row_step(
                await _with_choices(request, FEEDBACK),
                tried,
                key="feedback",
                action=f"{HERE}/steps/feedback",
                start={"month": month},
            )
        )
    context = {
        "tabs": tabs_of(current_user(request)),
        "groups": sorted(groups.items()),
        "accounts": await lists.month_of(actor, month, [point.point_id for point in points]),
        "budget": budget,
        "actual": actual,
        "first": _way(asked | {"cursor": ""}) if asked["cursor"] else "",
        "more": _way(asked | {"cursor": page.next_cursor}) if page.next_cursor else "",
        "first_feedback": _way(asked | {"feedback": ""}) + "#quality" if asked["feedback"] else "",
        "more_feedback": _way(asked | {"feedback": feedback.next_cursor}) + "#quality"
        if feedback.next_cursor
        else "",
        "month": month,
        "figures": shown_figures(await request.app[CRM].point_figures.month(actor, month))
        if sees_costs
        else None,
        "may_export": sees_costs and actor.can(Permission.EXPORT),
        "feedback": feedback.items,
        "names": await departments(request),
        "points": await lists.names(actor, {row.point_id for row in feedback.items if row.point_id}),
        "readable": readable,
        "steps": steps,
        "done_text": _done(request),
    }
    return render(request, "lists/points.html", context, status=status)


def _way(asked: Mapping[str, str | None]) -> str:
    kept = {name: value for name, value in asked.items() if value}
    return f"{HERE}?{urlencode(kept)}" if kept else HERE


async def one(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    """Return a point's page, after a refused form with what was written."""
    point_id = request.match_info["point_id"][:40]
    actor, network = current_actor(request), request.app[CRM].repair_points
    lists, earlier = request.app[CRM].point_lists, request.query.get("parts", "")[:40]
    point = await lists.point(actor, point_id)
    accounts = await network.accounts(actor, point_id=point_id)
    try:
        parts = await lists.parts(actor, point_id, cursor=earlier or None, limit=PARTS)
    except Invalid:
        parts = await lists.parts(actor, point_id, limit=PARTS)
    today = network.today()
    steps: list[ShownStep] = []
    if actor.can(PERMISSIONS["move"]):
        start = {"on_day": today.isoformat()}
        steps.append(_step(MOVE, tried, point_id, key=point_id, start=start))
    if actor.can(PERMISSIONS["account"]):
        start = {"month": f"{today:%Y-%m}"}
        steps.append(_step(ACCOUNT, tried, point_id, key=f"month-{NEW}", start=start))
    if actor.can(PERMISSIONS["put"]):
        steps.append(_step(PUT, tried, point_id, key=point_id, version=point.version, start=_start(point)))
    if actor.can(PERMISSIONS["plan"]):
        start = {"planned_on": today.isoformat()}
        steps.append(_step(PLAN, tried, point_id, key=f"plan-{NEW}", start=start))
    crm = request.app[CRM]
    visits = await crm.point_visits.of_point(actor, point_id)
    sees_costs = actor.can(Permission.DEPOSITS_VIEW)
    month = f"{today:%Y-%m}"
    finishes = actor.can(PERMISSIONS["finish"])
    done = {"done_on": today.isoformat()}
    context = {
        "tabs": tabs_of(current_user(request)),
        "visits": [
            (
                one,
                [_step(FINISH, tried, point_id, key=one.visit_id, version=one.version, start=done)]
                if one.done_on is None and finishes
                else [],
            )
            for one in visits
        ],
        "visit_kinds": labels.words(VISIT_KINDS),
        "files": await crm.point_files.of_point(actor, point_id) if sees_costs else None,
        "adds_files": actor.can(Permission.STAFF_EDIT),
        "file_problem": tried.attempt.problem if tried.key == FILES else "",
        "figures": shown_figures(begun(await crm.point_figures.of_point(actor, point_id, until=month)))
        if sees_costs
        else None,
        "may_export": sees_costs and actor.can(Permission.EXPORT),
        "point": point,
        "phone": readable(point.phone),
        "stock": await crm.point_figures.stock(actor, point_id),
        "parts": parts.items,
        "more_parts": f"{HERE}/{point_id}?parts={parts.next_cursor}#parts" if parts.next_cursor else "",
        "first_parts": f"{HERE}/{point_id}#parts" if earlier else "",
        "part_kinds": labels.words(PART_KINDS),
        "accounts": [(account, _of_account(actor, tried, account)) for account in accounts],
        "steps": steps,
        "done_text": _done(request),
    }
    return render(request, "lists/point.html", context, status=status)


def _step(
    step: Step,
    tried: RowAttempt,
    point_id: str,
    *,
    key: str,
    version: int = 0,
    start: dict[str, str] | None = None,
) -> ShownStep:
    action = f"{HERE}/{point_id}/steps/{step.name}?key={key}"
    return row_step(step, tried, key=key, action=action, version=version, start=start)


def _of_account(actor: Actor, tried: RowAttempt, account: AccountView) -> list[ShownStep]:
    found: list[ShownStep] = []
    waits = account.approved_at is None and account.actual is not None
    if waits and actor.can(PERMISSIONS["approve"]):
        action = f"{HERE}/{account.point_id}/accounts/{account.account_id}/steps/approve"
        found.append(row_step(APPROVE, tried, key=account.account_id, action=action, version=account.version))
    if actor.can(PERMISSIONS["account"]):
        start = {"month": account.month, "budget": f"{account.budget}"}
        if account.actual is not None:
            start["actual"] = f"{account.actual}"
        change = replace(ACCOUNT, title=N_("修改"))
        key = f"month-{account.month}"
        found.append(_step(change, tried, account.point_id, key=key, version=account.version, start=start))
    return found


def _start(point: PointView) -> dict[str, str]:
    def day(value: date | None) -> str:
        return value.isoformat() if value else ""

    return {
        "name": point.name,
        "agreement_no": point.agreement_no,
        "district": point.district,
        "address": point.address,
        "contact": point.contact,
        "phone": point.phone,
        "valid_from": day(point.valid_from),
        "valid_to": day(point.valid_to),
        "note": point.note,
        "active": "1" if point.active else "",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFigures:
    """A point's month: the figures, shares in percent (``None`` of nothing), bars out of the longest."""

    of: PointFigures
    on_time: int | None
    first_time: int | None
    satisfied: int | None
    most_visits: int
    most_cost: Decimal


def begun(months: Sequence[PointFigures]) -> Sequence[PointFigures]:
    """Return months, the latest first, without those before anything happened; this month is always there."""
    said = [place for place, one in enumerate(months) if one.repairs or one.visits or one.parts or one.budget]
    return months[: max(said, default=0) + 1]


def shown_figures(found: Sequence[PointFigures]) -> list[ShownFigures]:
    """Return figures as the tables show them."""
    visits = max((one.visits for one in found), default=0)
    cost = max((one.cost for one in found), default=Decimal(0))
    return [
        ShownFigures(
            of=one,
            on_time=_percent(one.on_time, one.appointed),
            first_time=_percent(one.first_time, one.closed),
            satisfied=_percent(one.satisfied, one.answered),
            most_visits=visits,
            most_cost=cost,
        )
        for one in found
    ]


def _percent(part: int, whole: int) -> int | None:
    return round(100 * part / whole) if whole else None
