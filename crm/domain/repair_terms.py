"""The words and records of a repair 报修 (domain.md §1.5, §4.4 RepairOrder)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crm.domain.case import CaseStatus
from crm.domain.complaint_line import ProblemStatus

CAPTAIN_DEPARTMENT = "CS"
"""The department that the captain works in, and leads other crews from."""


class Route(StrEnum):
    """Who repairs."""

    ORIGINAL = "original"
    CAPTAIN = "captain"
    OTHER_CREW = "other_crew"


class RouteReason(StrEnum):
    """Why not, or no longer, the crew that built the home (右上角注明)."""

    CREW_LEFT = "crew_left"
    CUSTOMER_DEMAND = "customer_demand"
    ORIGINAL_NO_CONTACT = "original_no_contact"
    PLAN_REJECTED = "plan_rejected"


class NoticeWay(StrEnum):
    """How whoever repairs was told: the confirmation sheet 问题确认单, or by telephone."""

    SHEET = "sheet"
    PHONE = "phone"


class VisitOutcome(StrEnum):
    """What came of a visit."""

    FIXED = "fixed"
    UNFINISHED = "unfinished"
    NOT_HOME = "not_home"
    REFUSED = "refused"
    """The customer did not agree to what was to be done."""


class InTime(StrEnum):
    """Whether the customer was contacted in time, as the customer says."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What moves a repair."""

    ROUTE = "route"
    REROUTE = "reroute"
    NOTIFY = "notify"
    CONTACT = "contact"
    APPOINT = "appoint"
    DEPART = "depart"
    ARRIVE = "arrive"
    FINISH = "finish"
    CALL_BACK = "call_back"
    CLOSE = "close"


ROUTE_LABELS = {Route.ORIGINAL: "原施工队", Route.CAPTAIN: "客服部维修队长", Route.OTHER_CREW: "其他施工队"}
REASON_LABELS = {
    RouteReason.CREW_LEFT: "原施工队已离职",
    RouteReason.CUSTOMER_DEMAND: "客户要求更换施工队",
    RouteReason.ORIGINAL_NO_CONTACT: "原施工队未与客户联系",
    RouteReason.PLAN_REJECTED: "客户对解决方案不满意",
}
OUTCOME_LABELS = {
    VisitOutcome.FIXED: "已修好",
    VisitOutcome.UNFINISHED: "未修完，需再次上门",
    VisitOutcome.NOT_HOME: "客户不在家",
    VisitOutcome.REFUSED: "客户不同意维修方案",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """When somebody comes, and what they mean to do."""

    from_: datetime
    until: datetime

    @property
    def slot(self) -> timedelta:
        """Its length; limit R6 may be longer by it (domain.md §7 row 3)."""
        return self.until - self.from_


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVisit:
    """A visit that has begun and is not finished."""

    en_route_at: datetime | None = None
    arrived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What the rules depend on.

    Attributes:
        chain_at: when the limits that run began: registration, re-route, or callback that said «unsolved».
        original_crew: crew that built the home; ``None`` when it is not known.
        original_left: it was not active when the repair was registered.
        callback_at: end of the appointment: from then on the customer is to be called back.
        planned: the customer was told a plan since the last routing.
        not_contacted: the customer says that nobody called.
        worked_visits: finished visits at which something was done.
        fixed: the last finished visit says so.
        solved: the customer says so, or the manager waived the question.
    """

    registered_at: datetime
    chain_at: datetime
    status: CaseStatus = CaseStatus.REGISTERED
    original_crew: str | None = None
    original_left: bool = False
    route: Route | None = None
    reason: RouteReason | None = None
    crew_id: str | None = None
    routed_at: datetime | None = None
    notified_at: datetime | None = None
    contacted_at: datetime | None = None
    appointment: Appointment | None = None
    callback_at: datetime | None = None
    planned: bool = False
    not_contacted: bool = False
    visit: OpenVisit | None = None
    last_visit_at: datetime | None = None
    worked_visits: int = 0
    fixed: bool = False
    solved: bool = False
    reroutes: int = 0
    round: int = 1

    @property
    def first_time_fix(self) -> bool | None:
        """Whether one visit of the first repairer solved it; ``None`` until the customer was asked."""
        if not self.solved:
            return None
        return self.worked_visits == 1 and self.fixed and self.round == 1 and self.reroutes == 0

    @property
    def cost_owed(self) -> bool:
        """Whether a cost sheet is owed: others than the original crew repaired it (domain.md §1.5)."""
        return self.route is not None and self.route is not Route.ORIGINAL


class Happened(StrEnum):
    """Events that limit policies know, for the family BX."""

    REGISTERED = "registered"
    NOTIFIED = "notified"
    CONTACTED = "contacted"
    REPAIRED = "repaired"
    CALLED_BACK = "called_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a step means for the limits of the chain: void those that run, an event, or the visit's slot.

    Attributes:
        cost_too: the limit of the cost ends as well: the repair is not at its end after all.
    """

    void: str = ""
    cost_too: bool = False
    event: Happened | None = None
    at: datetime | None = None
    slot: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A repair after a step."""

    repair: Repair
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Who is to repair, and why when it is not the original crew.

    Attributes:
        crew_id: the other crew of :attr:`Route.OTHER_CREW`.
        crew_active: whether the original crew works for the company now.
        contact_overdue: limit R3 has passed without a contact.
    """

    route: Route
    reason: RouteReason | None = None
    crew_id: str | None = None
    crew_active: bool = False
    contact_overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a callback brought.

    Attributes:
        no_visit_reason: how it came to be solved though nobody has repaired it.
    """

    problem: ProblemStatus
    no_visit_reason: str = ""
