"""``/api/v1/escalations`` and ``/recoveries``: major complaints and their money."""

from crm.compensations import NewCompensation
from crm.complaint_services import ComplaintServices
from crm.domain.compensation import LiablePerson, RecoveryShare
from crm.escalation_read import EscalationFilter
from crm.escalations import Liability, NewEscalation
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.complaints import CASE
from web.api.v1.escalations_schemas import (
    CompensationIn,
    CompensationPaymentIn,
    EscalationCloseIn,
    EscalationDetail,
    EscalationIn,
    EscalationList,
    EscalationPlanIn,
    EscalationsQuery,
    EscalationVisitedIn,
    EscalationVisitIn,
    LiabilityIn,
    MoneyApprovalIn,
    MoneyReviewIn,
    RecoveredIn,
    RecoveriesQuery,
    RecoveryList,
    ReviewIn,
    VoucherIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

ESCALATION = (("escalation_id", "Id of the major complaint."),)
TAG = "escalations"
escalation_change = Changes(response=EscalationDetail, tag=TAG, path_parameters=ESCALATION)


def _at(call: Call[NoQuery]) -> tuple[ComplaintServices, str]:
    return call.request.app[CRM].complaints, call.request.match_info["escalation_id"]


@operation(
    query=EscalationsQuery,
    response=EscalationList,
    permission=Permission.CASES_VIEW,
    summary="List major complaints, newest first",
    description="`for_decision` lists those whose money waits for the company's head.",
    tag=TAG,
)
async def list_escalations(call: Call[EscalationsQuery]) -> EscalationList:
    """Return a page of major complaints."""
    asked = call.query
    states = (asked.state,) if asked.state else ()
    wanted = EscalationFilter(states=states, is_open=asked.is_open, for_decision=asked.for_decision)
    escalations = call.request.app[CRM].complaints.escalations
    page = await escalations.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    return EscalationList.model_validate(page)


@operation(
    query=NoQuery,
    response=EscalationDetail,
    permission=Permission.ESCALATIONS_SUBMIT,
    summary="Make a complaint a major one",
    description="`If-Match` is the complaint's version.",
    tag=TAG,
    path_parameters=CASE,
    body=EscalationIn,
    if_match=True,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def submit_escalation(call: Call[NoQuery]) -> EscalationDetail:
    """E0."""
    given = call.body(EscalationIn)
    new = NewEscalation(cause=given.cause, process_so_far=given.process_so_far, demand=given.demand)
    escalations = call.request.app[CRM].complaints.escalations
    case_id = call.request.match_info["case_id"]
    view = await escalations.submit(call.actor, case_id, call.expected, new)
    return EscalationDetail.model_validate(view)


@operation(
    query=NoQuery,
    response=EscalationDetail,
    permission=Permission.CASES_VIEW,
    summary="Read a major complaint",
    description="People of a department see no money.",
    tag=TAG,
    path_parameters=ESCALATION,
)
async def get_escalation(call: Call[NoQuery]) -> EscalationDetail:
    """Return a major complaint."""
    services, escalation_id = _at(call)
    return EscalationDetail.model_validate(await services.escalations.get(call.actor, escalation_id))


@escalation_change(
    permission=Permission.ESCALATIONS_HANDLE,
    summary="Look into it",
    description="A visit that is needed has two working days.",
    body=ReviewIn,
)
async def review_escalation(call: Call[NoQuery]) -> EscalationDetail:
    """E1."""
    services, escalation_id = _at(call)
    given = call.body(ReviewIn)
    view = await services.escalations.review(
        call.actor, escalation_id, call.expected, visit_needed=given.visit_needed, note=given.note
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.ESCALATIONS_HANDLE,
    summary="Agree on the visit, or move it",
    body=EscalationVisitIn,
)
async def agree_escalation_visit(call: Call[NoQuery]) -> EscalationDetail:
    """E2."""
    services, escalation_id = _at(call)
    given = call.body(EscalationVisitIn)
    view = await services.escalations.agree_visit(
        call.actor,
        escalation_id,
        call.expected,
        visit_from=given.visit_from,
        visit_until=given.visit_until,
        visit_with=given.visit_with,
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.ESCALATIONS_HANDLE,
    summary="Note that the visit took place",
    body=EscalationVisitedIn,
)
async def record_escalation_visit(call: Call[NoQuery]) -> EscalationDetail:
    """E2."""
    services, escalation_id = _at(call)
    given = call.body(EscalationVisitedIn)
    view = await services.escalations.record_visit(
        call.actor, escalation_id, call.expected, visited_at=given.visited_at, record=given.record
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.ESCALATIONS_HANDLE,
    summary="Settle who is liable",
    description="The shares sum to exactly 100.00.",
    body=LiabilityIn,
)
async def settle_liability(call: Call[NoQuery]) -> EscalationDetail:
    """E3."""
    services, escalation_id = _at(call)
    given = call.body(LiabilityIn)
    found = Liability(
        shares=given.shares,
        with_head=given.with_head,
        persons=tuple(
            LiablePerson(
                name=person.name, staff_id=person.staff_id, percent=person.percent, amount=person.amount
            )
            for person in given.persons
        ),
        note=given.note,
    )
    view = await services.escalations.settle_liability(call.actor, escalation_id, call.expected, found)
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.ESCALATIONS_HANDLE,
    summary="Plan the solution",
    body=EscalationPlanIn,
)
async def plan_escalation(call: Call[NoQuery]) -> EscalationDetail:
    """E4."""
    services, escalation_id = _at(call)
    given = call.body(EscalationPlanIn)
    view = await services.escalations.plan(
        call.actor, escalation_id, call.expected, plan=given.plan, costs=given.costs
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.COMPENSATION_REQUEST,
    summary="Ask for compensation",
    body=CompensationIn,
    idempotent=Idempotency.REQUIRED,
)
async def request_compensation(call: Call[NoQuery]) -> EscalationDetail:
    """E5."""
    services, escalation_id = _at(call)
    view = await services.compensations.request(
        call.actor, escalation_id, call.expected, _money(call.body(CompensationIn))
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.COMPENSATION_REQUEST,
    summary="Correct what is asked for",
    description="Who does so decides on it no more.",
    body=CompensationIn,
    idempotent=Idempotency.REQUIRED,
)
async def change_compensation(call: Call[NoQuery]) -> EscalationDetail:
    """E5."""
    services, escalation_id = _at(call)
    view = await services.compensations.change(
        call.actor, escalation_id, call.expected, _money(call.body(CompensationIn))
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.COMPENSATION_REVIEW,
    summary="Agree to an amount and who bears it, or not",
    description="Never by whoever asked for it or entered the amount.",
    body=MoneyReviewIn,
    idempotent=Idempotency.REQUIRED,
)
async def review_compensation(call: Call[NoQuery]) -> EscalationDetail:
    """E5 → E6 or E4."""
    services, escalation_id = _at(call)
    given = call.body(MoneyReviewIn)
    view = await services.compensations.review(
        call.actor, escalation_id, call.expected, agreed=given.agreed, reason=given.reason
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.VOUCHERS_WRITE,
    summary="Write the voucher",
    body=VoucherIn,
    idempotent=Idempotency.REQUIRED,
)
async def write_voucher(call: Call[NoQuery]) -> EscalationDetail:
    """E6."""
    services, escalation_id = _at(call)
    given = call.body(VoucherIn)
    view = await services.compensations.write_voucher(
        call.actor, escalation_id, call.expected, voucher_no=given.voucher_no, amount=given.amount
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.COMPENSATION_REVIEW,
    summary="Release the money, or refuse",
    description="Never by whoever asked for it or entered the amount.",
    body=MoneyApprovalIn,
    idempotent=Idempotency.REQUIRED,
)
async def approve_compensation(call: Call[NoQuery]) -> EscalationDetail:
    """E7 or E4."""
    services, escalation_id = _at(call)
    given = call.body(MoneyApprovalIn)
    view = await services.compensations.approve(
        call.actor, escalation_id, call.expected, approved=given.approved, reason=given.reason
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.VOUCHERS_WRITE,
    summary="Note the payment",
    body=CompensationPaymentIn,
    idempotent=Idempotency.REQUIRED,
)
async def pay_compensation(call: Call[NoQuery]) -> EscalationDetail:
    """E8."""
    services, escalation_id = _at(call)
    given = call.body(CompensationPaymentIn)
    view = await services.compensations.pay(
        call.actor, escalation_id, call.expected, receipt_no=given.receipt_no, paid_at=given.paid_at
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.VOUCHERS_WRITE,
    summary="Send the staff's shares to HR",
    idempotent=Idempotency.REQUIRED,
)
async def send_recovery(call: Call[NoQuery]) -> EscalationDetail:
    """E9."""
    services, escalation_id = _at(call)
    view = await services.compensations.send_recovery(call.actor, escalation_id, call.expected)
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.RECOVERY_HANDLE,
    summary="Note that HR has settled a share",
    body=RecoveredIn,
    idempotent=Idempotency.REQUIRED,
)
async def settle_recovery(call: Call[NoQuery]) -> EscalationDetail:
    """E9."""
    services, escalation_id = _at(call)
    given = call.body(RecoveredIn)
    view = await services.compensations.recovered(
        call.actor, escalation_id, call.expected, given.recovery_id, note=given.note
    )
    return EscalationDetail.model_validate(view)


