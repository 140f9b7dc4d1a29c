"""A repair's cost sheet: written by whoever repairs, signed, filed and settled (domain.md §1.5 K0–K6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from crm.domain.repair_cost import CENT, CostBearer, CostState, Figures, Material, MaterialKind
from crm.repair_services import RepairServices
from crm.settlement_views import CostView
from kernel.access import Actor
from kernel.errors import HuifangError, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.case_forms import Field, Reader
from web.pages.case_parts import due_of
from web.pages.office import cost_words as words
from web.pages.office.parts import Attempt, Step, back, read_form, reader_of, show_step, take_refusal
from web.pages.shell import render, see_other
from web.pages.step_taken import try_step
from web.permissions import Permission, requires

MOST_LINES = 100


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/costs/{cost_id}", show)
    app.router.add_post("/costs/{cost_id}/steps/{step}", take_step)
    app.router.add_get("/costs/{cost_id}/steps/{step}", back)
    app.router.add_get("/captain/{case_id}/costs", show_sheet)
    app.router.add_post("/captain/{case_id}/costs", write)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step that somebody takes."""

    services: RepairServices
    actor: Actor
    cost_id: str
    expected: int
    values: Mapping[str, Any]


async def _sign_service(taken: Taken) -> object:
    return await taken.services.settlements.sign_service(taken.actor, taken.cost_id, expected=taken.expected)


async def _sign_company(taken: Taken) -> object:
    return await taken.services.settlements.sign_company(taken.actor, taken.cost_id, expected=taken.expected)


async def _send_back(taken: Taken) -> object:
    return await taken.services.settlements.send_back(
        taken.actor, taken.cost_id, expected=taken.expected, reason=taken.values["reason"]
    )


async def _file(taken: Taken) -> object:
    return await taken.services.settlements.file(taken.actor, taken.cost_id, expected=taken.expected)


async def _reconcile(taken: Taken) -> object:
    return await taken.services.settlements.reconcile(
        taken.actor, taken.cost_id, expected=taken.expected, month=taken.values["month"]
    )


async def _settle(taken: Taken) -> object:
    return await taken.services.settlements.settle(taken.actor, taken.cost_id, expected=taken.expected)


async def _close(taken: Taken) -> object:
    return await taken.services.settlements.close(taken.actor, taken.cost_id, expected=taken.expected)


STEPS = (
    Step(
        name="sign_service",
        title=N_("客服部主管签字"),
        button=N_("签字"),
        done=N_("已签字，转公司主管。"),
        run=_sign_service,
    ),
    Step(
        name="sign_company",
        title=N_("公司主管签字"),
        button=N_("签字"),
        done=N_("已签字，转客服中心备案。"),
        run=_sign_company,
    ),
    Step(
        name="file",
        title=N_("备案"),
        button=N_("备案"),
        done=N_("已备案，等月底对账。"),
        run=_file,
    ),
    Step(
        name="reconcile",
        title=N_("月底对账"),
        button=N_("对账无误"),
        done=N_("已对账。"),
        run=_reconcile,
        fields=(Field(name="month", label=N_("账期，例如 2026-11"), limit=7),),
    ),
    Step(
        name="settle",
        title=N_("结算"),
        button=N_("结算，扣施工队质保金"),
        done=N_("已结算。"),
        hint=N_("施工队承担的部分从它的质保金里扣；余额不够的，差额记为应收。"),
        run=_settle,
    ),
    Step(
        name="close",
        title=N_("完结"),
        button=N_("完结"),
        done=N_("已完结。"),
        run=_close,
    ),
    Step(
        name="send_back",
        title=N_("退回重算"),
        button=N_("退回重算"),
        done=N_("已退回，等重新核算。"),
        run=_send_back,
        fields=(Field(name="reason", label=N_("哪里不对"), kind="area"),),
    ),
)
BY_NAME = {step.name: step for step in STEPS}


