"""Costs of repairs and crews' deposits as pages and the API show them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.domain.deposit import PostingKind
from crm.domain.repair_cost import CostBearer, CostKind, CostState, CostStep, MaterialKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialView:
    """A line of material."""

    item: str
    kind: MaterialKind
    unit: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    code: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureView:
    """Who signed, and when."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """A settlement.

    Attributes:
        crew_id: the crew that built the home, whose deposit bears the crew's part.
        reason: why it was changed or sent back.
        posted: what was taken from the deposit; ``owed`` became a receivable.
        steps: what may be done next, as far as the state goes.
    """

    cost_id: str
    case_id: str
    no: str
    crew_id: str | None
    crew: str | None
    state: CostState
    kind: CostKind
    labour: Decimal
    travel: Decimal
    material: tuple[MaterialView, ...]
    total: Decimal
    bearers: dict[CostBearer, Decimal]
    receipt_no: str | None
    author: str
    costed_at: datetime
    service: SignatureView | None
    company: SignatureView | None
    filed: SignatureView | None
    month: str | None
    reconciled: SignatureView | None
    settled: SignatureView | None
    closed: SignatureView | None
    posted: Decimal
    owed: Decimal
    reason: str
    revision: int
    steps: tuple[CostStep, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPage:
    """A page of settlements, the newest sheet first."""

    items: tuple[CostView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingView:
    """A posting with its sign, and the balance after it."""

    posting_id: str
    seq: int
    kind: PostingKind
    amount: Decimal
    balance: Decimal
    at: datetime
    month: str
    project_id: str | None
    case_id: str | None
    no: str | None
    note: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivableView:
    """What a crew owes beyond its deposit."""

    receivable_id: str
    crew_id: str
    crew: str
    case_id: str
    no: str
    amount: Decimal
    opened_at: datetime
    cleared_at: datetime | None
    cleared_by: str | None
    clear_note: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivablePage:
    """A page of what crews owe, oldest first."""

    items: tuple[ReceivableView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositView:
    """A crew's deposit: the balance is the sum of all postings; the newest are shown, newest first."""

    crew_id: str
    crew: str
    crew_status: str
    balance: Decimal
    owed: Decimal
    postings: tuple[PostingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewMonth:
    """What is compared with a crew at the end of a month 月底对账.

    Attributes:
        waiting: settlements filed by then that are not reconciled.
        opening, closing: the balance at the begin and the end of the month's postings.
        crew_part: what the crew bears of the settlements of the month.
    """

    crew_id: str | None
    crew: str | None
    waiting: tuple[CostView, ...]
    settlements: tuple[CostView, ...]
    normal: Decimal
    abnormal: Decimal
    crew_part: Decimal
    opening: Decimal
    postings: tuple[PostingView, ...]
    closing: Decimal
    owed: Decimal
