"""The repair machine against a model that only knows the table of domain.md §1.5.

The model keeps its own idea of what is possible, from the paper and not from the machine's tables: what
happened since the repair was routed last. After every attempted step both must agree on whether it was
possible, on the state, and on which limits run.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crm.domain import repair as machine
from crm.domain.case import CaseStatus
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import (
    Appointment,
    Effect,
    Happened,
    Moved,
    Route,
    RouteReason,
    Routing,
    Said,
    VisitOutcome,
    steps_from,
)
from kernel.errors import Conflict, Invalid

pytestmark = pytest.mark.property

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
R3_AFTER = timedelta(hours=24)


class Limits:
    """Which limits run, as the effects of the machine say."""

    def __init__(self) -> None:
        self.running: dict[str, datetime] = {}
        self.cost = False
        self.slot = timedelta(0)

    def apply(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if effect.void:
                self.running.clear()
                self.cost = self.cost and not effect.cost_too
            at = effect.at or START
            match effect.event:
                case Happened.REGISTERED:
                    self.running |= {"R2": at, "R6": at}
                    self.slot = timedelta(0)
                case Happened.NOTIFIED:
                    self.running.pop("R2", None)
                    self.running["R3"] = at
                case Happened.CONTACTED:
                    self.running.pop("R3", None)
                case Happened.REPAIRED:
                    self.cost = True
                case Happened.CALLED_BACK:
                    self.running.pop("R6", None)
                case None:
                    pass
            if effect.slot is not None:
                self.slot = effect.slot


class RepairModel(RuleBasedStateMachine):
    """Steps in any order, also impossible ones."""

    @initialize(active=st.booleans())
    def register(self, active: bool) -> None:
        self.now = START
        self.active = active
        begun = machine.begin(at=START, original_crew="original", original_left=not active)
        self.repair = begun.repair
        self.limits = Limits()
        self.limits.apply(begun.effects)
        # What the paper knows.
        self.who: tuple[Route, str | None] | None = None
        self.told_at: datetime | None = None
        self.contacted = False
        self.plan = False
        self.agreed = False
        self.under_way: str = ""
        self.visits: list[VisitOutcome] = []
        self.last_visit: VisitOutcome | None = None  # of whoever repairs now
        self.silent = False
        self.reroutes, self.rounds = 0, 1
        self.solved = self.closed = False

    def attempt(self, possible: bool, step: object) -> bool:
        """Run a step; it must work when the paper says so, and leave everything alone when not."""
        assert callable(step)
        if not possible:
            with pytest.raises((Conflict, Invalid)) as caught:
                step()
            assert caught.value.field
            return False
        moved = step()
        assert isinstance(moved, Moved)
        self.repair = moved.repair
        self.limits.apply(moved.effects)
        return True

    @rule(minutes=st.sampled_from([1, 60, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def crew_leaves(self) -> None:
        self.active = False

    def holds(self, asked: Routing, reasons: set[RouteReason]) -> bool:
        """Whether a reason for not using the original crew is one, and true."""
        match asked.reason:
            case None:
                return False
            case RouteReason.CREW_LEFT:
                true = not self.active
            case RouteReason.CUSTOMER_DEMAND:
                true = True
            case RouteReason.ORIGINAL_NO_CONTACT:
                true = not self.contacted and (asked.contact_overdue or self.silent)
            case RouteReason.PLAN_REJECTED:
                true = self.plan
        return true and asked.reason in reasons

    @rule(
        route=st.sampled_from(Route),
        reason=st.none() | st.sampled_from(RouteReason),
        crew=st.sampled_from([None, "other", "third", "original"]),
    )
    def somebody_routes(self, route: Route, reason: RouteReason | None, crew: str | None) -> None:
        crew = crew if route is Route.OTHER_CREW else None
        overdue = self.told_at is not None and not self.contacted and self.now > self.told_at + R3_AFTER
        asked = Routing(
            route=route, reason=reason, crew_id=crew, crew_active=self.active, contact_overdue=overdue
        )
        if self.who is None and not self.closed:
            if route is Route.ORIGINAL:
                possible = self.active and reason is None
            else:
                possible = route is Route.CAPTAIN and self.holds(
                    asked, {RouteReason.CREW_LEFT, RouteReason.CUSTOMER_DEMAND}
                )
            if self.attempt(possible, lambda: machine.route(self.repair, asked, now=self.now)):
                self.who = (route, "original" if route is Route.ORIGINAL else crew)
            return
        possible = (
            self.who is not None
            and not self.closed
            and not self.solved
            and self.under_way != "arrived"
            and route is not Route.ORIGINAL
            and (route, crew) != self.who
            and (route is Route.CAPTAIN or crew in {"other", "third"})
            and self.holds(asked, set(RouteReason))
        )
        step = machine.route if self.who is None else machine.reroute
        if self.attempt(possible, lambda: step(self.repair, asked, now=self.now)):
            self.who = (route, crew)
            self.reroutes += 1
            self.begin_again()
            self.plan = False

    def begin_again(self) -> None:
        self.told_at, self.contacted, self.agreed, self.under_way = None, False, False, ""
        self.silent, self.last_visit = False, None

    @rule()
    def whoever_repairs_is_told(self) -> None:
        possible = self.who is not None and self.told_at is None and not self.solved and not self.closed
        if self.attempt(possible, lambda: machine.notify(self.repair, at=self.now, now=self.now)):
            self.told_at = self.now

    def window(self, hours: int) -> Appointment:
        begin = self.now + timedelta(hours=1)
        return Appointment(from_=begin, until=begin + timedelta(hours=hours))

    @property
    def working(self) -> bool:
        """Whoever repairs knows, and the customer is not done with it."""
        return self.told_at is not None and not self.solved and not self.closed

    @property
    def at_visit(self) -> bool:
        """Something was done at the last visit, and no other is agreed on."""
        return self.last_visit in {VisitOutcome.FIXED, VisitOutcome.UNFINISHED} and not self.agreed

    @rule(hours=st.integers(1, 12), agree=st.booleans())
    def customer_is_contacted(self, hours: int, agree: bool) -> None:
        window = self.window(hours) if agree else None
        possible = self.working and not self.agreed and not self.at_visit
        if self.attempt(
            possible,
            lambda: machine.contact(self.repair, at=self.now, now=self.now, appointment=window),
        ):
            self.contacted, self.silent = True, False
            if agree:
                self.agreed = self.plan = True

    @rule(hours=st.integers(1, 12))
    def a_visit_is_agreed(self, hours: int) -> None:
        window = self.window(hours)
        possible = self.working and self.contacted and not self.under_way
        if self.attempt(possible, lambda: machine.appoint(self.repair, window, now=self.now)):
            self.agreed = self.plan = True
            assert self.limits.slot == window.slot

    @rule()
    def somebody_sets_out(self) -> None:
        possible = self.working and self.agreed and not self.under_way
        if self.attempt(possible, lambda: machine.depart(self.repair, at=self.now, now=self.now)):
            self.under_way = "on the way"

    @rule()
    def somebody_arrives(self) -> None:
        possible = self.working and self.agreed and self.under_way != "arrived"
        if self.attempt(possible, lambda: machine.arrive(self.repair, at=self.now, now=self.now)):
            self.under_way = "arrived"

    @rule(outcome=st.sampled_from(VisitOutcome))
    def the_visit_ends(self, outcome: VisitOutcome) -> None:
        possible = self.working and self.under_way == "arrived"
        cost_before = self.limits.cost
        if self.attempt(possible, lambda: machine.finish(self.repair, outcome, at=self.now, now=self.now)):
            self.under_way, self.agreed = "", False
            self.visits.append(outcome)
            self.last_visit = outcome
            assert self.who is not None
            by_others = outcome is VisitOutcome.FIXED and self.who[0] is not Route.ORIGINAL
            assert self.limits.cost == (cost_before or by_others)

    @rule(problem=st.sampled_from(ProblemStatus), reason=st.sampled_from(["", "客户自行处理"]))
    def customer_is_called_back(self, problem: ProblemStatus, reason: str) -> None:
        said = Said(problem=problem, no_visit_reason=reason)
        possible = (self.working or (self.solved and not self.closed)) and self.told_at is not None
        if problem is ProblemStatus.SOLVED:
            possible = (
                possible and not self.under_way and (self.last_visit is VisitOutcome.FIXED or bool(reason))
            )
        elif problem is not ProblemStatus.NOT_CONNECTED:
            possible = possible and not self.under_way
        if not self.attempt(
            possible, lambda: machine.call_back(self.repair, said, at=self.now, now=self.now)
        ):
            return
        if problem is ProblemStatus.SOLVED:
            self.solved = True
        elif problem is not ProblemStatus.NOT_CONNECTED:
            self.solved = False
            self.rounds += 1
            self.begin_again()
            self.silent = problem is ProblemStatus.NOT_CONTACTED

    @rule(waiver=st.sampled_from(["", "客户撤回"]))
    def somebody_closes(self, waiver: str) -> None:
        possible = not self.closed and not self.under_way and (self.solved or bool(waiver))
        if self.attempt(possible, lambda: machine.close(self.repair, at=self.now, waiver=waiver)):
            self.closed = True

    @invariant()
    def the_state_is_what_happened(self) -> None:
        if not hasattr(self, "repair"):
            return
        if self.closed:
            expected = CaseStatus.CLOSED
        elif self.solved:
            expected = CaseStatus.CALLBACK
        elif self.who is None:
            expected = CaseStatus.REGISTERED
        elif self.told_at is None:
            expected = CaseStatus.ROUTED
        elif not self.contacted:
            expected = CaseStatus.NOTIFIED
        elif self.agreed:
            expected = CaseStatus.APPOINTED
        else:
            expected = CaseStatus.VISITED if self.at_visit else CaseStatus.CONTACTED
        assert self.repair.status is expected
        assert (self.repair.reroutes, self.repair.round) == (self.reroutes, self.rounds)

    @invariant()
    def the_limits_that_run_are_those_of_the_chain(self) -> None:
        if not hasattr(self, "repair"):
            return
        expected: set[str] = set()
        if not self.closed and not self.solved:
            expected.add("R6")
            if self.told_at is None:
                expected.add("R2")
            elif not self.contacted:
                expected.add("R3")
        assert set(self.limits.running) == expected

    @invariant()
    def first_time_fix_is_one_visit_of_the_first_repairer(self) -> None:
        if not hasattr(self, "repair"):
            return
        worked = [
            outcome for outcome in self.visits if outcome in {VisitOutcome.FIXED, VisitOutcome.UNFINISHED}
        ]
        if not self.solved:
            assert self.repair.first_time_fix is None
        else:
            first = worked == [VisitOutcome.FIXED] and self.last_visit is VisitOutcome.FIXED
            assert self.repair.first_time_fix is (first and not self.reroutes and self.rounds == 1)

    @invariant()
    def what_is_offered_is_possible(self) -> None:
        if hasattr(self, "repair") and not self.repair.status.is_open:
            assert not steps_from(self.repair)


RepairModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRepairs = RepairModel.TestCase
