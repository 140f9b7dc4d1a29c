"""Who is on duty this week, the duty log, and the patrols of each day (domain.md §1.13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from multidict import MultiMapping
from sqlalchemy import select

from crm.domain.duty import SHIFT_HOURS, PatrolSlot, Shift
from crm.duty import MAX_TEXT
from kernel.access import Role
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.duty_words import FOUND, SHIFTS, SLOTS
from web.pages.lists.forms import RowAttempt, row_step, take_row
from web.pages.office.parts import CHANGED, Step
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.tables import UserRow

HERE = "/lists/duty"
WEEK = 7
ENTRIES = 30
ON_DUTY = (Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.CAPTAIN)


async def _log(taken: dict[str, Any]) -> object:
    return await taken["duty"].log(taken["actor"], taken["values"]["text"])


async def _patrol(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["duty"].patrol(
        taken["actor"], PatrolSlot(values["slot"]), sound=values["sound"] == "yes", found=values["found"]
    )


LOG = Step(
    name="log",
    title=N_("写值班日志"),
    button=N_("记入"),
    done=N_("已记入值班日志。"),
    run=_log,
    fields=(Field(name="text", label=N_("发生了什么，怎么处理的"), kind="area", limit=MAX_TEXT),),
)
PATROL = Step(
    name="patrol",
    title=N_("登记巡查"),
    button=N_("登记巡查"),
    done=N_("巡查已登记。"),
    run=_patrol,
    fields=(
        Field(name="slot", label=N_("哪一次"), kind="choice", options=SLOTS),
        Field(name="sound", label=N_("结果"), kind="choice", options=FOUND, start="yes"),
        Field(
            name="found", label=N_("发现了什么（有问题时必填）"), kind="area", limit=MAX_TEXT, required=False
        ),
    ),
)
STEPS = {step.name: step for step in (LOG, PATROL)}


@dataclass(frozen=True, slots=True)
class Typed:
    """A shift as it was filled in and refused: who was ticked stays ticked."""

    day: date
    shift: str
    people: frozenset[str]


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/plan", plan)
    app.router.add_get(HERE + "/plan", back)
    app.router.add_post(HERE + "/steps/{step}", take)
    app.router.add_get(HERE + "/steps/{step}", back)


@requires(Permission.CASES_VIEW_ALL)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a week."""
    return await _page(request, RowAttempt())


@requires(Permission.CASES_VIEW_ALL)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the week: a refused form has the address of its step, which somebody may reload."""
    return see_other(HERE)


@requires(Permission.CASES_REGISTER)
async def take(request: web.Request) -> web.StreamResponse:
    """Add to the log, or write a patrol down."""
    step = STEPS.get(request.match_info["step"])
    if step is None:
        raise NotFound("no such step", field="step")
    given = {"duty": request.app[CRM].duty, "actor": current_actor(request)}
    return await take_row(request, step, step.name, given, _page, here=HERE)


@requires(Permission.DUTY_PLAN)
async def plan(request: web.Request) -> web.StreamResponse:
    """Say who is on duty in a shift."""
    form = await request.post()
    day, shift = _day(str(form.get("day", ""))), str(form.get("shift", ""))
    version = str(form.get("version", ""))
    if day is None or shift not in SHIFTS:
        raise Invalid("no such shift", field="shift")
    people = [value for value in form.getall("people", []) if isinstance(value, str)]
    typed = Typed(day, shift, frozenset(people))
    try:
        await request.app[CRM].duty.plan(
            current_actor(request),
            day,
            Shift(shift),
            people,
            expected=int(version) if version.isdecimal() and len(version) < 9 else 0,
        )
    except StaleVersion:
        return await _page(request, RowAttempt(), typed=typed, problem=gettext(CHANGED), status=412)
    except (Invalid, Conflict):
        text = gettext("请检查：只能排今天到三个月以内，人要在职。")
        return await _page(request, RowAttempt(), typed=typed, problem=text, status=400)
    return see_other(f"{HERE}?since={_monday(day)}&done=plan")


def _day(raw: str) -> date | None:
    try:
        found = date.fromisoformat(raw[:10])
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2200 else None


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


async def _page(
    request: web.Request,
    tried: RowAttempt,
    *,
    typed: Typed | None = None,
    problem: str = "",
    status: int = 200,
) -> web.StreamResponse:
    actor, duty, query = current_actor(request), request.app[CRM].duty, request.query
    today = duty.today()
    since = _monday(typed.day if typed is not None else _day(query.get("since", "")) or today)
    cell = f"{typed.day}/{typed.shift}" if typed is not None else query.get("cell", "")
    shifts = await duty.roster(actor, since, WEEK)
    patrols = {one.day: one for one in await duty.patrols(actor, since, WEEK)}
    page = await duty.entries(actor, cursor=_cursor(query), limit=ENTRIES)
    steps = []
    if actor.can(Permission.CASES_REGISTER):
        steps = [
            row_step(step, tried, key=step.name, action=f"{HERE}/steps/{step.name}") for step in (PATROL, LOG)
        ]
    done = {"plan": gettext("班次已保存。")} | {name: gettext(step.done) for name, step in STEPS.items()}
    context = {
        "tabs": tabs_of(current_user(request)),
        "today": today,
        "since": since,
        "before": since - timedelta(days=WEEK),
        "after": since + timedelta(days=WEEK),
        "days": [
            (day, [one for one in shifts if one.day == day], patrols[day])
            for day in (since + timedelta(days=number) for number in range(WEEK))
        ],
        "shift_words": labels.words(SHIFTS),
        "hours": {shift.value: f"{a:%H:%M}–{b:%H:%M}" for shift, (a, b) in SHIFT_HOURS.items()},
        "slots": labels.words(SLOTS),
        "may_plan": actor.can(Permission.DUTY_PLAN),
        "chosen": next((one for one in shifts if f"{one.day}/{one.shift.value}" == cell), None),
        "typed": typed,
        "staff": await _staff(request) if actor.can(Permission.DUTY_PLAN) else {},
        "entries": page.items,
        "more": f"{HERE}?cursor={page.next_cursor}#log" if page.next_cursor else "",
        "steps": steps,
        "problem": problem,
        "done_text": done.get(query.get("done", ""), ""),
    }
    return render(request, "lists/duty.html", context, status=status)


def _cursor(query: MultiMapping[str]) -> str | None:
    return query.get("cursor") or None


async def _staff(request: web.Request) -> Mapping[str, str]:
    query = select(UserRow.user_id, UserRow.display_name).where(
        UserRow.active, UserRow.role.in_([role.value for role in ON_DUTY])
    )
    async with request.app[DEPS].database.session() as session:
        rows = (await session.execute(query.order_by(UserRow.display_name))).all()
    return {str(key): str(name) for key, name in rows}
