"""``/api/v1/complaint-lines``: the departments' side."""

from crm.complaint_input import Acceptance, NewPlan, NewVisit
from crm.complaint_work import ComplaintWork
from crm.domain.handoff import Signed
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.complaints import LINE, TAG
from web.api.v1.complaints_answers import CauseLine
from web.api.v1.complaints_schemas import (
    AcceptIn,
    AgreeVisitIn,
    AssignIn,
    DoneIn,
    PlanDecisionIn,
    PlanIn,
    ReasonIn,
    VerifyIn,
    VisitIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

line_change = Changes(response=CauseLine, tag=TAG, path_parameters=LINE)


def _work(call: Call[NoQuery]) -> tuple[ComplaintWork, str]:
    return call.request.app[CRM].complaints.work, call.request.match_info["line_id"]


@operation(
    query=NoQuery,
    response=CauseLine,
    permission=Permission.CASES_VIEW,
    summary="Read a cause line",
    tag=TAG,
    path_parameters=LINE,
)
async def get_line(call: Call[NoQuery]) -> CauseLine:
    """Return a line."""
    work, line_id = _work(call)
    return CauseLine.model_validate(await work.get(call.actor, line_id))


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Sign for a hand-off and accept",
    description="The head or deputy of the line's department; the manager for a confidential one.",
    body=AcceptIn,
)
async def accept_line(call: Call[NoQuery]) -> CauseLine:
    """Accept a line."""
    work, line_id = _work(call)
    given = call.body(AcceptIn)
    signature = Signed(
        kind=given.signature.kind,
        strokes=given.signature.strokes,
        pin=given.signature.pin,
        scan_sha256=given.signature.scan_sha256,
    )
    how = Acceptance(
        signature=signature,
        mode=given.mode,
        person=given.person,
        person_id=given.person_id,
        planned_visit_at=given.planned_visit_at,
        planned_plan_at=given.planned_plan_at,
        planned_solve_at=given.planned_solve_at,
    )
    return CauseLine.model_validate(await work.accept(call.actor, line_id, call.expected, how))


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Reject a hand-off, unsigned",
    description="The head or deputy of the line's department; the manager for a confidential one.",
    body=ReasonIn,
)
async def reject_line(call: Call[NoQuery]) -> CauseLine:
    """Reject a line."""
    work, line_id = _work(call)
    reason = call.body(ReasonIn).reason
    return CauseLine.model_validate(await work.reject(call.actor, line_id, call.expected, reason))


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Put somebody of the department in charge",
    body=AssignIn,
)
async def assign_line(call: Call[NoQuery]) -> CauseLine:
    """Assign a line."""
    work, line_id = _work(call)
    given = call.body(AssignIn)
    view = await work.assign(call.actor, line_id, call.expected, given.person, person_id=given.person_id)
    return CauseLine.model_validate(view)


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Note that the customer was called",
    body=VerifyIn,
)
async def verify_line(call: Call[NoQuery]) -> CauseLine:
    """Note the call."""
    work, line_id = _work(call)
    given = call.body(VerifyIn)
    view = await work.verify(call.actor, line_id, call.expected, facts=given.facts, called_at=given.called_at)
    return CauseLine.model_validate(view)


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Note an agreed visit, or move it",
    body=AgreeVisitIn,
)
async def agree_line_visit(call: Call[NoQuery]) -> CauseLine:
    """Agree on a visit."""
    work, line_id = _work(call)
    given = call.body(AgreeVisitIn)
    view = await work.agree_visit(
        call.actor,
        line_id,
        call.expected,
        visit_from=given.visit_from,
        visit_until=given.visit_until,
        planned_plan_at=given.planned_plan_at,
    )
    return CauseLine.model_validate(view)


@line_change(
    permission=Permission.CASES_VIEW,
    summary="File a plan",
    description="A plan with money for the customer waits for the manager.",
    body=PlanIn,
    idempotent=Idempotency.OPTIONAL,
)
async def plan_line(call: Call[NoQuery]) -> CauseLine:
    """File a plan."""
    work, line_id = _work(call)
    given = call.body(PlanIn)
    new = NewPlan(
        plan=given.plan,
        solve_at=given.solve_at,
        visit_from=given.visit_from,
        visit_until=given.visit_until,
        pay_customer=given.pay_customer,
        penalty=given.penalty,
        needs_approval=given.needs_approval,
    )
    return CauseLine.model_validate(await work.plan(call.actor, line_id, call.expected, new))


@line_change(
    permission=Permission.CASES_DECIDE,
    summary="Approve a plan, or send it back",
    body=PlanDecisionIn,
)
async def decide_line_plan(call: Call[NoQuery]) -> CauseLine:
    """Decide on a plan."""
    work, line_id = _work(call)
    given = call.body(PlanDecisionIn)
    view = await work.decide_plan(
        call.actor, line_id, call.expected, approved=given.approved, reason=given.reason
    )
    return CauseLine.model_validate(view)


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Note a visit that took place",
    body=VisitIn,
    idempotent=Idempotency.OPTIONAL,
)
async def record_line_visit(call: Call[NoQuery]) -> CauseLine:
    """Note a visit."""
    work, line_id = _work(call)
    given = call.body(VisitIn)
    new = NewVisit(
        arrived_at=given.arrived_at,
        left_at=given.left_at,
        who=given.who,
        record=given.record,
        photos=given.photos,
    )
    return CauseLine.model_validate(await work.record_visit(call.actor, line_id, call.expected, new))


@line_change(
    permission=Permission.CASES_VIEW,
    summary="Report a line done",
    description="The customer is called back; only his word closes it.",
    body=DoneIn,
)
async def claim_line_done(call: Call[NoQuery]) -> CauseLine:
    """Report a line done."""
    work, line_id = _work(call)
    note = call.body(DoneIn).note
    return CauseLine.model_validate(await work.claim_done(call.actor, line_id, call.expected, note=note))


ROUTES = (
    ("GET", "/complaint-lines/{line_id}", get_line),
    ("POST", "/complaint-lines/{line_id}/accept", accept_line),
    ("POST", "/complaint-lines/{line_id}/reject", reject_line),
    ("POST", "/complaint-lines/{line_id}/assign", assign_line),
    ("POST", "/complaint-lines/{line_id}/verify", verify_line),
    ("POST", "/complaint-lines/{line_id}/visit-agreement", agree_line_visit),
    ("POST", "/complaint-lines/{line_id}/plan", plan_line),
    ("POST", "/complaint-lines/{line_id}/plan-decision", decide_line_plan),
    ("POST", "/complaint-lines/{line_id}/visit", record_line_visit),
    ("POST", "/complaint-lines/{line_id}/done", claim_line_done),
)
