"""A repair 报修 from registration to closing, as a machine without I/O (domain.md §1.5).

=============== ====================================================================================
state           steps
=============== ====================================================================================
R0 REGISTERED   route → ROUTED
R1 ROUTED       notify → NOTIFIED; reroute → ROUTED
R2 NOTIFIED     contact → CONTACTED, with an appointment → APPOINTED; reroute → ROUTED; call_back
R3 CONTACTED    contact; appoint → APPOINTED; reroute → ROUTED; call_back
R4 APPOINTED    appoint; depart; arrive; finish → VISITED, or → CONTACTED when nothing could be done;
                reroute → ROUTED; call_back
R5 VISITED      appoint → APPOINTED (another visit); reroute → ROUTED; call_back
R6 CALLBACK     close → CLOSED; call_back (the customer rings: it is not solved after all)
=============== ====================================================================================

``call_back`` leads to CALLBACK when the customer says that it is solved, to ROUTED for another round when
not, and nowhere when nobody was reached. A new round and a re-route begin a fresh chain of limits. The
manager may close from any open state, with a reason. Each step returns what it means for the limits as
:class:`Effect`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crm.domain.case import CaseStatus
from crm.domain.complaint_line import ProblemStatus
from crm.domain.machine import refuse
from kernel.errors import Conflict, Invalid

LONGEST_SLOT = timedelta(hours=12)
FURTHEST_APPOINTMENT = timedelta(days=90)


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
    VisitOutcome.UNFINISHED: "未修完,需再次上门",
    VisitOutcome.NOT_HOME: "客户不在家",
    VisitOutcome.REFUSED: "客户不同意维修方案",
}

_S, _T = CaseStatus, Step
STEPS: Mapping[CaseStatus, frozenset[Step]] = {
    _S.REGISTERED: frozenset({_T.ROUTE}),
    _S.ROUTED: frozenset({_T.NOTIFY, _T.REROUTE}),
    _S.NOTIFIED: frozenset({_T.CONTACT, _T.REROUTE, _T.CALL_BACK}),
    _S.CONTACTED: frozenset({_T.CONTACT, _T.APPOINT, _T.REROUTE, _T.CALL_BACK}),
    _S.APPOINTED: frozenset({_T.APPOINT, _T.DEPART, _T.ARRIVE, _T.FINISH, _T.REROUTE, _T.CALL_BACK}),
    _S.VISITED: frozenset({_T.APPOINT, _T.REROUTE, _T.CALL_BACK}),
    _S.CALLBACK: frozenset({_T.CLOSE, _T.CALL_BACK}),
    _S.CLOSED: frozenset(),
}


MAY_CALL_BACK = frozenset({_S.NOTIFIED, _S.CONTACTED, _S.APPOINTED, _S.VISITED})
"""States in which the customer waits for the callback."""


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


def suggested_route(*, original_active: bool, customer_demands_change: bool) -> Route:
    """Return who repairs by the rule: the original crew if it is active and the customer does not object."""
    return Route.ORIGINAL if original_active and not customer_demands_change else Route.CAPTAIN


def begin(*, at: datetime, original_crew: str | None, original_left: bool) -> Moved:
    """Register: limits R2 (3 h) and R6 (48 h) run from now."""
    repair = Repair(registered_at=at, chain_at=at, original_crew=original_crew, original_left=original_left)
    return Moved(repair, (Effect(event=Happened.REGISTERED, at=at),))


def route(repair: Repair, asked: Routing, *, now: datetime) -> Moved:
    """Decide who repairs, for the first time.

    Raises:
        IllegalStep: it was decided before: re-route.
        Invalid: the reason is missing or does not hold.
    """
    _allow(repair, Step.ROUTE)
    if asked.route is Route.OTHER_CREW:
        raise Invalid("the first routing is to the original crew or to the captain", field="route")
    _check_route(repair, asked, {RouteReason.CREW_LEFT, RouteReason.CUSTOMER_DEMAND})
    return Moved(_routed(repair, asked, now))


def reroute(repair: Repair, asked: Routing, *, now: datetime) -> Moved:
    """Give the repair to somebody else: the old limits end as void, a fresh 3 h / 24 h / 48 h chain runs.

    Raises:
        IllegalStep: not in this state.
        Invalid: the reason is missing or does not hold, or it is with them already.
    """
    _allow(repair, Step.REROUTE)
    if repair.visit is not None and repair.visit.arrived_at is not None:
        raise Conflict("somebody is at the customer's: finish the visit first", field="visit")
    if asked.route is Route.ORIGINAL:
        raise Invalid("a repair is not given back to the original crew", field="route")
    if asked.route is repair.route and asked.crew_id == repair.crew_id:
        raise Invalid("it is with them already", field="route")
    _check_route(repair, asked, set(RouteReason))
    moved = replace(
        _routed(repair, asked, now),
        reroutes=repair.reroutes + 1,
        chain_at=now,
    )
    return Moved(moved, _fresh_chain("rerouted", now))


def notify(repair: Repair, *, at: datetime, now: datetime) -> Moved:
    """Write down that whoever repairs was told: R2 ends, R3 (24 h) runs."""
    _allow(repair, Step.NOTIFY)
    _check_time(at, repair.routed_at, now, "notified_at")
    moved = replace(repair, status=CaseStatus.NOTIFIED, notified_at=at)
    return Moved(moved, (Effect(event=Happened.NOTIFIED, at=at),))


def contact(repair: Repair, *, at: datetime, now: datetime, appointment: Appointment | None = None) -> Moved:
    """Write down that the customer was called, perhaps with the appointment made: R3 ends."""
    _allow(repair, Step.CONTACT)
    _check_time(at, repair.notified_at, now, "contacted_at")
    first = repair.contacted_at is None
    moved = replace(
        repair,
        status=CaseStatus.CONTACTED,
        contacted_at=at if first else repair.contacted_at,
        not_contacted=False,
    )
    effects = (Effect(event=Happened.CONTACTED, at=at),) if first else ()
    if appointment is None:
        return Moved(moved, effects)
    agreed = appoint(moved, appointment, now=now)
    return Moved(agreed.repair, effects + agreed.effects)


def appoint(repair: Repair, appointment: Appointment, *, now: datetime) -> Moved:
    """Agree when somebody comes; R6 may be longer by the slot.

    Raises:
        IllegalStep: not in this state, or somebody is there.
        Invalid: a window that cannot be.
    """
    _allow(repair, Step.APPOINT)
    if repair.visit is not None:
        raise Conflict("a visit is under way: finish it first", field="visit")
    if appointment.until <= appointment.from_:
        raise Invalid("ends before it begins", field="until")
    if appointment.slot > LONGEST_SLOT:
        raise Invalid("a visit's slot is 12 hours at the most", field="until")
    latest = repair.last_visit_at or repair.contacted_at
    if latest is not None and appointment.from_ < latest:
        raise Invalid("lies before what happened already", field="from")
    if appointment.from_ > now + FURTHEST_APPOINTMENT:
        raise Invalid("is more than 90 days ahead", field="from")
    moved = replace(
        repair,
        status=CaseStatus.APPOINTED,
        appointment=appointment,
        callback_at=appointment.until,
        planned=True,
    )
    return Moved(moved, (Effect(slot=appointment.slot),))


def depart(repair: Repair, *, at: datetime, now: datetime) -> Moved:
    """Write down that somebody is on the way 出发."""
    _allow(repair, Step.DEPART)
    if repair.visit is not None:
        raise Conflict("a visit is under way already", field="visit")
    _check_time(at, repair.contacted_at, now, "at")
    return Moved(replace(repair, visit=OpenVisit(en_route_at=at)))


def arrive(repair: Repair, *, at: datetime, now: datetime) -> Moved:
    """Write down that somebody has arrived 到达."""
    _allow(repair, Step.ARRIVE)
    visit = repair.visit or OpenVisit()
    if visit.arrived_at is not None:
        raise Conflict("somebody has arrived already", field="visit")
    _check_time(at, visit.en_route_at or repair.contacted_at, now, "at")
    return Moved(replace(repair, visit=replace(visit, arrived_at=at)))


def finish(repair: Repair, outcome: VisitOutcome, *, at: datetime, now: datetime) -> Moved:
    """Write down how a visit ended; when others than the original crew have fixed it, K0 (48 h) runs.

    Raises:
        Conflict: nobody has arrived.
    """
    _allow(repair, Step.FINISH)
    visit = repair.visit
    if visit is None or visit.arrived_at is None:
        raise Conflict("nobody has arrived yet", field="visit")
    _check_time(at, visit.arrived_at, now, "at")
    worked = outcome in {VisitOutcome.FIXED, VisitOutcome.UNFINISHED}
    moved = replace(
        repair,
        status=CaseStatus.VISITED if worked else CaseStatus.CONTACTED,
        visit=None,
        appointment=None,
        last_visit_at=at,
        worked_visits=repair.worked_visits + worked,
        fixed=outcome is VisitOutcome.FIXED,
    )
    repaired = outcome is VisitOutcome.FIXED and repair.cost_owed
    return Moved(moved, (Effect(event=Happened.REPAIRED, at=at),) if repaired else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a callback brought.

    Attributes:
        no_visit_reason: how it came to be solved though nobody has repaired it.
    """

    problem: ProblemStatus
    no_visit_reason: str = ""


