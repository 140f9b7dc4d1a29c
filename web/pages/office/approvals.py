"""What waits for whose decision: each role sees its own part, with the way to where it is decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aiohttp import web

from crm.domain.escalation import EscalationState
from crm.domain.repair_cost import CostState
from crm.escalation_read import EscalationFilter
from crm.escalation_views import EscalationRowView
from crm.settlement_read import CostFilter
from crm.settlement_views import CostView
from kernel.access import Actor
from web import labels
from web.crm_part import CRM
from web.i18n import gettext
from web.identity import current_actor
from web.pages.office import cost_words
from web.pages.office.escalation_steps import NEXT, STATES
from web.pages.office.inbox import LINE_LISTS
from web.pages.shell import render
from web.permissions import Permission, requires

MOST = 100
_E, _K = EscalationState, CostState
DECIDERS = (
    Permission.CASES_DECIDE,
    Permission.ESCALATIONS_HANDLE,
    Permission.COMPENSATION_REVIEW,
    Permission.VOUCHERS_WRITE,
    Permission.RECOVERY_HANDLE,
    Permission.COSTS_SIGN_SERVICE,
    Permission.COSTS_SIGN_COMPANY,
)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/approvals", show)


def decides(actor: Actor) -> bool:
    """Tell whether anything can wait for somebody's decision."""
    return any(actor.can(permission) for permission in DECIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits."""

    href: str
    case_id: str
    no: str
    text: str
    who: str
    detail: str
    at: datetime | None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A list of things that wait for the same decision."""

    title: str
    items: Sequence[Waiting]
    note: str = ""


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what waits for this person, and nothing of what waits for others."""
    actor = current_actor(request)
    parts: list[Part] = []
    if actor.can(Permission.CASES_DECIDE):
        parts.append(await _plans(request, actor))
    if actor.can(Permission.ESCALATIONS_HANDLE):
        states = (_E.SUBMITTED, _E.REVIEW, _E.VISIT_AGREED, _E.LIABILITY, _E.PLAN)
        parts.append(await _escalations(request, actor, gettext("重大客诉等您推进"), states))
    if actor.can(Permission.COMPENSATION_REVIEW):
        parts.append(await _to_decide(request, actor))
    if actor.can(Permission.VOUCHERS_WRITE):
        parts.append(await _vouchers(request, actor))
    if actor.can(Permission.RECOVERY_HANDLE):
        parts.append(await _recoveries(request, actor))
    wanted: list[tuple[str, tuple[CostState, ...]]] = []
    if actor.can(Permission.COSTS_SIGN_SERVICE):
        wanted.append((gettext("维修费用等客服部主管签字"), (_K.COSTED,)))
    if actor.can(Permission.COSTS_SIGN_COMPANY):
        wanted.append((gettext("维修费用等公司主管签字"), (_K.CS_SIGNED,)))
    if actor.can(Permission.COSTS_SIGN_SERVICE):
        wanted.append((gettext("维修费用等备案"), (_K.COMPANY_SIGNED,)))
    if actor.can(Permission.DEPOSITS_POST):
        wanted.append((gettext("维修费用等对账、结算"), (_K.FILED, _K.RECONCILED)))
    parts += [await _costs(request, actor, title, states) for title, states in wanted]
    context = {
        "parts": [part for part in parts if part.items],
        "total": sum(len(part.items) for part in parts),
        "decides": bool(parts),
    }
    return render(request, "office/approvals.html", context)


async def _plans(request: web.Request, actor: Actor) -> Part:
    found = await request.app[LINE_LISTS].waiting_plans(actor)
    items = [
        Waiting(
            href=f"/lines/{item.line_id}",
            case_id=item.case_id,
            no=item.no,
            text=item.cause,
            who=f"{item.department_name} · {item.customer_name}",
            detail=gettext("方案待审核"),
            at=None,
        )
        for item in found
    ]
    note = gettext("自己写的方案不能自己审；方案里有赔偿的，通过以后还要走重大客诉。")
    return Part(title=gettext("部门方案等您审核"), items=items, note=note)


def _row(row: EscalationRowView, detail: str, *, money: bool = True) -> Waiting:
    return Waiting(
        href=f"/escalations/{row.escalation_id}",
        case_id=row.case_id,
        no=row.no,
        text=row.summary,
        who=row.customer_name,
        detail=detail,
        at=row.visit_due_at if row.state in {_E.REVIEW, _E.VISIT_AGREED} else None,
        amount=row.amount if money else None,
    )


async def _escalations(
    request: web.Request, actor: Actor, title: str, states: tuple[EscalationState, ...]
) -> Part:
    page = await request.app[CRM].complaints.escalations.page(
        actor, EscalationFilter(states=states, is_open=True), limit=MOST
    )
    items = [
        _row(row, f"{row.code} {labels.word(STATES, row.state.value)} · {labels.word(NEXT, row.state.value)}")
        for row in page.items
    ]
    return Part(title=title, items=items)


async def _to_decide(request: web.Request, actor: Actor) -> Part:
    escalations = request.app[CRM].complaints.escalations
    page = await escalations.page(actor, EscalationFilter(is_open=True, for_decision=True), limit=MOST)
    items = []
    for row in page.items:
        view = await escalations.get(actor, row.escalation_id)
        money = view.compensations[-1] if view.compensations else None
        if money is None or money.may_decide:
            detail = gettext("审核费用和承担") if row.state is _E.COST_REVIEW else gettext("审批签字")
        else:
            detail = gettext("您填过这个金额，按四眼原则要由另一位领导审批")
        items.append(_row(row, detail))
    return Part(
        title=gettext("赔偿等您审批"), items=items, note=gettext("填过或改过金额的人不能审批，系统会拒绝。")
    )


async def _vouchers(request: web.Request, actor: Actor) -> Part:
    states = (_E.VOUCHER, _E.APPROVED, _E.PAID)
    page = await request.app[CRM].complaints.escalations.page(
        actor, EscalationFilter(states=states, is_open=True), limit=MOST
    )
    todo = {
        _E.VOUCHER: gettext("写支出凭证"),
        _E.APPROVED: gettext("支付给客户"),
        _E.PAID: gettext("看有没有个人承担要转人力"),
    }
    items = [
        _row(row, todo[row.state])
        for row in page.items
        if row.state is not _E.VOUCHER or row.compensation_state == "reviewed"
    ]
    return Part(title=gettext("赔偿等财务办理"), items=items)


async def _recoveries(request: web.Request, actor: Actor) -> Part:
    page = await request.app[CRM].complaints.compensations.recoveries(actor, is_open=True, limit=MOST)
    items = [
        Waiting(
            href=f"/escalations/{row.escalation_id}",
            case_id=row.case_id,
            no=row.no,
            text=row.name,
            who=gettext("批准人 %(name)s") % {"name": row.approved_by or "–"},
            detail=gettext("工资月份 %(month)s") % {"month": row.payroll_month or "–"},
            at=row.sent_at,
            amount=row.amount,
        )
        for row in page.items
    ]
    note = gettext("系统只记录决定，不计算工资；扣款要符合劳动法规。")
    return Part(title=gettext("个人承担等人力落实"), items=items, note=note)


async def _costs(request: web.Request, actor: Actor, title: str, states: tuple[CostState, ...]) -> Part:
    page = await request.app[CRM].repairs.costs.page(actor, CostFilter(states=states), limit=MOST)
    return Part(title=title, items=[_cost(view) for view in page.items])


def _cost(view: CostView) -> Waiting:
    return Waiting(
        href=f"/costs/{view.cost_id}",
        case_id=view.case_id,
        no=view.no,
        text=labels.word(cost_words.KINDS, view.kind.value),
        who=view.crew or "–",
        detail=labels.word(cost_words.STATES, view.state.value),
        at=view.costed_at,
        amount=view.total,
    )
