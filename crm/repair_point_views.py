"""What the repair-point network looks like to pages and the API, and what people enter about it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from crm.domain.repair_point import CENT, PartKind, agreement_holds, over_budget
from crm.repair_point_tables import MonthlyAccount, PartIssue, QualityFeedback, RepairPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class PointText:
    """What somebody writes down of a point."""

    name: str
    agreement_no: str
    district: str
    contact: str
    phone: str
    valid_from: date
    valid_to: date | None = None
    address: str = ""
    active: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """A point; ``valid``: its agreement holds today and it is active."""

    point_id: str
    name: str
    agreement_no: str
    district: str
    address: str
    contact: str
    phone: str
    valid_from: date
    valid_to: date | None
    active: bool
    valid: bool
    note: str
    updated_at: datetime
    updated_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """Spare parts that went one way; ``total`` is quantity times price."""

    issue_id: str
    point_id: str
    kind: PartKind
    part: str
    quantity: Decimal
    price: Decimal
    total: Decimal
    defective: bool
    on_day: date
    month: str
    note: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """A month of a point; ``over`` is by how much it is over the budget."""

    account_id: str
    point_id: str
    point: str
    month: str
    budget: Decimal
    actual: Decimal | None
    over: Decimal
    parts: Decimal
    entered_at: datetime
    entered_by: str
    approved_at: datetime | None
    approved_by: str | None
    approved_why: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackView:
    """A row of the quality feedback."""

    feedback_id: str
    point_id: str | None
    month: str
    product: str
    problem: str
    count: int
    departments: tuple[str, ...]
    at: datetime
    by: str


def point_view(row: RepairPoint, today: date) -> PointView:
    """Return a point; whether it is valid is told for a day."""
    return PointView(
        point_id=row.id,
        name=row.name,
        agreement_no=row.agreement_no,
        district=row.district,
        address=row.address,
        contact=row.contact,
        phone=row.phone,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        active=row.active,
        valid=row.active and agreement_holds(row.valid_from, row.valid_to, today),
        note=row.note,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
    )


def part_view(row: PartIssue) -> PartView:
    """Return spare parts that went one way."""
    return PartView(
        issue_id=row.id,
        point_id=row.point_id,
        kind=PartKind(row.kind),
        part=row.part,
        quantity=row.quantity,
        price=row.price,
        total=(row.quantity * row.price).quantize(CENT),
        defective=row.defective,
        on_day=row.on_day,
        month=row.month,
        note=row.note,
        by=row.by,
    )


def account_view(row: MonthlyAccount, point: str, parts: object) -> AccountView:
    """Return a month of a point; ``parts`` is what its spare parts cost."""
    return AccountView(
        account_id=row.id,
        point_id=row.point_id,
        point=point,
        month=row.month,
        budget=row.budget,
        actual=row.actual,
        over=over_budget(row.budget, row.actual),
        parts=Decimal(str(parts or 0)).quantize(CENT),
        entered_at=row.entered_at,
        entered_by=row.entered_by,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        approved_why=row.approved_why,
        version=row.version,
    )


def feedback_view(row: QualityFeedback) -> FeedbackView:
    """Return a row of the quality feedback."""
    return FeedbackView(
        feedback_id=row.id,
        point_id=row.point_id,
        month=row.month,
        product=row.product,
        problem=row.problem,
        count=row.count,
        departments=tuple(row.departments),
        at=row.at,
        by=row.by,
    )