def call_back(repair: Repair, said: Said, *, at: datetime, now: datetime) -> Moved:
    """Write down a callback: solved → R6 is done; not solved → another round with a fresh chain.

    Raises:
        IllegalStep: nobody was told to repair it yet, or it is closed.
        Invalid: «solved», but no visit fixed it and no reason says why.
    """
    _allow(repair, Step.CALL_BACK)
    _check_time(at, repair.notified_at, now, "at")
    if said.problem is ProblemStatus.NOT_CONNECTED:
        return Moved(repair)
    done = Effect(event=Happened.CALLED_BACK, at=at)
    if said.problem is ProblemStatus.SOLVED:
        if repair.visit is not None:
            raise Conflict("a visit is under way: finish it first", field="visit")
        if not repair.fixed and not said.no_visit_reason:
            raise Invalid("no visit has fixed it: say how it was solved", field="no_visit_reason")
        return Moved(
            replace(repair, status=CaseStatus.CALLBACK, solved=True), (done, Effect(void="solved", at=at))
        )
    if repair.visit is not None:
        raise Conflict("a visit is under way: finish it first", field="visit")
    moved = replace(
        _cleared(repair),
        status=CaseStatus.ROUTED,
        routed_at=at,
        chain_at=at,
        round=repair.round + 1,
        solved=False,
        planned=repair.planned,
        not_contacted=said.problem is ProblemStatus.NOT_CONTACTED,
    )
    return Moved(moved, (done, *_fresh_chain("callback says unsolved", at)))


