"""What major complaints look like to pages and the API."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.cases import CaseView
from crm.domain.compensation import LiablePerson
from crm.domain.escalation import EscalationState
from crm.limits import TimerView


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryView:
    """What somebody of the staff bears; HR takes it from the pay of ``payroll_month`` (``2026-03``)."""

    recovery_id: str
    name: str
    staff_id: str | None
    amount: Decimal
    payroll_month: str | None
    sent_at: datetime | None
    done_at: datetime | None
    done_by: str | None
    done_note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationView:
    """A request for compensation.

    Attributes:
        state: ``requested``, ``reviewed``, ``vouchered``, ``approved``, ``paid`` or ``refused``.
        over_threshold: the general manager has to decide.
        may_decide: this actor may agree to it or release it now: entered no amount, has the right.
    """

    compensation_id: str
    state: str
    kind: str
    amount: Decimal
    bearers: dict[str, Decimal]
    recovery: tuple[RecoveryView, ...]
    reason: str
    over_threshold: bool
    may_decide: bool
    requested_at: datetime
    requested_by: str
    requested_by_id: str
    reviewed_at: datetime | None
    reviewed_by: str | None
    voucher_no: str | None
    voucher_at: datetime | None
    voucher_by: str | None
    approved_at: datetime | None
    approved_by: str | None
    refused_at: datetime | None
    refused_by: str | None
    refused_why: str | None
    paid_at: datetime | None
    paid_by: str | None
    receipt_no: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationView:
    """A major complaint.

    Attributes:
        header: of the complaint.
        code: ``E0`` to ``E10``.
        steps: what this actor may do now: words of ``escalation.Move``, and ``change`` for the amount.
        called_back: the complaint's callback is done, as closing asks.
        compensations: oldest first; empty for people of a department.
        persons: empty for people of a department.
    """

    escalation_id: str
    header: CaseView
    version: int
    state: EscalationState
    code: str
    label: str
    steps: tuple[str, ...]
    cause: str
    process_so_far: str
    demand: str
    submitted_at: datetime
    submitted_by: str
    submitted_by_id: str
    reviewed_at: datetime | None
    reviewed_by: str | None
    review_note: str | None
    visit_needed: bool | None
    visit_due_at: datetime | None
    visit_overdue: bool
    visit_from: datetime | None
    visit_until: datetime | None
    visit_with: str | None
    visited_at: datetime | None
    visit_record: str | None
    shares: dict[str, Decimal] | None
    persons: tuple[LiablePerson, ...]
    liability_with: str | None
    liability_note: str | None
    liability_at: datetime | None
    liability_by: str | None
    plan: str | None
    costs: bool
    planned_at: datetime | None
    planned_by: str | None
    compensations: tuple[CompensationView, ...]
    limits: tuple[TimerView, ...]
    called_back: bool
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationRowView:
    """A major complaint as lists show it; ``amount`` is that of the newest request."""

    escalation_id: str
    case_id: str
    no: str
    customer_name: str
    address: str | None
    summary: str
    state: EscalationState
    code: str
    label: str
    submitted_at: datetime
    submitted_by: str
    visit_due_at: datetime | None
    visit_overdue: bool
    amount: Decimal | None
    compensation_state: str | None
    specialist: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationPage:
    """A page of major complaints, newest first."""

    items: tuple[EscalationRowView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRowView:
    """A share of the staff, for HR's list."""

    recovery_id: str
    escalation_id: str
    escalation_version: int
    case_id: str
    no: str
    name: str
    staff_id: str | None
    amount: Decimal
    payroll_month: str | None
    sent_at: datetime | None
    approved_by: str | None
    done_at: datetime | None
    done_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPage:
    """A page of the staff's shares, the oldest sent first."""

    items: tuple[RecoveryRowView, ...]
    next_cursor: str | None
