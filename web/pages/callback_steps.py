"""What is decided about a callback besides calling: who is to call, that nobody does, what was tried."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from sqlalchemy import select

from callback_campaigns.assignment import may_call
from callback_campaigns.attempt_by_hand import BROUGHT_NOTHING
from callback_campaigns.dial_queries import numbers_of
from callback_campaigns.task_desk import TaskDetail
from crm.domain.machine import IllegalStep
from kernel.access import Actor
from kernel.errors import Invalid, StaleVersion
from web import labels
from web.callback_part import CALLBACKS, Callbacks
from web.deps import DEPS
from web.identity import current_actor
from web.masking import masked
from web.pages import callback_words as words
from web.pages.people_forms import Form, read_form, text, version_of
from web.pages.shell import see_other
from web.permissions import GRANTS, Permission, requires
from web.tables import UserRow

MOST_COLLEAGUES = 200
Step = Callable[[Callbacks, Actor, str, Form], Awaitable[object]]


def setup(app: web.Application) -> None:
    """Add the routes."""
    for name, handler in HANDLERS.items():
        app.router.add_post("/callback-tasks/{task_id}/" + name, handler)


async def part(request: web.Request, detail: TaskDetail) -> dict[str, Any]:
    """Return what ``callbacks/_steps.html`` shows of a callback."""
    actor = current_actor(request)
    wrong, task = request.query.get("wrong", ""), detail.listed.task
    campaign, numbers = None, list[str]()
    if task.status.is_open:
        campaigns = request.app[CALLBACKS].campaigns
        campaign = await campaigns.preview_of(task.task_id, request.app[DEPS].clock.now())
        async with request.app[DEPS].database.session() as session:
            numbers = await numbers_of(session, task.customer_id)
    return {
        "campaign": campaign,
        "number": masked(numbers[0]) if numbers else "",
        "me": actor.user_id,
        "may_cancel": actor.can(Permission.PROJECTS_CORRECT),
        "may_try": may_call(actor, detail.listed.assignee_id)
        and task.is_dialable(request.app[DEPS].clock.now()),
        "nothing": {one.value: labels.word(words.OUTCOMES, one.value) for one in BROUGHT_NOTHING},
        "colleagues": await colleagues(request) if actor.can(Permission.BOARD_VIEW) else {},
        "step_problem": labels.word(labels.PROBLEMS, wrong) if wrong in labels.PROBLEMS else "",
    }


async def colleagues(request: web.Request) -> dict[str, str]:
    """Return user id → name of everybody who calls customers back."""
    roles = [role.value for role, granted in GRANTS.items() if Permission.CALLBACKS_WORK in granted]
    query = (
        select(UserRow.user_id, UserRow.display_name)
        .where(UserRow.active, UserRow.role.in_(roles))
        .order_by(UserRow.display_name, UserRow.user_id)
        .limit(MOST_COLLEAGUES)
    )
    async with request.app[DEPS].database.session() as session:
        return {row.user_id: row.display_name for row in await session.execute(query)}


async def _step(request: web.Request, step: Step, done: str) -> web.StreamResponse:
    """Take a step; what the rules refuse is said on the callback's page."""
    form, task_id = await read_form(request), request.match_info["task_id"]
    try:
        await step(request.app[CALLBACKS], current_actor(request), task_id, form)
    except (IllegalStep, Invalid, StaleVersion) as error:
        wrong = error.code if error.code in labels.PROBLEMS else "conflict"
        return see_other(f"/callback-tasks/{task_id}?wrong={wrong}")
    return see_other(f"/callback-tasks/{task_id}?done={done}")


@requires(Permission.CALLBACKS_WORK)
async def take(request: web.Request) -> web.StreamResponse:
    """Take a callback on."""

    async def step(part: Callbacks, actor: Actor, task_id: str, form: Form) -> None:
        await part.assignments.take(actor, task_id, expected=version_of(form))

    return await _step(request, step, "taken")


@requires(Permission.CALLBACKS_WORK)
async def give_back(request: web.Request) -> web.StreamResponse:
    """Leave a callback to whoever is free."""

    async def step(part: Callbacks, actor: Actor, task_id: str, form: Form) -> None:
        await part.assignments.give_back(actor, task_id, expected=version_of(form))

    return await _step(request, step, "given_back")


@requires(Permission.BOARD_VIEW)
async def assign(request: web.Request) -> web.StreamResponse:
    """Give a callback to an agent."""

    async def step(part: Callbacks, actor: Actor, task_id: str, form: Form) -> None:
        await part.assignments.assign(actor, task_id, text(form, "user_id"), expected=version_of(form))

    return await _step(request, step, "assigned")


@requires(Permission.PROJECTS_CORRECT)
async def cancel(request: web.Request) -> web.StreamResponse:
    """Do without a callback."""

    async def step(part: Callbacks, actor: Actor, task_id: str, form: Form) -> None:
        reason = text(form, "reason")
        await part.desk.cancel(actor, task_id, reason=reason, expected=version_of(form))

    return await _step(request, step, "cancelled")


@requires(Permission.CALLBACKS_WORK)
async def tried(request: web.Request) -> web.StreamResponse:
    """Write down an attempt from another telephone that brought nothing."""

    async def step(part: Callbacks, actor: Actor, task_id: str, form: Form) -> None:
        outcome, reason = text(form, "outcome"), text(form, "reason")
        await part.attempts_by_hand.record(actor, task_id, outcome, reason=reason, expected=version_of(form))

    return await _step(request, step, "tried")


HANDLERS = {"take": take, "give-back": give_back, "assign": assign, "cancel": cancel, "tried": tried}
