"""The models of major complaints."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from crm.domain.compensation import Bearer, CompensationKind, LiableParty
from crm.domain.escalation import EscalationState
from web.api.v1.case_schemas import CaseLimit
from web.api.v1.complaints_answers import ComplaintHeader
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Id, Limit, Money, Text
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime

Number = Annotated[str, Field(min_length=1, max_length=40)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class EscalationsQuery(Query):
    """Which major complaints to list, newest first."""

    state: EscalationState | None = None
    is_open: bool | None = None
    for_decision: bool = Field(False, description="Those whose money waits for a decision.")
    cursor: Cursor | None = None
    limit: Limit = 50


class RecoveriesQuery(Query):
    """Which shares of the staff to list, the oldest first."""

    month: Month | None = Field(None, description="Of the payroll, such as 2026-03.")
    is_open: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class EscalationIn(ComplaintBody):
    """Why a complaint is handed up; all three are mandatory."""

    cause: Text
    process_so_far: Text
    demand: Text


class ReviewIn(ComplaintBody):
    """Whether a visit is needed; it then has two working days."""

    visit_needed: bool
    note: str = Field("", max_length=4000)


class EscalationVisitIn(ComplaintBody):
    """A visit agreed with the department's head and the customer."""

    visit_from: AskedTime
    visit_until: AskedTime
    visit_with: str = Field(min_length=1, max_length=200)


class EscalationVisitedIn(ComplaintBody):
    """A visit that took place."""

    visited_at: AskedTime
    record: Text


class LiablePersonIn(ComplaintBody):
    """Somebody of the staff, with a percentage or an amount."""

    name: str = Field(min_length=1, max_length=40)
    staff_id: Id | None = None
    percent: Money | None = None
    amount: Money | None = None


class LiabilityIn(ComplaintBody):
    """Who is liable; the shares sum to exactly 100.00."""

    shares: dict[LiableParty, Money] = Field(max_length=4)
    with_head: str = Field(min_length=1, max_length=40, description="Head of the department who agreed.")
    persons: tuple[LiablePersonIn, ...] = Field((), max_length=20)
    note: str = Field("", max_length=4000)


class EscalationPlanIn(ComplaintBody):
    """How it is solved."""

    plan: Text
    costs: bool = Field(description="It means compensation or loss.")


class RecoveryShareIn(ComplaintBody):
    """What somebody of the staff bears."""

    name: str = Field(min_length=1, max_length=40)
    amount: Money
    staff_id: Id | None = None


class CompensationIn(ComplaintBody):
    """What is asked for: the bearers' parts sum to the amount, the recovery to the staff's part."""

    amount: Money
    bearers: dict[Bearer, Money] = Field(min_length=1, max_length=6)
    reason: str = Field(min_length=1, max_length=2000)
    kind: CompensationKind = CompensationKind.CASH
    recovery: tuple[RecoveryShareIn, ...] = Field((), max_length=20)


class MoneyReviewIn(ComplaintBody):
    """Whether the company's head agrees; a refusal needs a reason."""

    agreed: bool
    reason: str = Field("", max_length=400)


class VoucherIn(ComplaintBody):
    """The voucher; its amount is the one that was agreed to."""

    voucher_no: Number
    amount: Money


class MoneyApprovalIn(ComplaintBody):
    """Whether the money is released; a refusal needs a reason."""

    approved: bool
    reason: str = Field("", max_length=400)


class CompensationPaymentIn(ComplaintBody):
    """The payment and its receipt."""

    receipt_no: Number
    paid_at: AskedTime | None = Field(None, description="Now unless given.")


class RecoveredIn(ComplaintBody):
    """Which share HR has settled."""

    recovery_id: Id
    note: str = Field("", max_length=400)


class EscalationCloseIn(ComplaintBody):
    """How it ended."""

    outcome: Text


class RecoveryOut(Out):
    """What somebody of the staff bears."""

    recovery_id: str
    name: str
    staff_id: str | None
    amount: Decimal
    payroll_month: str | None
    sent_at: SiteTime | None
    done_at: SiteTime | None
    done_by: str | None
    done_note: str | None


class CompensationOut(Out):
    """A request for compensation."""

    compensation_id: str
    state: str
    kind: str
    amount: Decimal
    bearers: dict[str, Decimal]
    recovery: tuple[RecoveryOut, ...]
    reason: str
    over_threshold: bool
    may_decide: bool = Field(description="The caller may agree to it or release it now.")
    requested_at: SiteTime
    requested_by: str
    reviewed_at: SiteTime | None
    reviewed_by: str | None
    voucher_no: str | None
    voucher_at: SiteTime | None
    voucher_by: str | None
    approved_at: SiteTime | None
    approved_by: str | None
    refused_at: SiteTime | None
    refused_by: str | None
    refused_why: str | None
    paid_at: SiteTime | None
    paid_by: str | None
    receipt_no: str | None


class LiablePersonOut(Out):
    """Somebody of the staff who is liable."""

    name: str
    staff_id: str | None
    percent: Decimal | None
    amount: Decimal | None


class EscalationDetail(Out):
    """A major complaint."""

    escalation_id: str
    header: ComplaintHeader
    version: int
    state: EscalationState
    code: str = Field(description="`E0` to `E10`.")
    label: str
    steps: tuple[str, ...] = Field(description="What the caller may do with it now.")
    cause: str
    process_so_far: str
    demand: str
    submitted_at: SiteTime
    submitted_by: str
    reviewed_at: SiteTime | None
    reviewed_by: str | None
    review_note: str | None
    visit_needed: bool | None
    visit_due_at: SiteTime | None
    visit_overdue: bool
    visit_from: SiteTime | None
    visit_until: SiteTime | None
    visit_with: str | None
    visited_at: SiteTime | None
    visit_record: str | None
    shares: dict[str, Decimal] | None
    persons: tuple[LiablePersonOut, ...] = Field(description="Empty for people of a department.")
    liability_with: str | None
    liability_note: str | None
    liability_at: SiteTime | None
    liability_by: str | None
    plan: str | None
    costs: bool
    planned_at: SiteTime | None
    planned_by: str | None
    compensations: tuple[CompensationOut, ...] = Field(description="Empty for people of a department.")
    limits: tuple[CaseLimit, ...]
    called_back: bool
    closed_at: SiteTime | None
    closed_by: str | None
    outcome: str | None


class EscalationRowOut(Out):
    """A major complaint in a list."""

    escalation_id: str
    case_id: str
    no: str
    customer_name: str
    address: str | None
    summary: str
    state: EscalationState
    code: str
    label: str
    submitted_at: SiteTime
    submitted_by: str
    visit_due_at: SiteTime | None
    visit_overdue: bool
    amount: Decimal | None
    compensation_state: str | None
    specialist: str | None
    version: int


class EscalationList(Out):
    """A page of major complaints."""

    items: tuple[EscalationRowOut, ...]
    next_cursor: str | None


class RecoveryRowOut(Out):
    """A share of the staff, in HR's list."""

    recovery_id: str
    escalation_id: str
    escalation_version: int = Field(description="For `If-Match` of settling it.")
    case_id: str
    no: str
    name: str
    staff_id: str | None
    amount: Decimal
    payroll_month: str | None
    sent_at: SiteTime | None
    approved_by: str | None
    done_at: SiteTime | None
    done_by: str | None


class RecoveryList(Out):
    """A page of the staff's shares."""

    items: tuple[RecoveryRowOut, ...]
    next_cursor: str | None
