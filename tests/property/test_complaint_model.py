"""Cause lines and a complaint's status against a reading of domain.md §1.3 of its own.

The model knows nothing of the code's tables: it keeps what has happened to each line as plain facts and
answers from them what may happen next. Whatever the order, the code refuses exactly what the model refuses, a
limit runs exactly while it is owed, and the complaint stands where its least advanced line does.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crm.domain import line_steps as steps
from crm.domain.case import CaseStatus
from crm.domain.complaint import case_status
from crm.domain.complaint_line import (
    AcceptMode,
    Line,
    LineStatus,
    PlanTerms,
    ProblemStatus,
    Step,
    Window,
    steps_from,
)
from crm.domain.line_steps import Limit, Moved
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.property

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
PLACES = st.integers(0, 2)
ORDER = [
    CaseStatus.REGISTERED,
    CaseStatus.HANDED_OFF,
    CaseStatus.REJECTED,
    CaseStatus.ACCEPTED,
    CaseStatus.VERIFIED,
    CaseStatus.PLANNED,
    CaseStatus.ON_SITE,
    CaseStatus.DONE,
]


@dataclass
class Story:
    """What has happened to a line, told in words of the office."""

    sent: bool = False
    signed: AcceptMode | None = None
    sent_back: bool = False
    gone: bool = False  # re-routed or unfounded
    called: bool = False  # since the department last owed it
    appointment: datetime | None = None  # end of the visit that is agreed
    been_there: bool = False  # since that was agreed
    ever_there: bool = False
    planned: bool = False  # in this round
    waiting_for_manager: bool = False
    turned_down: bool = False
    reported: bool = False
    unsolved: bool = False  # said the last callback, and nothing was filed since
    nobody_called: bool = False
    solved: bool = False
    running: set[str] = field(default_factory=lambda: {"T1"})
    callback_owed_from: datetime | None = None

    @property
    def over(self) -> bool:
        return self.gone or self.solved

    @property
    def waits_for_visit(self) -> bool:
        return self.appointment is not None and not self.been_there

    def place(self) -> CaseStatus:
        """Where this line is, of C0 to C6."""
        if self.sent_back:
            return CaseStatus.REJECTED
        if self.signed is None:
            return CaseStatus.HANDED_OFF if self.sent else CaseStatus.REGISTERED
        if self.reported:
            return CaseStatus.DONE
        if not self.called and not self.unsolved:
            return CaseStatus.ACCEPTED
        if self.unsolved or self.waiting_for_manager or self.turned_down:
            return CaseStatus.VERIFIED
        if self.planned:
            return CaseStatus.ON_SITE if self.been_there_since_plan else CaseStatus.PLANNED
        if self.appointment is not None and self.agreed_this_round:
            return CaseStatus.ON_SITE if self.been_there else CaseStatus.PLANNED
        return CaseStatus.VERIFIED

    been_there_since_plan: bool = False
    agreed_this_round: bool = False


class ComplaintOnItsWay(RuleBasedStateMachine):
    """Up to three lines of one complaint, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.lines: list[Line] = []
        self.stories: list[Story] = []

    @initialize(count=st.integers(1, 3))
    def register(self, count: int) -> None:
        self.lines = [Line(line_id=str(place)) for place in range(count)]
        self.stories = [Story() for _ in range(count)]

    def at(self, place: int) -> tuple[int, Line, Story]:
        place %= len(self.lines)
        return place, self.lines[place], self.stories[place]

    def take(self, place: int, may: bool, step: object) -> bool:
        """Try a step; it must succeed exactly when the model says so."""
        assert callable(step)
        moved: Moved | None = None
        with contextlib.suppress(IllegalStep):
            moved = step()
        assert (moved is not None) == may, (self.lines[place], self.stories[place])
        if moved is None:
            return False
        self.lines[place] = moved.line
        self.clock_limits(self.stories[place], moved)
        return True

    def clock_limits(self, story: Story, moved: Moved) -> None:
        """Set A of the limits, applied to what the step says of them."""
        for limit, at in moved.limits:
            match limit:
                case Limit.ACCEPTED:
                    story.running ^= {"T1", "T2"}
                case Limit.REFUSED:
                    story.running.discard("T1")
                case Limit.VERIFIED:
                    story.running.discard("T2")
                    story.running.add("T3")
                case Limit.PLANNED:
                    story.running.discard("T3")
                case Limit.PLAN_AGAIN:
                    story.running.add("T3")
                case Limit.CONTACT_AGAIN:
                    story.running.add("T2")
                case Limit.VISIT_OVER:
                    story.callback_owed_from = at
                case Limit.CALLED_BACK:
                    story.callback_owed_from = None
                case Limit.VOID:
                    story.running.clear()
                    story.callback_owed_from = None

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(place=PLACES)
    def hand_off(self, place: int) -> None:
        place, line, story = self.at(place)
        if self.take(place, not story.sent and not story.over, lambda: steps.hand_off(line)):
            story.sent = True

    @rule(place=PLACES, mode=st.sampled_from(AcceptMode))
    def sign(self, place: int, mode: AcceptMode) -> None:
        place, line, story = self.at(place)
        waits = story.sent and story.signed is None and not story.sent_back and not story.over
        if self.take(place, waits, lambda: steps.accept(line, mode, self.now)):
            story.signed = mode

    @rule(place=PLACES)
    def send_back(self, place: int) -> None:
        place, line, story = self.at(place)
        waits = story.sent and story.signed is None and not story.sent_back and not story.over
        if self.take(place, waits, lambda: steps.reject(line, self.now)):
            story.sent_back = True

    @rule(place=PLACES, unfounded=st.booleans())
    def settle_rejected(self, place: int, unfounded: bool) -> None:
        place, line, story = self.at(place)
        settle = steps.close_unfounded if unfounded else steps.reroute
        if self.take(place, story.sent_back and not story.gone, lambda: settle(line, self.now)):
            story.gone = True

    @rule(place=PLACES)
    def call_customer(self, place: int) -> None:
        place, line, story = self.at(place)
        owes = story.signed is not None and not story.over and (not story.called or story.unsolved)
        if self.take(place, owes, lambda: steps.verify(line, self.now, self.now)):
            story.called, story.nobody_called = True, False
            story.unsolved = story.planned = story.agreed_this_round = False

    def ready(self, story: Story) -> bool:
        """Whether the department may file what it does next."""
        free = story.signed is not None and not story.over and not story.reported
        return free and story.called and not story.nobody_called and not story.waiting_for_manager

    @rule(place=PLACES, ahead=st.integers(1, 20))
    def agree(self, place: int, ahead: int) -> None:
        place, line, story = self.at(place)
        until = self.now + ahead * HOUR
        ready = self.ready(story)
        if story.turned_down:
            may = False
        elif story.planned and not story.unsolved:
            may = ready and (not story.been_there_since_plan or story.signed is AcceptMode.NO_PLAN)
        elif story.signed is AcceptMode.PLAN_FIRST:
            may = False
        elif story.signed is AcceptMode.VISIT_FIRST:
            may = ready and not (story.agreed_this_round and story.been_there)
        else:
            may = ready
        window = Window(from_=until - HOUR, until=until)
        if self.take(place, may, lambda: steps.agree_visit(line, window, self.now)):
            story.appointment = until
            if not (story.signed is AcceptMode.NO_PLAN and self.lines[place].status is LineStatus.ON_SITE):
                story.been_there = False
            story.unsolved, story.agreed_this_round = False, True

    @rule(place=PLACES, visit=st.booleans(), approval=st.booleans())
    def plan(self, place: int, visit: bool, approval: bool) -> None:
        place, line, story = self.at(place)
        ready = self.ready(story)
        if story.turned_down or story.unsolved:
            may = ready
        elif story.planned:
            on_site_without_plan = story.been_there_since_plan and story.signed is AcceptMode.NO_PLAN
            may = ready and not on_site_without_plan
        elif story.signed is AcceptMode.PLAN_FIRST:
            may = ready
        elif story.signed is AcceptMode.VISIT_FIRST:
            may = ready and story.agreed_this_round and story.been_there
        else:
            may = False
        window = Window(from_=self.now + HOUR, until=self.now + 3 * HOUR) if visit else None
        terms = PlanTerms(solve_at=self.now + 24 * HOUR, visit=window, needs_approval=approval)
        nobody_there = not visit and line.visited_at is None and not line.visit_to_come
        if may and nobody_there and story.signed is not AcceptMode.NO_PLAN:
            with pytest.raises(Invalid):
                steps.plan(line, terms, "planner", self.now)
            return
        if self.take(place, may, lambda: steps.plan(line, terms, "planner", self.now)):
            story.planned, story.unsolved, story.turned_down = not approval, False, False
            story.waiting_for_manager, story.been_there_since_plan = approval, False
            story.agreed_this_round = True
            if window is not None:
                story.appointment, story.been_there = window.until, False

    @rule(place=PLACES, approved=st.booleans())
    def manager_decides(self, place: int, approved: bool) -> None:
        place, line, story = self.at(place)
        if self.take(
            place,
            story.waiting_for_manager,
            lambda: steps.decide_plan(line, "manager", self.now, approved=approved),
        ):
            story.waiting_for_manager = False
            story.planned, story.turned_down = approved, not approved

    @rule(place=PLACES)
    def visit(self, place: int) -> None:
        place, line, story = self.at(place)
        free = self.ready(story) and not story.unsolved and not story.turned_down
        if story.planned:
            may = free
        elif story.signed is AcceptMode.NO_PLAN:
            may = free and story.agreed_this_round
        else:
            may = free and story.agreed_this_round and not story.been_there
        if self.take(place, may, lambda: steps.visit(line, self.now, self.now, self.now)):
            story.been_there = story.ever_there = True
            story.been_there_since_plan = story.planned

    @rule(place=PLACES)
    def report_done(self, place: int) -> None:
        place, line, story = self.at(place)
        free = self.ready(story) and not story.turned_down
        if story.planned and not story.unsolved:
            may = free and (story.been_there_since_plan or not story.waits_for_visit)
        elif story.signed is AcceptMode.NO_PLAN:
            may = free and (story.unsolved or not story.agreed_this_round or story.been_there)
        else:
            may = False
        if self.take(place, may, lambda: steps.claim_done(line, self.now)):
            story.reported, story.unsolved = True, False

    @rule(place=PLACES, said=st.sampled_from(ProblemStatus))
    def call_back(self, place: int, said: ProblemStatus) -> None:
        place, line, story = self.at(place)
        at_it = self.ready(story) and not story.unsolved and not story.turned_down
        visit_is_over = story.appointment is not None and story.appointment <= self.now
        filed = story.planned or story.agreed_this_round
        may = (story.reported or (at_it and filed and visit_is_over)) and not story.over
        if not self.take(place, may, lambda: steps.called_back(line, said, self.now)):
            return
        if said is ProblemStatus.SOLVED:
            story.solved = True
        elif said is not ProblemStatus.NOT_CONNECTED:
            story.unsolved, story.reported, story.planned = True, False, False
            story.agreed_this_round = story.been_there_since_plan = False
            story.nobody_called = said is ProblemStatus.NOT_CONTACTED

    @rule(
        place=PLACES,
        pick=st.integers(0, 5),
        mode=st.sampled_from(AcceptMode),
        said=st.sampled_from(ProblemStatus),
        yes=st.booleans(),
    )
    def something_that_leads_on(
        self, place: int, pick: int, mode: AcceptMode, said: ProblemStatus, yes: bool
    ) -> None:
        """Without this, chance alone would rarely get a line past its acceptance."""
        _, line, _ = self.at(place)
        ways = sorted(steps_from(line))
        if not ways:
            return
        match ways[pick % len(ways)]:
            case Step.HAND_OFF:
                self.hand_off(place)
            case Step.ACCEPT:
                self.sign(place, mode)
            case Step.REJECT:
                self.sign(place, mode) if yes else self.send_back(place)
            case Step.REROUTE | Step.UNFOUNDED:
                self.settle_rejected(place, yes)
            case Step.VERIFY:
                self.call_customer(place)
            case Step.AGREE_VISIT:
                self.agree(place, pick + 1)
            case Step.PLAN:
                self.plan(place, visit=not yes, approval=pick == 3)
            case Step.DECIDE:
                self.manager_decides(place, yes)
            case Step.VISIT:
                self.time_passes(1)
                self.visit(place)
            case Step.DONE:
                self.report_done(place)
            case Step.CALLED_BACK:
                self.call_back(place, said)

    @invariant()
    def the_complaint_stands_where_its_least_advanced_line_does(self) -> None:
        if not self.lines:
            return
        places = [story.place() for story in self.stories if not story.over]
        expected = min(places, key=ORDER.index) if places else CaseStatus.DONE
        assert case_status(self.lines, called_back=False) is expected

    @invariant()
    def limits_run_exactly_while_they_are_owed(self) -> None:
        for story in self.stories:
            if story.over:
                assert not story.running
                assert story.callback_owed_from is None
                continue
            assert ("T1" in story.running) == (story.signed is None and not story.sent_back)
            never_called = story.signed is not None and not story.called
            assert ("T2" in story.running) == (never_called or story.nobody_called)
            if story.reported:
                assert story.callback_owed_from is not None
                assert "T3" not in story.running
            if story.unsolved:
                assert story.callback_owed_from is None
                assert ("T3" in story.running) == (not story.nobody_called)


TestComplaintOnItsWay = ComplaintOnItsWay.TestCase
TestComplaintOnItsWay.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
