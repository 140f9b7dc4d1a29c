"""The models of repairs as they are shown."""

from datetime import date

from pydantic import Field

from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, Step, VisitOutcome
from crm.domain.repair_cost import CostKind, CostState
from crm.domain.warranty import ItemCover, RepairClass, RepairWarning, WarrantyFlag
from web.api.v1.case_schemas import CaseLimit
from web.api.v1.repairs_schemas import RepairStatusName
from web.api.v1.schemas import Out, SiteTime


class RepairHeader(Out):
    """The header of a repair."""

    customer_id: str
    customer_name: str
    project_id: str | None
    contract_no: str | None
    address: str | None
    department: str | None
    department_name: str | None
    summary: str
    content: str
    severity: int
    nature: str | None = Field(description="What the customer wants; `null` of cases from before.")
    urgency: str
    source: str
    external_no: str | None
    replied_to_source_at: SiteTime | None
    call_count: int
    call_id: str | None
    specialist_id: str | None
    specialist: str | None
    store: str | None
    opened_at: SiteTime
    opened_by: str | None
    updated_at: SiteTime | None
    closed_at: SiteTime | None


class RepairCostBrief(Out):
    """How far the settlement is."""

    cost_id: str
    state: CostState
    kind: CostKind
    version: int


class RepairSummary(Out):
    """A repair in a list."""

    case_id: str
    no: str
    status: RepairStatusName
    case: RepairHeader
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
    appointed_from: SiteTime | None
    appointed_until: SiteTime | None
    callback_due: SiteTime | None
    reroute_proposed: bool = Field(description="The 24 h to contact the customer are over, and nobody has.")
    reroutes: int
    round: int
    timers: tuple[CaseLimit, ...]
    cost: RepairCostBrief | None
    cost_owed: bool
    steps: tuple[Step, ...] = Field(description="What the state allows next.")
    version: int


class WarrantyItemOut(Out):
    """An item of a warranty; `state` is as of the day of the card or the repair."""

    code: str
    name: str
    starts_on: date
    ends_on: date
    excluded: bool
    why: str
    state: ItemCover


class WarrantyShown(Out):
    """The warranty as it was when the repair was registered."""

    flag: WarrantyFlag
    until: date | None
    no: str | None
    taken_on: date
    excluded: tuple[str, ...]
    items: tuple[WarrantyItemOut, ...]
    item: str | None = Field(description="Code of the item that the repair is about.")


class RoutingShown(Out):
    """One decision about who repairs."""

    at: SiteTime
    by: str
    route: Route
    reason: RouteReason | None
    note: str
    crew_id: str | None
    crew: str | None


class VisitShown(Out):
    """One visit."""

    visit_id: str
    appointed_from: SiteTime | None
    appointed_until: SiteTime | None
    en_route_at: SiteTime | None
    arrived_at: SiteTime | None
    done_at: SiteTime | None
    cancelled_at: SiteTime | None
    outcome: VisitOutcome | None
    result: str
    signature_id: str | None
    by: str


class RepairCallbackShown(Out):
    """One callback."""

    callback_id: str
    at: SiteTime
    by: str
    problem: ProblemStatus
    verdict: Verdict | None
    contacted_in_time: InTime | None
    timely: InTime | None
    remark: str
    no_visit_reason: str | None
    call_id: str | None


class RepairDetail(RepairSummary):
    """A repair with all that happened to it."""

    warranty: WarrantyShown
    original_crew_id: str | None
    routed_at: SiteTime | None
    notified_at: SiteTime | None
    notified_by: str | None
    notified_way: NoticeWay | None
    notified_whom: str | None
    contacted_at: SiteTime | None
    contacted_by: str | None
    customer_says: str | None
    plan: str | None
    first_time_fix: bool | None = Field(description="`null` until the customer says that it is solved.")
    close_reason: str | None
    routings: tuple[RoutingShown, ...]
    visits: tuple[VisitShown, ...]
    callbacks: tuple[RepairCallbackShown, ...]


class RepairsPage(Out):
    """A page of repairs."""

    items: tuple[RepairSummary, ...]
    next_cursor: str | None


class Agenda(Out):
    """Repairs by the time of their visit, then by district."""

    items: tuple[RepairSummary, ...]


class RepairPreviewShown(Out):
    """What the form shows before it is sent."""

    warranty: WarrantyShown
    warnings: tuple[RepairWarning, ...]
    suggested_class: RepairClass
    suggested_route: Route
    crew_id: str | None
    crew: str | None
    crew_active: bool
    open_repairs: tuple[str, ...] = Field(description="Numbers of the home's open repairs.")
