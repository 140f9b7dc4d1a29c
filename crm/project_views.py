"""What the services of projects show: frozen values."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from crm.domain.payments import Period
from crm.domain.project import Stage
from crm.domain.stages import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """A project.

    Attributes:
        address: ``None`` with its parts for who may not see it (crews and departments without an open case).
        rank: how far the work got, also while it stands still.
        paid: what has been received; ``owed`` the amount with the approved changes.
    """

    project_id: str
    contract_no: str
    customer_id: str
    customer_name: str
    address: str | None
    community: str | None
    building: str | None
    unit: str | None
    room: str | None
    area_m2: Decimal | None
    store_id: str | None
    store: str | None
    kind: str
    package: str | None
    amount: Decimal | None
    changes: Decimal | None
    owed: Decimal | None
    paid: Decimal
    signed_on: date | None
    contract_starts_on: date | None
    contract_ends_on: date | None
    started_on: date | None
    finished_on: date | None
    project_manager: str | None
    designer: str | None
    inspector: str | None
    sales_person: str | None
    crew_id: str | None
    crew: str | None
    crew_status: str | None
    gang: str | None
    stage: Stage
    rank: Stage
    concealed_planned: date | None
    midterm_planned: date | None
    delivery_state: Delivery
    appraised_at: datetime | None
    appraised_by: str | None
    appraisal_points: int | None
    appraisal_note: str | None
    warranty_no: str | None
    warranty_until: date | None
    audit_ref: str | None
    archive_no: str | None
    cancelled_at: datetime | None
    ended_reason: str | None
    created_at: datetime | None
    updated_at: datetime | None
    updated_by: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEventView:
    """A stage that was registered; one that was voided counts no more."""

    stage_event_id: str
    stage: Stage
    happened_on: date
    planned_on: date | None
    recorded_at: datetime
    recorded_by: str
    sheet_ref: str | None
    photos: int
    note: str | None
    callback_ref: str | None
    voided_at: datetime | None
    voided_by: str | None
    void_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionView:
    """A time in which the work stood still."""

    since: date
    until: date | None
    reason: str
    by: str
    resumed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """A payment; ``reversed`` once it was taken back, ``reverses`` on the row that did so."""

    payment_id: str
    period: Period
    due: Decimal | None
    amount: Decimal
    paid_at: datetime
    receipt_no: str
    posted_by: str
    posted_at: datetime
    reverses: str | None
    reversed: bool
    reason: str | None
    released_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRecord:
    """A project with its history, newest first."""

    project: ProjectView
    stages: tuple[StageEventView, ...]
    suspensions: tuple[SuspensionView, ...]
    payments: tuple[PaymentView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """A page of projects."""

    items: tuple[ProjectView, ...]
    next_cursor: str | None
