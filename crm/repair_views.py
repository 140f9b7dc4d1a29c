"""Repairs as pages and the API show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from crm.cases import CaseView
from crm.domain.case import CaseStatus
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, Step, VisitOutcome
from crm.domain.repair_cost import CostKind, CostState
from crm.domain.warranty import ItemCover, RepairClass, RepairWarning, WarrantyFlag, WarrantyItem
from crm.limit_views import TimerView


class RepairList(StrEnum):
    """What somebody has to do about repairs."""

    TO_ROUTE = "to_route"
    TO_NOTIFY = "to_notify"
    TO_CONTACT = "to_contact"
    REROUTE = "reroute"
    """The 24 h check found no contact: to be routed anew."""
    TO_CALL_BACK = "to_call_back"
    TO_CLOSE = "to_close"
    TO_COST = "to_cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item of a warranty, and whether the customer gets it on the day of the card or the repair."""

    code: str
    name: str
    starts_on: date
    ends_on: date
    excluded: bool
    why: str
    state: ItemCover


def item_views(items: Iterable[WarrantyItem], on: date) -> tuple[ItemView, ...]:
    """Return items as they are shown on a day."""
    return tuple(
        ItemView(
            code=one.code,
            name=one.name,
            starts_on=one.starts_on,
            ends_on=one.ends_on,
            excluded=one.excluded,
            why=one.why,
            state=one.state_on(on),
        )
        for one in items
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarrantyView:
    """The warranty as it was when the repair was registered; ``until`` is its last day.

    Attributes:
        item: code of the item that the repair is about, where somebody said so.
    """

    flag: WarrantyFlag
    until: date | None
    no: str | None
    taken_on: date
    excluded: tuple[str, ...]
    items: tuple[ItemView, ...] = ()
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingView:
    """One decision about who repairs."""

    at: datetime
    by: str
    route: Route
    reason: RouteReason | None
    note: str
    crew_id: str | None
    crew: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """One visit; ``outcome`` is ``None`` until it is finished."""

    visit_id: str
    appointed_from: datetime | None
    appointed_until: datetime | None
    en_route_at: datetime | None
    arrived_at: datetime | None
    done_at: datetime | None
    cancelled_at: datetime | None
    outcome: VisitOutcome | None
    result: str
    signature_id: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackView:
    """One callback."""

    callback_id: str
    at: datetime
    by: str
    problem: ProblemStatus
    verdict: Verdict | None
    contacted_in_time: InTime | None
    timely: InTime | None
    remark: str
    no_visit_reason: str | None
    call_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBrief:
    """How far the settlement is; the amounts are :class:`crm.settlement_views.CostView`'s."""

    cost_id: str
    state: CostState
    kind: CostKind
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairBrief:
    """A repair as lists show it.

    Attributes:
        reroute_proposed: the 24 hours to contact the customer are over, and nobody has.
        callback_due: when the customer is to be called back.
        steps: what may be done next, as far as the state goes.
    """

    case_id: str
    no: str
    status: CaseStatus
    case: CaseView
    place: str
    repair_class: RepairClass
    warnings: tuple[RepairWarning, ...]
    route: Route | None
    route_reason: RouteReason | None
    crew_id: str | None
    crew: str | None
    original_crew: str | None
    original_crew_left: bool
    community: str | None
    appointed_from: datetime | None
    appointed_until: datetime | None
    callback_due: datetime | None
    reroute_proposed: bool
    reroutes: int
    round: int
    timers: tuple[TimerView, ...]
    cost: CostBrief | None
    cost_owed: bool
    steps: tuple[Step, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairView(RepairBrief):
    """A repair with all that happened to it."""

    warranty: WarrantyView
    original_crew_id: str | None
    routed_at: datetime | None
    notified_at: datetime | None
    notified_by: str | None
    notified_way: NoticeWay | None
    notified_whom: str | None
    contacted_at: datetime | None
    contacted_by: str | None
    customer_says: str | None
    plan: str | None
    first_time_fix: bool | None
    close_reason: str | None
    routings: tuple[RoutingView, ...]
    visits: tuple[VisitView, ...]
    callbacks: tuple[CallbackView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPage:
    """A page of repairs, newest first."""

    items: tuple[RepairBrief, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPreview:
    """What the form shows before a repair is registered."""

    warranty: WarrantyView
    warnings: tuple[RepairWarning, ...]
    suggested_class: RepairClass
    suggested_route: Route
    crew_id: str | None
    crew: str | None
    crew_active: bool
    open_repairs: tuple[str, ...]
    """Numbers of the home's repairs that are not closed: perhaps it is about one of them."""