def may_take(actor: Actor, view: CostView, step: str) -> bool:
    """Tell whether the state has the step and the role may take it."""
    if step not in view.steps:
        return False
    if step == "send_back":
        step = words.NEXT_SIGNER[view.state.value]
    return any(actor.can(needed) for needed in words.NEEDS[step])


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a settlement to those who sign it."""
    return await _page(request, request.match_info["cost_id"][:40], Attempt())


async def _page(
    request: web.Request, cost_id: str, attempt: Attempt, *, status: int = 200
) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    repairs, zone = app[CRM].repairs, app[DEPS].settings.timezone
    view = await repairs.costs.get(actor, cost_id)
    repair = await repairs.reader.get(actor, view.case_id)
    now = app[DEPS].clock.now()
    start = {"month": now.astimezone(zone).strftime("%Y-%m")}
    steps = [
        show_step(
            step,
            attempt,
            action=f"/costs/{cost_id}/steps/{step.name}",
            version=view.version,
            start=start,
        )
        for step in STEPS
        if may_take(actor, view, step.name)
    ]
    done = BY_NAME.get(request.query.get("done", ""))
    context = {
        "view": view,
        "repair": repair,
        "state": labels.word(words.STATES, view.state.value),
        "tone": words.TONES.get(view.state.value, "blue"),
        "code": words.CODES[view.state.value],
        "kind": labels.word(words.KINDS, view.kind.value),
        "bearers": [
            (labels.word(words.BEARERS, bearer.value), amount)
            for bearer, amount in view.bearers.items()
            if amount
        ],
        "materials": labels.words(words.MATERIALS),
        "steps": steps,
        "attempt": attempt,
        "kept": attempt.kept(STEPS, steps),
        "done_text": gettext("已保存，等客服部主管签字。")
        if request.query.get("done") == "write"
        else gettext(done.done)
        if done
        else "",
        "may_write": may_take(actor, view, "write") and actor.can(Permission.REPAIRS_WORK),
        "sees_deposit": actor.can(Permission.DEPOSITS_VIEW),
    }
    return render(request, "office/cost.html", context, status=status)


@requires(Permission.CASES_VIEW)
async def take_step(request: web.Request) -> web.StreamResponse:
    """Take a step of a settlement."""
    app, actor, cost_id = request.app, current_actor(request), request.match_info["cost_id"][:40]
    step = BY_NAME.get(request.match_info["step"])
    if step is None:
        raise NotFound("no such step", field="step")
    form = await read_form(request)
    reader = reader_of(request, form)
    attempt = Attempt(step=step.name, form=form)

    async def run(values: Mapping[str, Any]) -> object:
        return await step.run(
            Taken(
                services=app[CRM].repairs,
                actor=actor,
                cost_id=cost_id,
                expected=reader.number("version"),
                values=values,
            )
        )

    if status := await try_step(reader, step.fields, attempt, run, take_refusal):
        return await _page(request, cost_id, attempt, status=status)
    return see_other(f"/costs/{cost_id}?done={step.name}")


# Writing the sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialFields:
    """A line of material as it stands in the form."""

    item: str = ""
    kind: str = "auxiliary"
    unit: str = ""
    quantity: str = ""
    price: str = ""
    why: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not (self.item or self.quantity or self.price)


@dataclass(slots=True, kw_only=True)
class Draft:
    """The sheet as it stands in the form, with what is wrong with it."""

    labour: str = ""
    travel: str = ""
    receipt_no: str = ""
    reason: str = ""
    version: int = 0
    material: Sequence[MaterialFields] = ()
    bearers: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@requires(Permission.REPAIRS_WORK)
async def show_sheet(request: web.Request) -> web.StreamResponse:
    """Show the form, with the sheet that there is."""
    case_id = request.match_info["case_id"][:40]
    found = await _existing(request, case_id)
    if found is None:
        return await _sheet_page(request, case_id, Draft())
    material = [
        MaterialFields(
            item=line.item,
            kind=line.kind.value,
            unit=line.unit,
            quantity=f"{line.quantity.normalize():f}",
            price=str(line.price),
            why=line.why,
        )
        for line in found.material
    ]
    draft = Draft(
        labour=str(found.labour),
        travel=str(found.travel),
        receipt_no=found.receipt_no or "",
        version=found.version,
        material=material,
        bearers={bearer.value: str(amount) for bearer, amount in found.bearers.items() if amount},
    )
    return await _sheet_page(request, case_id, draft)


async def _existing(request: web.Request, case_id: str) -> CostView | None:
    try:
        found: CostView = await request.app[CRM].repairs.costs.of_repair(current_actor(request), case_id)
    except NotFound:
        return None
    return found


async def _sheet_page(
    request: web.Request, case_id: str, draft: Draft, *, status: int = 200
) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    repair = await app[CRM].repairs.reader.get(actor, case_id)
    found = await _existing(request, case_id)
    now = app[DEPS].clock.now()
    context = {
        "repair": repair,
        "found": found,
        "draft": draft,
        "material": [*draft.material, MaterialFields()],
        "materials": labels.words(words.MATERIALS),
        "catalogue": (await app[CRM].materials.page(actor, active_only=True, limit=200)).items,
        "bearers": labels.words(words.BEARERS),
        "needs_reason": found is not None and found.state is not CostState.COSTED,
        "dues": [
            due
            for due in (due_of(timer, now) for timer in repair.timers if timer.code == "BX.K0")
            if due is not None
        ],
    }
    return render(request, "office/cost_form.html", context, status=status)


@requires(Permission.REPAIRS_WORK)
async def write(request: web.Request) -> web.StreamResponse:
    """K0: write the sheet, or change it."""
    app, actor, case_id = request.app, current_actor(request), request.match_info["case_id"][:40]
    await app[CRM].repairs.reader.get(actor, case_id)
    reader = reader_of(request, await read_form(request))
    draft = _draft(reader)
    figures = _figures(reader, draft)
    if reader.problems or figures is None:
        draft.problems, draft.problem = reader.problems, gettext("请检查标红的地方。")
        return await _sheet_page(request, case_id, draft, status=400)
    try:
        view = await app[CRM].repairs.settlements.write(
            actor, case_id, expected=draft.version, figures=figures, reason=draft.reason
        )
    except HuifangError as error:
        attempt = Attempt()
        names = ["labour", "travel", "receipt_no", "reason", "total", "bearers"]
        names += [
            f"material-{place}-{name}"
            for place in range(len(draft.material))
            for name in ("item", "quantity", "price")
        ]
        status = take_refusal(error, attempt, frozenset(names))
        draft.problems, draft.problem = attempt.problems, attempt.problem
        return await _sheet_page(request, case_id, draft, status=status)
    return see_other(f"/costs/{view.cost_id}?done=write")


def _draft(reader: Reader) -> Draft:
    lines: list[MaterialFields] = []
    for place in range(MOST_LINES):
        if f"material-{place}-item" not in reader.form:
            break
        raw = {
            name: reader.raw(f"material-{place}-{name}")[:80]
            for name in ("item", "unit", "quantity", "price", "why")
        }
        kind = reader.raw(f"material-{place}-kind")
        lines.append(MaterialFields(kind=kind if kind in words.MATERIALS else "auxiliary", **raw))
    return Draft(
        labour=reader.raw("labour")[:20],
        travel=reader.raw("travel")[:20],
        receipt_no=reader.raw("receipt_no")[:60],
        reason=reader.raw("reason")[:400],
        version=reader.number("version"),
        material=[line for line in lines if not line.is_empty],
        bearers={code: reader.raw(f"bearers-{code}")[:20] for code in words.BEARERS},
    )


def _figures(reader: Reader, draft: Draft) -> Figures | None:
    labour = reader.money("labour", required=True)
    travel = reader.money("travel") or Decimal(0)
    bearers = {bearer: reader.money(f"bearers-{bearer.value}") or Decimal(0) for bearer in CostBearer}
    material: list[Material] = []
    for place, line in enumerate(draft.material):
        price, quantity = _number(line.price), _number(line.quantity)
        if price is None:
            reader.problems[f"material-{place}-price"] = gettext("单价写成 12 或 12.50。")
        if quantity is None:
            reader.problems[f"material-{place}-quantity"] = gettext("数量写成 2 或 2.5。")
        if not line.item.strip():
            reader.problems[f"material-{place}-item"] = gettext("请填写。")
        if price is not None and quantity is not None:
            material.append(
                Material(
                    item=line.item,
                    kind=MaterialKind(line.kind),
                    quantity=quantity,
                    price=price,
                    unit=line.unit,
                    why=line.why,
                )
            )
    if reader.problems or labour is None:
        return None
    total = labour + travel + sum((line.amount for line in material), Decimal(0))
    return Figures(
        labour=labour,
        travel=travel,
        material=material,
        total=total.quantize(CENT),
        bearers=bearers,
        receipt_no=draft.receipt_no.strip() or None,
    )


def _number(raw: str) -> Decimal | None:
    try:
        found = Decimal(raw.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found < Decimal(10) ** 7 else None