@escalation_change(
    permission=Permission.ESCALATIONS_SUBMIT,
    summary="Close a major complaint",
    description="The complaint's callback is done first.",
    body=EscalationCloseIn,
)
async def close_escalation(call: Call[NoQuery]) -> EscalationDetail:
    """E10."""
    services, escalation_id = _at(call)
    given = call.body(EscalationCloseIn)
    view = await services.escalations.close(call.actor, escalation_id, call.expected, outcome=given.outcome)
    return EscalationDetail.model_validate(view)


@operation(
    query=RecoveriesQuery,
    response=RecoveryList,
    permission=Permission.RECOVERY_HANDLE,
    summary="List the staff's shares that went to HR",
    tag=TAG,
)
async def list_recoveries(call: Call[RecoveriesQuery]) -> RecoveryList:
    """Return a page of the staff's shares."""
    asked = call.query
    compensations = call.request.app[CRM].complaints.compensations
    page = await compensations.recoveries(
        call.actor, month=asked.month, is_open=asked.is_open, cursor=asked.cursor, limit=asked.limit
    )
    return RecoveryList.model_validate(page)


def _money(given: CompensationIn) -> NewCompensation:
    return NewCompensation(
        amount=given.amount,
        bearers=given.bearers,
        reason=given.reason,
        kind=given.kind,
        recovery=tuple(
            RecoveryShare(name=share.name, amount=share.amount, staff_id=share.staff_id)
            for share in given.recovery
        ),
    )


