"""The agent machine in a world of its own: a queue that behaves as app_queue does, and every kind of fault.

The world rings whom its members allow, carries out our stances late or not at all, loses and doubles events,
restarts. Whatever the order, three things hold: nobody is rung by a queue that has been told of their pause;
the machine agrees with an independent reading of the rules; and when the world is quiet and has been looked
at once more, the agent is available, paused or signed out, never stuck.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from telephony.domain.agent import Agent, AgentPolicy, AgentState
from telephony.domain.agent_state import RingEnd, Stance
from telephony.domain.agent_steps import (
    AgentEvent,
    Answered,
    EndWrapUp,
    FollowStance,
    LegEnded,
    LiveLeg,
    Pause,
    PauseTimedOut,
    Rang,
    Resynced,
    SignIn,
    SignOut,
    StartWrapUp,
    TabAsleep,
    TabAwake,
    Unpause,
    WrapUpSaved,
    WrapUpTimedOut,
)

pytestmark = pytest.mark.property

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
RESTING = {AgentState.AVAILABLE, AgentState.PAUSED, AgentState.SIGNED_OUT}


class CallCentre(RuleBasedStateMachine):
    """One agent, one queue, one PBX."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.agent = Agent.new("A", "1001", now=START, policy=AgentPolicy(no_answers_before_pause=2))
        # The world: the member as the PBX has it, orders on their way to it, its channels, its events to us.
        self.member = Stance(present=False)
        self.orders: list[Stance] = []
        self.channels: dict[str, str] = {}
        self.inbox: list[AgentEvent] = []
        self.timers: dict[str, datetime] = {}
        self.calls = 0
        # What the person believes: an independent model of the rules.
        self.at_work = False
        self.wants: str | None = None
        self.page_asleep = False
        # The call whose disposition is owed, and until when: from the moment we heard of its answer.
        self.owed: str | None = None
        self.owed_until: datetime | None = None

    # -- plumbing

    def give(self, event: AgentEvent) -> None:
        for effect in self.agent.handle(event, now=self.now):
            match effect:
                case FollowStance(stance):
                    self.orders.append(stance)
                case StartWrapUp(call_id, _, deadline):
                    self.timers[call_id] = deadline
                    if call_id == self.owed:
                        self.owed_until = deadline
                case EndWrapUp(call_id):
                    self.timers.pop(call_id, None)
                case _:
                    pass

    def settle_person(self) -> None:
        if self.owed_until is not None and self.now >= self.owed_until:
            self.owed = self.owed_until = None
        if self.agent.status.state is AgentState.SIGNED_OUT:
            self.at_work, self.wants, self.page_asleep = False, None, False
        elif self.agent.pause_reason == "no_answer":
            self.wants = "no_answer"

    # -- the person

    @initialize(at_work=st.booleans())
    def the_day_begins(self, at_work: bool) -> None:
        if at_work:
            self.signs_in()
            self.all_is_delivered()

    @rule()
    def signs_in(self) -> None:
        if not self.agent.signed_in:
            self.wants, self.page_asleep = None, False
        self.at_work = True
        self.give(SignIn())

    @rule()
    def signs_out(self) -> None:
        self.at_work = False
        self.give(SignOut())
        self.settle_person()

    @rule(reason=st.sampled_from(["lunch", "training"]))
    def pauses(self, reason: str) -> None:
        if self.agent.signed_in:
            self.wants = reason
        self.give(Pause(reason))

    @rule()
    def comes_back(self) -> None:
        self.wants, self.page_asleep = None, False
        self.give(Unpause())

    @rule(late=st.booleans())
    def time_of_a_break_is_over(self, late: bool) -> None:
        """``late``: the watch means a break that began earlier, and the one that lasts now goes on."""
        reason, since = self.agent.pause_reason or "lunch", self.agent.status.since
        if self.wants == reason and not late and not self.agent.busy:
            self.wants = None
        self.give(PauseTimedOut(reason, since - timedelta(seconds=1) if late else since))

    @rule(asleep=st.booleans())
    def page(self, asleep: bool) -> None:
        self.page_asleep = asleep and self.agent.signed_in
        self.give(TabAsleep() if asleep else TabAwake())

    @precondition(lambda self: self.owed)
    @rule()
    def saves(self) -> None:
        if self.owed is not None:
            call_id, self.owed, self.owed_until = self.owed, None, None
            self.give(WrapUpSaved(call_id))
            self.settle_person()

    # -- the PBX

    @precondition(lambda self: self.orders)
    @rule()
    def order_arrives(self) -> None:
        self.member = self.orders.pop(0)

    @precondition(lambda self: self.member.present and not self.member.paused and not self.channels)
    @rule(wrap_up=st.sampled_from([0, 30]))
    def queue_rings(self, wrap_up: int) -> None:
        if not self.orders:
            # The PBX knows all we decided, so our own reading must allow this ring.
            assert self.at_work
            assert self.wants is None
            assert not self.page_asleep
            assert self.owed is None or (self.owed_until is not None and self.now >= self.owed_until)
        self.calls += 1
        leg, call = f"pbx1/{self.calls}", f"call-{self.calls}"
        self.channels[leg] = "ringing"
        self.inbox.append(Rang(leg=leg, call_id=call, queue="repair", wrap_up=timedelta(seconds=wrap_up)))
        self.wrap = wrap_up

    @precondition(lambda self: "ringing" in self.channels.values())
    @rule()
    def answers(self) -> None:
        (leg,) = self.channels
        self.channels[leg] = "talking"
        self.inbox.append(
            Answered(
                leg=leg,
                call_id=f"call-{leg.partition('/')[2]}",
                queue="repair",
                wrap_up=timedelta(seconds=self.wrap),
            )
        )

    @precondition(lambda self: self.channels)
    @rule(how=st.sampled_from(list(RingEnd)), twice=st.booleans())
    def channel_ends(self, how: RingEnd, twice: bool) -> None:
        leg, _ = self.channels.popitem()
        self.inbox += [LegEnded(leg=leg, ring_end=how)] * (2 if twice else 1)

    @precondition(lambda self: self.inbox)
    @rule()
    def event_arrives(self) -> None:
        event = self.inbox.pop(0)
        if isinstance(event, Answered) and event.leg in self.channels and self.agent.signed_in:
            known = any(leg.leg == event.leg and leg.talking for leg in self.agent.legs)
            if event.wrap_up and not known:
                self.owed, self.owed_until = event.call_id, None
        self.give(event)
        self.settle_person()

    @rule()
    def all_is_delivered(self) -> None:
        while self.inbox:
            self.event_arrives()
        while self.orders:
            self.order_arrives()

    @precondition(lambda self: self.member.present and not self.member.paused and not self.channels)
    @rule(wrap_up=st.sampled_from([0, 30]), hang_up=st.booleans())
    def a_call_without_trouble(self, wrap_up: int, hang_up: bool) -> None:
        self.all_is_delivered()
        if self.member != Stance(present=True):
            return
        self.queue_rings(wrap_up)
        self.all_is_delivered()
        self.answers()
        self.all_is_delivered()
        if hang_up:
            self.channel_ends(RingEnd.ABANDONED, twice=False)
            if self.member == Stance(present=True):
                # The next caller waits already, and app_queue is faster than the news of the hang-up.
                self.queue_rings(wrap_up)

    # -- faults

    @precondition(lambda self: self.inbox)
    @rule()
    def event_is_lost(self) -> None:
        self.inbox.pop(0)

    @precondition(lambda self: self.inbox)
    @rule()
    def event_is_doubled(self) -> None:
        self.inbox.insert(0, self.inbox[0])

    @precondition(lambda self: self.orders)
    @rule()
    def link_is_lost_and_found(self) -> None:
        self.orders = [self.agent.stance]
        self.inbox.clear()
        self.resync()

    @rule()
    def pbx_restarts(self) -> None:
        self.channels.clear()
        self.inbox.clear()
        self.member = Stance(present=False)
        self.resync()
        self.orders = [self.agent.stance]

    @rule(seconds=st.sampled_from([1, 10, 40]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def timers_fire(self) -> None:
        for call_id, deadline in sorted(self.timers.items()):
            if deadline <= self.now:
                self.give(WrapUpTimedOut(call_id))
        self.settle_person()

    def resync(self) -> None:
        legs = tuple(
            LiveLeg(leg=leg, call_id=None, ringing=state == "ringing", talking=state == "talking")
            for leg, state in self.channels.items()
        )
        self.give(Resynced("pbx1", legs))
        self.settle_person()

    # -- what holds always

    @invariant()
    def whoever_should_not_be_rung_is_paused_or_gone(self) -> None:
        stance = self.agent.stance
        if not self.at_work or self.wants is not None or self.page_asleep or self.agent.wrap_up:
            assert stance.paused or not stance.present

    @invariant()
    def nobody_leaves_with_a_disposition_owed(self) -> None:
        if self.owed is not None and (self.owed_until is None or self.now < self.owed_until):
            assert self.agent.signed_in

    @invariant()
    def whoever_is_free_can_be_rung(self) -> None:
        if self.agent.status.state is AgentState.AVAILABLE:
            assert self.agent.stance == Stance(present=True)

    @invariant()
    def a_wrap_up_has_a_timer(self) -> None:
        if self.agent.wrap_up is not None:
            assert self.timers.get(self.agent.wrap_up.call_id) == self.agent.wrap_up.until

    @invariant()
    def the_last_order_is_the_present_stance(self) -> None:
        if self.orders:
            assert self.orders[-1] == self.agent.stance

    def teardown(self) -> None:
        """Every channel ends, one look at the PBX, the timers run out: nobody is stuck."""
        self.channels.clear()
        self.resync()
        self.now += timedelta(hours=1)
        for call_id in sorted(self.timers):
            self.give(WrapUpTimedOut(call_id))
        self.settle_person()
        status = self.agent.status
        assert status.state in RESTING
        assert status.next_state is None
        expected = AgentState.SIGNED_OUT
        if self.at_work:
            resting = self.wants or ("tab_asleep" if self.page_asleep else None)
            expected = AgentState.PAUSED if resting else AgentState.AVAILABLE
            assert status.reason == resting
        assert status.state is expected
        assert not self.timers


TestCallCentre = CallCentre.TestCase
TestCallCentre.settings = settings(
    max_examples=120, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
