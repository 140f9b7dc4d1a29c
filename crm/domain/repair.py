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
from dataclasses import replace
from datetime import datetime, timedelta

from crm.domain.case import CaseStatus
from crm.domain.complaint_line import ProblemStatus
from crm.domain.machine import refuse
from crm.domain.repair_terms import (
    OUTCOME_LABELS,
    REASON_LABELS,
    ROUTE_LABELS,
    Appointment,
    Effect,
    Happened,
    InTime,
    Moved,
    NoticeWay,
    OpenVisit,
    Repair,
    Route,
    RouteReason,
    Routing,
    Said,
    Step,
    VisitOutcome,
)
from kernel.errors import Conflict, Invalid

__all__ = [
    "MAY_CALL_BACK",
    "OUTCOME_LABELS",
    "REASON_LABELS",
    "ROUTE_LABELS",
    "STEPS",
    "Appointment",
    "Effect",
    "Happened",
    "InTime",
    "Moved",
    "NoticeWay",
    "OpenVisit",
    "Repair",
    "Route",
    "RouteReason",
    "Routing",
    "Said",
    "Step",
    "VisitOutcome",
    "appoint",
    "arrive",
    "begin",
    "call_back",
    "callback_due",
    "close",
    "contact",
    "depart",
    "finish",
    "notify",
    "reroute",
    "route",
    "steps_from",
    "suggested_route",
]

LONGEST_SLOT = timedelta(hours=12)
FURTHEST_APPOINTMENT = timedelta(days=90)


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
    _check_time(at, repair.routed_at, now, "at")
    moved = replace(repair, status=CaseStatus.NOTIFIED, notified_at=at)
    return Moved(moved, (Effect(event=Happened.NOTIFIED, at=at),))


def contact(repair: Repair, *, at: datetime, now: datetime, appointment: Appointment | None = None) -> Moved:
    """Write down that the customer was called, perhaps with the appointment made: R3 ends."""
    _allow(repair, Step.CONTACT)
    _check_time(at, repair.notified_at, now, "at")
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
        raise Invalid("ends before it begins", field="visit_until")
    if appointment.slot > LONGEST_SLOT:
        raise Invalid("a visit's slot is 12 hours at the most", field="visit_until")
    latest = repair.last_visit_at or repair.contacted_at
    if latest is not None and appointment.from_ < latest:
        raise Invalid("lies before what happened already", field="visit_from")
    if appointment.from_ > now + FURTHEST_APPOINTMENT:
        raise Invalid("is more than 90 days ahead", field="visit_from")
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
