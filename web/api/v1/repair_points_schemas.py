"""Models of the repair-point network and of the follow-up of closed cases."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from crm.domain.repair_point import PartKind
from web.api.v1.complaints_schemas import Code, ComplaintBody, Cursor, Id, Limit, Money
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime
from web.api.v1.tickets_schemas import TicketHeader

Month = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description="Such as 2026-03.")]


class PointsQuery(Query):
    """Which points."""

    cursor: Cursor | None = None
    limit: Limit = 200
    district: str | None = Field(None, max_length=40)
    valid_only: bool = False


class SparePartsQuery(Query):
    """Which month."""

    cursor: Cursor | None = None
    limit: Limit = 200
    month: Month | None = None


class AccountsQuery(SparePartsQuery):
    """Which months of which point."""

    point_id: Id | None = None


class FeedbackQuery(Query):
    """Which month."""

    cursor: Cursor | None = None
    limit: Limit = 200
    month: Month


class PointIn(ComplaintBody):
    """A point as it is written down."""

    name: str = Field(min_length=1, max_length=60)
    agreement_no: str = Field(min_length=1, max_length=40)
    district: str = Field(min_length=1, max_length=40)
    address: str = Field("", max_length=200)
    contact: str = Field(min_length=1, max_length=40)
    phone: str = Field(min_length=3, max_length=24)
    valid_from: date
    valid_to: date | None = Field(None, description="The agreement's last day.")
    active: bool = True
    note: str = Field("", max_length=1000)


class PointOut(Out):
    """A point; `valid`: its agreement holds today and it is active."""

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
    updated_at: SiteTime
    updated_by: str
    version: int


class PointList(Out):
    """The points."""

    items: tuple[PointOut, ...]
    next_cursor: str | None


class PartIn(ComplaintBody):
    """Spare parts that a point got, or gave back."""

    kind: PartKind
    part: str = Field(min_length=1, max_length=60)
    quantity: Money
    price: Money = Field(description="Of one, in yuan.")
    on_day: date
    defective: bool = False
    note: str = Field("", max_length=200)


class PartOut(Out):
    """Spare parts that went one way."""

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


class PartList(Out):
    """Spare parts, newest first."""

    items: tuple[PartOut, ...]
    next_cursor: str | None


class AccountIn(ComplaintBody):
    """A month of a point. A change takes the approval back."""

    month: Month
    budget: Money
    actual: Money | None = None
    expected: int | None = Field(None, ge=1, description="Version of the month; left out for a new one.")


class ApprovalIn(ComplaintBody):
    """The approval; over the budget it needs a reason."""

    why: str = Field("", max_length=400)


class AccountOut(Out):
    """A month of a point; `over` is by how much it is over the budget, `parts` what its spare parts cost."""

    account_id: str
    point_id: str
    point: str
    month: str
    budget: Decimal
    actual: Decimal | None
    over: Decimal
    parts: Decimal
    entered_at: SiteTime
    entered_by: str
    approved_at: SiteTime | None
    approved_by: str | None
    approved_why: str | None
    version: int


class AccountList(Out):
    """Months, newest first."""

    items: tuple[AccountOut, ...]
    next_cursor: str | None


class FeedbackIn(ComplaintBody):
    """A row of the quality feedback."""

    month: Month
    product: str = Field(min_length=1, max_length=60)
    problem: str = Field(min_length=1, max_length=400)
    count: int = Field(ge=1, le=100_000)
    departments: tuple[Code, ...] = Field(min_length=1, max_length=10)
    point_id: Id | None = None


class FeedbackOut(Out):
    """A row of the quality feedback."""

    feedback_id: str
    point_id: str | None
    month: str
    product: str
    problem: str
    count: int
    departments: tuple[str, ...]
    at: SiteTime
    by: str


class FeedbackList(Out):
    """A month's rows, the most frequent first."""

    items: tuple[FeedbackOut, ...]
    next_cursor: str | None


class FollowUpQuery(Query):
    """Cases closed in a window of at most a quarter."""

    since: AskedTime
    until: AskedTime


class FollowUpsQuery(FollowUpQuery):
    """Which of them."""

    mine: bool = Field(True, description="Only those of the caller's rank.")
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class FollowUpIn(ComplaintBody):
    """What following it up showed."""

    sound: bool = Field(description="It really is as the case says.")
    text: str = Field("", max_length=1000, description="Needed when it is not sound.")


class FollowUpOut(Out):
    """A closed case that is to be followed up, or was."""

    case: TicketHeader
    rank: Literal["supervisor", "manager"]
    done_at: SiteTime | None
    done_by: str | None
    sound: bool | None
    note: str


class FollowUpList(Out):
    """Cases that are drawn and not followed up yet, the oldest first."""

    items: tuple[FollowUpOut, ...]


class RatioOut(Out):
    """How much of a group was followed up; `text` is `–` where there is nothing."""

    kind: str
    severities: tuple[int, ...]
    rank: Literal["supervisor", "manager"]
    target: float
    done: int
    all: int
    needed: int
    value: float | None
    text: str
    reached: bool


class RatioList(Out):
    """A ratio for each rule."""

    items: tuple[RatioOut, ...]
