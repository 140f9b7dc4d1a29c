"""The models of settlements and deposits, as sent and as shown. Money is text with two decimals."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer, WithJsonSchema

from crm.domain.deposit import PostingKind
from crm.domain.repair_cost import CostBearer, CostKind, CostState, CostStep, MaterialKind
from web.api.v1.repairs_schemas import RepairBody, RepairId
from web.api.v1.schemas import Out, Query, SiteTime

Money = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=14)]
Yuan = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d\d$", "examples": ["366.50"]}),
]
Quantity = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=12)]
Month = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-11"])]
Reason = Annotated[str, Field(min_length=1, max_length=400)]


class MaterialIn(RepairBody):
    """A line of material; `price` is for one unit."""

    item: str = Field(min_length=1, max_length=80)
    kind: MaterialKind
    quantity: Quantity
    price: Money
    unit: str = Field("", max_length=10)
    why: str = Field("", max_length=100, description="Needed when it is not in the catalogue.")


class CostSheetIn(RepairBody):
    """A cost sheet. `total` must be what the server reckons, the bearers' parts must sum to it."""

    labour: Money
    travel: Money = Decimal(0)
    material: tuple[MaterialIn, ...] = Field((), max_length=100)
    total: Money
    bearers: dict[CostBearer, Money] = Field(description="Who bears how much.")
    receipt_no: str | None = Field(None, max_length=40, description="Needed when the customer pays.")
    reason: str = Field("", max_length=400, description="Why it changes, once somebody has signed it.")


class CostReasonIn(RepairBody):
    """What is wrong with the sheet."""

    reason: Reason


class CostMonthIn(RepairBody):
    """The month whose books it was compared with."""

    month: Month


class CostsQuery(Query):
    """Which settlements to list, the newest sheet first."""

    state: CostState | None = None
    kind: CostKind | None = None
    month: Month | None = Field(None, description="In which they were reconciled.")
    crew_id: RepairId | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class MonthQuery(Query):
    """Which month, and whose."""

    month: Month
    crew_id: RepairId | None = None


class ReceivablesQuery(Query):
    """Which receivables."""

    crew_id: RepairId | None = None
    is_open: bool | None = True
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class PostingIn(RepairBody):
    """A posting by hand; `adjust` may be below zero, `deduct` only comes from settlements."""

    kind: PostingKind
    amount: Money
    note: str = Field(min_length=1, max_length=200)
    project_id: RepairId | None = None


class ClearIn(RepairBody):
    """How a receivable was settled."""

    note: str = Field(min_length=1, max_length=200)


class MaterialShown(Out):
    """A line of material."""

    item: str
    kind: MaterialKind
    unit: str
    quantity: Decimal
    price: Yuan
    amount: Yuan
    code: str = Field(description="Of the catalogue; empty where it is none of it.")
    why: str


class SignatureShown(Out):
    """Who signed, and when."""

    name: str
    at: SiteTime


class CostSheet(Out):
    """A settlement."""

    cost_id: str
    case_id: str
    no: str
    crew_id: str | None
    crew: str | None
    state: CostState
    kind: CostKind
    labour: Yuan
    travel: Yuan
    material: tuple[MaterialShown, ...]
    total: Yuan
    bearers: dict[CostBearer, Yuan]
    receipt_no: str | None
    author: str
    costed_at: SiteTime
    service: SignatureShown | None
    company: SignatureShown | None
    filed: SignatureShown | None
    month: str | None
    reconciled: SignatureShown | None
    settled: SignatureShown | None
    closed: SignatureShown | None
    posted: Yuan = Field(description="Taken from the crew's deposit.")
    owed: Yuan = Field(description="What the deposit did not suffice for.")
    reason: str
    revision: int
    steps: tuple[CostStep, ...]
    version: int


class CostSheets(Out):
    """A page of settlements."""

    items: tuple[CostSheet, ...]
    next_cursor: str | None


class PostingShown(Out):
    """A posting with its sign, and the balance after it."""

    posting_id: str
    seq: int
    kind: PostingKind
    amount: Yuan
    balance: Yuan
    at: SiteTime
    month: str
    project_id: str | None
    case_id: str | None
    no: str | None
    note: str
    by: str


class Deposit(Out):
    """A crew's deposit with its newest postings; the balance is the sum of all of them."""

    crew_id: str
    crew: str
    crew_status: str
    balance: Yuan
    owed: Yuan
    postings: tuple[PostingShown, ...]


class Receivable(Out):
    """What a crew owes beyond its deposit."""

    receivable_id: str
    crew_id: str
    crew: str
    case_id: str
    no: str
    amount: Yuan
    opened_at: SiteTime
    cleared_at: SiteTime | None
    cleared_by: str | None
    clear_note: str | None
    version: int


class Receivables(Out):
    """A page of receivables, oldest first."""

    items: tuple[Receivable, ...]
    next_cursor: str | None


class CrewMonthShown(Out):
    """What is compared with a crew at a month's end."""

    crew_id: str | None
    crew: str | None
    waiting: tuple[CostSheet, ...]
    settlements: tuple[CostSheet, ...]
    normal: Yuan
    abnormal: Yuan
    crew_part: Yuan
    opening: Yuan
    postings: tuple[PostingShown, ...]
    closing: Yuan
    owed: Yuan


class CrewMonths(Out):
    """Every crew that has settlements or postings in the month."""

    items: tuple[CrewMonthShown, ...]