ROUTES = (
    ("GET", "/escalations", list_escalations),
    ("POST", "/complaints/{case_id}/escalation", submit_escalation),
    ("GET", "/escalations/{escalation_id}", get_escalation),
    ("POST", "/escalations/{escalation_id}/review", review_escalation),
    ("POST", "/escalations/{escalation_id}/visit-agreement", agree_escalation_visit),
    ("POST", "/escalations/{escalation_id}/visit", record_escalation_visit),
    ("POST", "/escalations/{escalation_id}/liability", settle_liability),
    ("POST", "/escalations/{escalation_id}/plan", plan_escalation),
    ("POST", "/escalations/{escalation_id}/compensation", request_compensation),
    ("PUT", "/escalations/{escalation_id}/compensation", change_compensation),
    ("POST", "/escalations/{escalation_id}/compensation-review", review_compensation),
    ("POST", "/escalations/{escalation_id}/voucher", write_voucher),
    ("POST", "/escalations/{escalation_id}/compensation-approval", approve_compensation),
    ("POST", "/escalations/{escalation_id}/payment", pay_compensation),
    ("POST", "/escalations/{escalation_id}/recovery", send_recovery),
    ("POST", "/escalations/{escalation_id}/recovery-done", settle_recovery),
    ("POST", "/escalations/{escalation_id}/close", close_escalation),
    ("GET", "/recoveries", list_recoveries),
)
