"""The API's models of projects, their stages and payments."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, Field, PlainSerializer

from crm.domain.stages import Delivery
from web.api.v1.people_schemas import Body, Key, Text
from web.api.v1.schemas import Out, Query, SiteTime

Money = Annotated[Decimal, PlainSerializer(str, return_type=str)]
AmountIn = Annotated[str | int | Decimal, Field(description="Yuan with at most two decimals: `12800.50`.")]


class ProjectFields(Body):
    """What is written down about a project; members that are left out stay as they are."""

    contract_no: Text | None = None
    address: Text | None = Field(default=None, description="Made of its parts when left out.")
    community: Text | None = None
    building: Text | None = None
    unit: Text | None = None
    room: Text | None = None
    area_m2: AmountIn | None = None
    kind: Text | None = Field(default=None, description="home or public")
    store_id: Key | None = None
    crew_id: Key | None = None
    gang: Text | None = None
    package: Text | None = None
    amount: AmountIn | None = None
    changes: AmountIn | None = Field(default=None, description="Approved changes; the manager's to set.")
    signed_on: date | None = None
    contract_starts_on: date | None = None
    contract_ends_on: date | None = None
    concealed_planned: date | None = None
    midterm_planned: date | None = None
    warranty_until: date | None = None
    warranty_no: Text | None = None
    project_manager: Text | None = None
    designer: Text | None = None
    inspector: Text | None = None
    sales_person: Text | None = None
    audit_ref: Text | None = None
    archive_no: Text | None = None


class ProjectIn(ProjectFields):
    """A new project."""

    customer_id: Key
    stage: int = 25


class StageIn(Body):
    """A stage to register; the start of work asks for both planned days."""

    stage: int
    happened_on: date
    planned_on: date | None = None
    concealed_planned: date | None = None
    midterm_planned: date | None = None
    warranty_until: date | None = None
    sheet_ref: Text | None = None
    photos: int = 0
    note: Text | None = None


class CorrectionIn(Body):
    """A stage to go back to, or -1 and -3 to end the project with."""

    stage: int
    reason: Text


class SuspensionIn(Body):
    """Since when the work stands still."""

    since: date
    reason: Text


class ResumptionIn(Body):
    """The first day of work again."""

    until: date


class DeliveryIn(Body):
    """The next state of the hand-over."""

    delivery_state: Delivery


class ProjectAppraisalIn(Body):
    """The appraisal that the hand-over waits for."""

    points: int | None = Field(
        None, ge=-100, le=100, description="Nothing: the manager goes without it, `note` says why."
    )
    note: Text | None = None


class PaymentIn(Body):
    """A payment to post."""

    period: Text = Field(description="first, mid, final or change")
    amount: AmountIn
    due: AmountIn | None = None
    paid_at: AwareDatetime
    receipt_no: Text
    released_by: Text | None = None


class ProjectsQuery(Query):
    """Which projects to list, newest first."""

    customer_id: Key | None = None
    contract_no: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        default=None, description="Beginning of the contract number."
    )
    stage: int | None = None
    running: bool | None = Field(default=None, description="Not handed over, not ended.")
    crew_id: Key | None = None
    store_id: Key | None = None
    project_manager: Annotated[str, Field(max_length=40)] | None = None
    cursor: Key | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ProjectOut(Out):
    """A project; its address is null for who may not see it."""

    project_id: str
    contract_no: str
    customer_id: str
    customer_name: str
    address: str | None
    community: str | None
    building: str | None
    unit: str | None
    room: str | None
    area_m2: Money | None
    store_id: str | None
    store: str | None
    kind: str
    package: str | None
    amount: Money | None
    changes: Money | None
    owed: Money | None
    paid: Money
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
    stage: int
    rank: int = Field(description="How far the work got, also while it stands still.")
    concealed_planned: date | None
    midterm_planned: date | None
    delivery_state: str
    appraised_at: SiteTime | None
    appraised_by: str | None
    appraisal_points: int | None
    appraisal_note: str | None
    warranty_no: str | None
    warranty_until: date | None
    audit_ref: str | None
    archive_no: str | None
    cancelled_at: SiteTime | None
    ended_reason: str | None
    created_at: SiteTime | None
    updated_at: SiteTime | None
    updated_by: str | None
    version: int


class ProjectPageOut(Out):
    """A page of projects."""

    items: tuple[ProjectOut, ...]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; `null` on the last.")


class StageEventOut(Out):
    """A stage that was registered."""

    stage_event_id: str
    stage: int
    happened_on: date
    planned_on: date | None
    recorded_at: SiteTime
    recorded_by: str
    sheet_ref: str | None
    photos: int
    note: str | None
    voided_at: SiteTime | None
    voided_by: str | None
    void_reason: str | None


class SuspensionOut(Out):
    """A time in which the work stood still."""

    since: date
    until: date | None
    reason: str
    by: str
    resumed_by: str | None


class PaymentOut(Out):
    """A payment, or the row that reverses one."""

    payment_id: str
    period: str
    due: Money | None
    amount: Money
    paid_at: SiteTime
    receipt_no: str
    posted_by: str
    posted_at: SiteTime
    reverses: str | None
    reversed: bool
    reason: str | None
    released_by: str | None


class ProjectRecordOut(ProjectOut):
    """A project with its history, newest first."""

    stages: tuple[StageEventOut, ...]
    suspensions: tuple[SuspensionOut, ...]
    payments: tuple[PaymentOut, ...]
