"""Major complaints: the list, handing one up, and its file with the forms of E0 to E10 (domain.md §1.3b)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.escalation import EscalationState
from crm.escalation_read import EscalationFilter
from crm.escalation_views import CompensationView, EscalationView
from crm.escalations import NewEscalation
from kernel.access import Actor
from kernel.errors import HuifangError, Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages.case_forms import Field
from web.pages.case_parts import due_of
from web.pages.office.escalation_steps import (
    BEARERS,
    KINDS,
    MONEY_STATES,
    MONEY_TONES,
    NEXT,
    OF_MOVES,
    PARTIES,
    SHORT,
    STATES,
    STEPS,
    Taken,
)
from web.pages.office.parts import (
    Attempt,
    ShownStep,
    Step,
    back,
    masked_phones,
    read_form,
    reader_of,
    show_step,
    take_refusal,
)
from web.pages.shell import render, see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, requires

PAGE = 50
BY_NAME = {step.name: step for step in STEPS}
TABS = {"open": N_("在办"), "decide": N_("等审批"), "closed": N_("已结案")}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/escalations", show_list)
    app.router.add_get("/escalations/new", show_new)  # before single ones: «new» is no id
    app.router.add_post("/escalations/new", submit)
    app.router.add_get("/escalations/{escalation_id}", show)
    app.router.add_post("/escalations/{escalation_id}/steps/{step}", take_step)
    app.router.add_get("/escalations/{escalation_id}/steps/{step}", back)


@requires(Permission.CASES_VIEW)
async def show_list(request: web.Request) -> web.StreamResponse:
    """Show a page of major complaints, the newest first."""
    app, actor = request.app, current_actor(request)
    tab = request.query.get("tab", "")
    tab = tab if tab in TABS else "open"
    wanted = EscalationFilter(is_open=tab != "closed", for_decision=tab == "decide")
    escalations = app[CRM].complaints.escalations
    problem, cursor = "", request.query.get("cursor")
    try:
        page = await escalations.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page = await escalations.page(actor, wanted, limit=PAGE)
    context = {
        "tab": tab,
        "tabs": labels.words(TABS),
        "rows": page.items,
        "states": labels.words(STATES),
        "money_states": labels.words(MONEY_STATES),
        "next": labels.words(NEXT),
        "sees_money": actor.can(Permission.CASES_VIEW_ALL),
        "problem": problem,
        "more": "/escalations?" + urlencode({"tab": tab, "cursor": page.next_cursor})
        if page.next_cursor
        else "",
        "first": f"/escalations?tab={tab}" if cursor else "",
    }
    return render(request, "office/escalations.html", context, status=400 if problem else 200)


# Handing one up

SUBMIT = Step(
    name="submit",
    title=N_("提交升级客诉"),
    button=N_("提交给经理"),
    done=N_("已提交升级，等客服经理接手。"),
    run=lambda _: _nothing(),
    fields=(
        Field(name="cause", label=N_("升级的原因"), kind="area", limit=2000),
        Field(name="process_so_far", label=N_("到现在为止做了什么"), kind="area", limit=2000),
        Field(name="demand", label=N_("客户的要求"), kind="area", limit=2000),
    ),
)


async def _nothing() -> None:
    """Handing up needs the complaint, not a major one: :func:`submit` does it."""


@requires(Permission.ESCALATIONS_SUBMIT)
async def show_new(request: web.Request) -> web.StreamResponse:
    """Show the form, with what the complaint already says."""
    return await _new_page(request, request.query.get("case", "")[:40], Attempt())


async def _new_page(
    request: web.Request, case_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    view = await request.app[CRM].complaints.complaints.get(current_actor(request), case_id)
    if view.escalation is not None and view.escalation.state != EscalationState.CLOSED.value:
        return see_other(f"/escalations/{view.escalation.escalation_id}")
    done = [
        f"{line.department_name}: {text}"
        for line in view.lines
        for text in (line.facts, line.done_note)
        if text
    ]
    start = {
        "cause": "\n".join(line.cause for line in view.lines),
        "process_so_far": "\n".join(done),
        "demand": view.demand,
    }
    shown = show_step(
        SUBMIT, attempt, action=f"/escalations/new?case={case_id}", version=view.version, start=start
    )
    context = {"view": view, "case": view.header, "shown": shown}
    return render(request, "office/escalate.html", context, status=status)


@requires(Permission.ESCALATIONS_SUBMIT)
async def submit(request: web.Request) -> web.StreamResponse:
    """E0: hand a complaint up."""
    app, actor = request.app, current_actor(request)
    case_id = request.query.get("case", "")[:40]
    form = await read_form(request)
    reader = reader_of(request, form)
    values = reader.read(SUBMIT.fields)
    attempt = Attempt(step=SUBMIT.name, form=form)
    if reader.problems:
        attempt.problems, attempt.problem = reader.problems, gettext("请检查标红的地方。")
        return await _new_page(request, case_id, attempt, status=400)
    new = NewEscalation(
        cause=str(values["cause"]),
        process_so_far=str(values["process_so_far"]),
        demand=str(values["demand"]),
    )
    try:
        made = await app[CRM].complaints.escalations.submit(actor, case_id, reader.number("version"), new)
    except HuifangError as error:
        status = take_refusal(error, attempt, frozenset(item.name for item in SUBMIT.fields))
        return await _new_page(request, case_id, attempt, status=status)
    return see_other(f"/escalations/{made.escalation_id}?done=submit")


# The file


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A state on the way of the file."""

    code: str
    label: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """A request for compensation in words."""

    view: CompensationView
    state: str
    tone: str
    kind: str
    bearers: Sequence[tuple[str, str]]


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the file of a major complaint."""
    return await page(request, request.match_info["escalation_id"][:40], Attempt())


async def page(
    request: web.Request, escalation_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    """Return the file, after a refused step with what was written."""
    app, actor = request.app, current_actor(request)
    view = await app[CRM].complaints.escalations.get(actor, escalation_id)
    now = app[DEPS].clock.now()
    names = dict.fromkeys(OF_MOVES.get(move, move) for move in view.steps)
    steps = [_shown(view, step, attempt) for step in STEPS if step.name in names]
    done = request.query.get("done", "")
    told = BY_NAME.get(done) or (SUBMIT if done == "submit" else None)
    context = {
        "view": view,
        "case": view.header,
        "state": labels.word(STATES, view.state.value),
        "severity": labels.word(words.SEVERITIES, view.header.severity),
        "severity_tone": words.SEVERITY_TONES.get(str(view.header.severity), ""),
        "way": _way(view),
        "next_text": labels.word(NEXT, view.state.value),
        "why": why(actor, view),
        "steps": steps,
        "attempt": attempt,
        "kept": attempt.kept(STEPS, steps),
        "done_text": gettext(told.done) if told else "",
        "shares": [(labels.word(PARTIES, code), amount) for code, amount in (view.shares or {}).items()],
        "money": [_money(item) for item in reversed(view.compensations)],
        "dues": [due for due in (due_of(timer, now) for timer in view.limits) if due is not None],
        "phones": await masked_phones(app, actor, view.header),
    }
    return render(request, "office/escalation.html", context, status=status)


def _shown(view: EscalationView, step: Step, attempt: Attempt) -> ShownStep:
    money = view.compensations[-1] if view.compensations else None
    start: dict[str, str] = {}
    if step.name == "recovered" and money is not None:
        open_ = {
            item.recovery_id: f"{item.name} ¥{item.amount}" for item in money.recovery if not item.done_at
        }
        fields = tuple(
            replace(item, options=open_) if item.name == "recovery_id" else item for item in step.fields
        )
        step = replace(step, fields=fields)
    if step.name == "settle_liability":
        start = {f"shares-{code}": str(amount) for code, amount in (view.shares or {}).items()}
        start |= {"with_head": view.liability_with or "", "note": view.liability_note or ""}
        for place, person in enumerate(view.persons):
            start[f"persons-{place}-name"] = person.name
            start[f"persons-{place}-percent"] = str(person.percent or "")
            start[f"persons-{place}-amount"] = str(person.amount or "")
    if step.name == "plan":
        start = {"plan": view.plan or "", "costs": ("yes" if view.costs else "no") if view.plan else ""}
    if step.name == "change" and money is not None:
        start = {"amount": str(money.amount), "kind": money.kind, "reason": money.reason}
        start |= {f"bearers-{code}": str(amount) for code, amount in money.bearers.items()}
        for place, item in enumerate(money.recovery):
            start[f"recovery-{place}-name"] = item.name
            start[f"recovery-{place}-amount"] = str(item.amount)
    return show_step(
        step,
        attempt,
        action=f"/escalations/{view.escalation_id}/steps/{step.name}",
        version=view.version,
        start=start,
    )


def _way(view: EscalationView) -> list[Point]:
    order = list(EscalationState)
    here = order.index(view.state)
    return [
        Point(
            code=state.code,
            label=labels.word(SHORT, state.value),
            state="done"
            if place < here or view.state is EscalationState.CLOSED
            else "now"
            if place == here
            else "",
        )
        for place, state in enumerate(order)
    ]


def _money(view: CompensationView) -> Money:
    return Money(
        view=view,
        state=labels.word(MONEY_STATES, view.state),
        tone=MONEY_TONES.get(view.state, "blue"),
        kind=labels.word(KINDS, view.kind),
        bearers=[(labels.word(BEARERS, code), str(amount)) for code, amount in view.bearers.items()],
    )


def why(actor: Actor, view: EscalationView) -> list[tuple[bool, str]]:
    """Return why the next step can be taken by this actor or not: (possible, in words)."""
    found: list[tuple[bool, str]] = []
    state, money = view.state, view.compensations[-1] if view.compensations else None
    if state is EscalationState.VISIT_AGREED and view.visited_at is None:
        found.append((False, gettext("现场还没有看过，先记录现场，再界定责任。")))
    if state is EscalationState.PLAN and view.costs:
        found.append((False, gettext("方案要花钱：赔偿没有支付之前不能结案。")))
    deciding = state is EscalationState.COST_REVIEW or (
        state is EscalationState.VOUCHER and money is not None and money.state == "vouchered"
    )
    if deciding and money is not None:
        found += _why_decide(actor, money)
    if state is EscalationState.VOUCHER and money is not None and money.state == "reviewed":
        found.append((False, gettext("财务还没有写支出凭证，领导还不能签字。")))
    if state is EscalationState.RECOVERY and money is not None:
        open_ = [item.name for item in money.recovery if not item.done_at]
        if open_:
            found.append(
                (False, gettext("人力资源部还没有落实：%(names)s。") % {"names": gettext("、").join(open_)})
            )
    closing = {EscalationState.PLAN, EscalationState.PAID, EscalationState.RECOVERY}
    if state in closing:
        found.append(
            (True, gettext("已经回访过客户。"))
            if view.called_back
            else (False, gettext("还没有回访到客户，或者还有责任线没有结，不能结案。"))
        )
    return found


def _why_decide(actor: Actor, money: CompensationView) -> list[tuple[bool, str]]:
    found: list[tuple[bool, str]] = []
    asked = {"name": money.requested_by}
    if money.may_decide:
        found.append((True, gettext("金额是 %(name)s 填的，您可以审批。") % asked))
    elif actor.user_id == money.requested_by_id:
        found.append((False, gettext("金额是您自己填的，按四眼原则要由另一位领导审批。")))
    elif actor.can(Permission.COMPENSATION_REVIEW):
        found.append((False, gettext("您填过或改过这个金额，按四眼原则要由另一位领导审批。")))
    else:
        found.append((False, gettext("要由总经理审批。金额是 %(name)s 填的。") % asked))
    if money.over_threshold:
        found.append((money.may_decide, gettext("超过限额，只能由总经理本人决定。")))
    return found


@requires(Permission.CASES_VIEW)
async def take_step(request: web.Request) -> web.StreamResponse:
    """Take a step; refused, the file comes back with what was written."""
    app, actor = request.app, current_actor(request)
    escalation_id = request.match_info["escalation_id"][:40]
    step = BY_NAME.get(request.match_info["step"])
    if step is None:
        raise NotFound("no such step", field="step")
    view = await app[CRM].complaints.escalations.get(actor, escalation_id)
    form: Mapping[str, object] = await read_form(request)
    reader = reader_of(request, form)
    attempt = Attempt(step=step.name, form=form)

    async def run(values: Mapping[str, Any]) -> object:
        return await step.run(
            Taken(
                services=app[CRM].complaints,
                actor=actor,
                view=view,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, _shown_fields(view, step), attempt, run, take_refusal):
        return await page(request, escalation_id, attempt, status=status)
    return see_other(f"/escalations/{escalation_id}?done={step.name}")


def _shown_fields(view: EscalationView, step: Step) -> tuple[Field, ...]:
    shown = _shown(view, step, Attempt())
    return tuple(item.field for block in shown.blocks for item in block.fields)