def close(repair: Repair, *, at: datetime, waiver: str = "") -> Moved:
    """Close it.

    Args:
        waiver: the manager's reason to close without the customer having said that it is solved.

    Raises:
        IllegalStep: the customer was not called back, and there is no waiver.
    """
    if not repair.status.is_open or not waiver:
        _allow(repair, Step.CLOSE)
    if repair.visit is not None:
        raise Conflict("a visit is under way: finish it first", field="visit")
    return Moved(
        replace(repair, status=CaseStatus.CLOSED, appointment=None),
        (Effect(void="closed", at=at),) if waiver else (),
    )


def callback_due(repair: Repair, latest: datetime | None) -> datetime | None:
    """Return when the customer is to be called back (domain.md §7 row 3).

    Args:
        latest: deadline of R6: 48 h and the visit's slot after the chain began.
    """
    known = [moment for moment in (repair.callback_at, latest) if moment is not None]
    return min(known, default=None) if repair.status in MAY_CALL_BACK else None


def steps_from(repair: Repair) -> frozenset[Step]:
    """Return the steps that are possible now."""
    steps = STEPS[repair.status]
    if repair.visit is None:
        return steps - {Step.FINISH}
    if repair.visit.arrived_at is None:
        return steps - {Step.FINISH, Step.DEPART, Step.APPOINT, Step.CALL_BACK}
    return steps & {Step.FINISH}


def _allow(repair: Repair, step: Step) -> None:
    if step not in STEPS[repair.status]:
        raise refuse(step.value, repair.status, [known.value for known in STEPS[repair.status]])


def _check_route(repair: Repair, asked: Routing, known: set[RouteReason]) -> None:
    if asked.route is Route.ORIGINAL:
        if not asked.crew_active:
            raise Invalid("the original crew does not work for the company", field="route")
        if asked.reason is not None:
            raise Invalid("the original crew needs no reason", field="reason")
        return
    if asked.reason is None:
        raise Invalid("say why it is not the original crew that repairs", field="reason")
    if asked.reason not in known:
        listed = ", ".join(sorted(reason.value for reason in known))
        raise Invalid(f"{asked.reason.value} is no reason here; there are: {listed}", field="reason")
    if asked.route is Route.OTHER_CREW and asked.crew_id in {None, repair.original_crew}:
        raise Invalid("say which other crew", field="crew_id")
    if asked.reason is RouteReason.CREW_LEFT and asked.crew_active:
        raise Invalid("the original crew is active", field="reason")
    if asked.reason is RouteReason.ORIGINAL_NO_CONTACT:
        if repair.contacted_at is not None:
            raise Invalid("the customer was contacted", field="reason")
        if not asked.contact_overdue and not repair.not_contacted:
            raise Invalid("the 24 hours to contact the customer are not over", field="reason")
    if asked.reason is RouteReason.PLAN_REJECTED and not repair.planned:
        raise Invalid("no plan was told to the customer", field="reason")


def _routed(repair: Repair, asked: Routing, now: datetime) -> Repair:
    crew = {Route.ORIGINAL: repair.original_crew, Route.CAPTAIN: None, Route.OTHER_CREW: asked.crew_id}
    return replace(
        _cleared(repair),
        status=CaseStatus.ROUTED,
        route=asked.route,
        reason=asked.reason,
        crew_id=crew[asked.route],
        routed_at=now,
    )


def _cleared(repair: Repair) -> Repair:
    return replace(
        repair,
        notified_at=None,
        contacted_at=None,
        appointment=None,
        callback_at=None,
        planned=False,
        not_contacted=False,
        visit=None,
        fixed=False,
    )


def _fresh_chain(why: str, at: datetime) -> tuple[Effect, ...]:
    return (Effect(void=why, cost_too=True, at=at), Effect(event=Happened.REGISTERED, at=at))


def _check_time(at: datetime, after: datetime | None, now: datetime, field: str) -> None:
    if at > now:
        raise Invalid("lies ahead", field=field)
    if after is not None and at < after:
        raise Invalid("lies before what it follows", field=field)
