"""The agent's state machine, rule by rule."""

from datetime import UTC, datetime, timedelta

import pytest

from telephony.domain.agent import Agent, AgentPolicy, AgentState
from telephony.domain.agent_state import RingEnd, Stance
from telephony.domain.agent_steps import (
    AgentEvent,
    Answered,
    CallMoved,
    Effect,
    EndWrapUp,
    FollowStance,
    LegEnded,
    LegUp,
    LiveLeg,
    OpenWrapUp,
    Pause,
    PublishState,
    QueueGaveUp,
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

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
CALL = "01JNA0000000000000000000CA"
OTHER = "01JNA0000000000000000000CB"
MINUTE = timedelta(minutes=1)
FREE = Stance(present=True)
WRAPPING = Stance(present=True, paused=True, reason="wrap-up")


class Scene:
    """An agent and a clock: a test reads as a story."""

    def __init__(self, *, limit: int = 2) -> None:
        self.now = START
        policy = AgentPolicy(no_answers_before_pause=limit)
        self.agent = Agent.new("01JNA0000000000000000000AG", "1001", now=START, policy=policy)

    def on(self, *events: AgentEvent, after: float = 1.0) -> tuple[Effect, ...]:
        effects: list[Effect] = []
        for event in events:
            self.now += timedelta(seconds=after)
            effects += self.agent.handle(event, now=self.now)
        return tuple(effects)

    def state(self) -> AgentState:
        return self.agent.status.state

    def signed_in(self) -> "Scene":
        self.on(SignIn())
        return self

    def talking(self, *, call: str = CALL, wrap_up: timedelta = MINUTE) -> "Scene":
        self.signed_in().on(rang(call), answered(call, wrap_up))
        return self


def rang(call: str | None = CALL, *, leg: str = "pbx1/1.1", queue: str | None = "repair") -> Rang:
    return Rang(leg=leg, call_id=call, queue=queue, wrap_up=MINUTE)


def answered(call: str | None = CALL, wrap_up: timedelta = MINUTE, *, leg: str = "pbx1/1.1") -> Answered:
    return Answered(leg=leg, call_id=call, queue="repair", wrap_up=wrap_up)


def ended(ring_end: RingEnd = RingEnd.ABANDONED, *, leg: str = "pbx1/1.1") -> LegEnded:
    return LegEnded(leg=leg, ring_end=ring_end)


def test_a_new_agent_is_signed_out_and_in_no_queue() -> None:
    agent = Scene().agent
    assert agent.status.state is AgentState.SIGNED_OUT
    assert agent.stance == Stance(present=False)


def test_signing_in_joins_the_queues_and_is_told_once() -> None:
    scene = Scene()
    effects = scene.on(SignIn())
    assert FollowStance(FREE) in effects
    assert [e.status.state for e in effects if isinstance(e, PublishState)] == [AgentState.AVAILABLE]
    assert scene.on(SignIn()) == ()


def test_a_call_from_ring_to_saved_disposition() -> None:
    scene = Scene().signed_in()
    scene.on(rang())
    assert (scene.state(), scene.agent.status.call_id) == (AgentState.RINGING, CALL)
    effects = scene.on(answered())
    assert scene.state() is AgentState.ON_CALL
    assert OpenWrapUp(CALL, "repair") in effects
    effects = scene.on(ended())
    assert scene.state() is AgentState.WRAP_UP
    assert StartWrapUp(CALL, "repair", scene.now + MINUTE) in effects
    effects = scene.on(WrapUpSaved(CALL))
    assert scene.state() is AgentState.AVAILABLE
    assert EndWrapUp(CALL) in effects
    assert FollowStance(FREE) in effects


def test_the_member_is_paused_when_the_call_is_connected_not_when_it_ends() -> None:
    scene = Scene().signed_in()
    assert scene.on(rang()) and scene.agent.stance == FREE
    assert FollowStance(WRAPPING) in scene.on(answered())
    assert not [e for e in scene.on(ended()) if isinstance(e, FollowStance)]


def test_a_queue_without_wrap_up_frees_the_agent_at_once() -> None:
    scene = Scene().talking(wrap_up=timedelta(0))
    assert scene.agent.stance == FREE
    scene.on(ended())
    assert scene.state() is AgentState.AVAILABLE


def test_the_timer_ends_a_wrap_up() -> None:
    scene = Scene().talking()
    scene.on(ended())
    scene.on(WrapUpTimedOut(CALL), after=60)
    assert scene.state() is AgentState.AVAILABLE


def test_a_wrap_up_whose_timer_was_lost_ends_with_the_next_event() -> None:
    scene = Scene().talking()
    scene.on(ended())
    scene.on(LegEnded(leg="pbx1/none"), after=61)
    assert scene.state() is AgentState.AVAILABLE


def test_the_timer_of_another_call_ends_nothing() -> None:
    scene = Scene().talking()
    scene.on(ended(), WrapUpTimedOut(OTHER))
    assert scene.state() is AgentState.WRAP_UP


def test_saved_during_the_call_leaves_nothing_to_wrap_up() -> None:
    scene = Scene().talking()
    assert FollowStance(FREE) in scene.on(WrapUpSaved(CALL))
    scene.on(ended())
    assert scene.state() is AgentState.AVAILABLE


def test_a_pause_during_a_call_waits_for_its_wrap_up() -> None:
    scene = Scene().talking()
    scene.on(Pause("lunch"))
    assert scene.state() is AgentState.ON_CALL
    assert scene.agent.status.next_state is AgentState.PAUSED
    assert scene.agent.status.next_reason == "lunch"
    scene.on(ended())
    assert scene.state() is AgentState.WRAP_UP
    scene.on(WrapUpSaved(CALL))
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "lunch")
    assert scene.agent.stance == Stance(present=True, paused=True, reason="lunch")


def test_a_pause_while_ringing_keeps_further_callers_away() -> None:
    scene = Scene().signed_in()
    scene.on(rang(), Pause("break"))
    assert scene.state() is AgentState.RINGING
    assert scene.agent.stance.paused
    scene.on(ended())
    assert scene.state() is AgentState.PAUSED


def test_signing_out_during_a_call_takes_effect_after_the_wrap_up() -> None:
    scene = Scene().talking()
    scene.on(SignOut())
    assert scene.state() is AgentState.ON_CALL
    assert scene.agent.status.next_state is AgentState.SIGNED_OUT
    assert scene.agent.stance == Stance(present=True, paused=True, reason="sign-out")
    scene.on(ended())
    assert scene.state() is AgentState.WRAP_UP
    effects = scene.on(WrapUpTimedOut(CALL), after=60)
    assert scene.state() is AgentState.SIGNED_OUT
    assert FollowStance(Stance(present=False)) in effects


def test_signing_in_again_takes_a_waiting_sign_out_back() -> None:
    scene = Scene().talking()
    scene.on(SignOut(), SignIn(), ended(), WrapUpSaved(CALL))
    assert scene.state() is AgentState.AVAILABLE


def test_signing_in_starts_without_yesterdays_break() -> None:
    scene = Scene().signed_in()
    scene.on(Pause("lunch"), SignOut(), SignIn())
    assert scene.state() is AgentState.AVAILABLE


def test_unanswered_calls_pause_the_agent_after_the_limit() -> None:
    scene = Scene(limit=2).signed_in()
    scene.on(rang(), ended(RingEnd.NO_ANSWER))
    assert scene.state() is AgentState.AVAILABLE
    scene.on(rang(), ended(RingEnd.NO_ANSWER))
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "no_answer")
    scene.on(Unpause())
    scene.on(rang(), ended(RingEnd.NO_ANSWER))
    assert scene.state() is AgentState.AVAILABLE


@pytest.mark.parametrize("ring_end", [RingEnd.REJECTED, RingEnd.BUSY, RingEnd.ABANDONED])
def test_only_calls_left_ringing_count(ring_end: RingEnd) -> None:
    scene = Scene(limit=1).signed_in()
    scene.on(rang(), ended(ring_end))
    assert scene.state() is AgentState.AVAILABLE


def test_what_the_queue_gave_up_counts_unless_the_phone_said_no() -> None:
    scene = Scene(limit=1).signed_in()
    scene.on(rang(), QueueGaveUp(leg="pbx1/1.1"), ended(RingEnd.REJECTED))
    assert scene.state() is AgentState.AVAILABLE
    scene.on(rang(), QueueGaveUp(leg="pbx1/1.1"), ended())
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "no_answer")


def test_an_answer_forgives_the_unanswered() -> None:
    scene = Scene(limit=2).signed_in()
    scene.on(rang(), ended(RingEnd.NO_ANSWER))
    scene.on(rang(), answered(wrap_up=timedelta(0)), ended())
    scene.on(rang(), ended(RingEnd.NO_ANSWER))
    assert scene.state() is AgentState.AVAILABLE


def test_a_limit_of_zero_never_pauses() -> None:
    scene = Scene(limit=0).signed_in()
    for _ in range(5):
        scene.on(rang(), ended(RingEnd.NO_ANSWER))
    assert scene.state() is AgentState.AVAILABLE


def test_an_internal_call_is_shown_and_has_no_wrap_up() -> None:
    scene = Scene().signed_in()
    scene.on(Rang(leg="pbx1/2.1", call_id=OTHER, queue=None))
    assert scene.state() is AgentState.RINGING
    scene.on(LegUp(leg="pbx1/2.1", call_id=OTHER))
    assert (scene.state(), scene.agent.status.queue) == (AgentState.ON_CALL, None)
    scene.on(LegEnded(leg="pbx1/2.1"))
    assert scene.state() is AgentState.AVAILABLE


def test_an_outgoing_call_whose_id_comes_later_can_still_be_written_about() -> None:
    scene = Scene().signed_in()
    assert not [e for e in scene.on(LegUp(leg="pbx1/2.1", call_id=None)) if isinstance(e, OpenWrapUp)]
    assert OpenWrapUp(OTHER, None) in scene.on(LegUp(leg="pbx1/2.1", call_id=OTHER))
    assert scene.agent.status.call_id == OTHER


def test_an_outgoing_call_in_a_break_returns_to_the_break() -> None:
    scene = Scene().signed_in()
    scene.on(Pause("outbound"), LegUp(leg="pbx1/2.1", call_id=OTHER))
    assert scene.state() is AgentState.ON_CALL
    scene.on(LegEnded(leg="pbx1/2.1"))
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "outbound")


def test_a_queues_ring_is_taken_only_when_the_queue_says_so() -> None:
    scene = Scene().signed_in()
    scene.on(rang(), LegUp(leg="pbx1/1.1", call_id=CALL))
    assert scene.state() is AgentState.RINGING


def test_the_phones_own_ringing_event_does_not_hide_the_queue() -> None:
    scene = Scene().signed_in()
    scene.on(Rang(leg="pbx1/1.1", call_id=None, queue=None), rang())
    assert (scene.agent.status.queue, scene.agent.status.call_id) == ("repair", CALL)
    scene.on(Rang(leg="pbx1/1.1", call_id=CALL, queue=None))
    assert scene.agent.status.queue == "repair"


def test_a_silent_page_pauses_and_a_heard_one_resumes() -> None:
    scene = Scene().signed_in()
    scene.on(TabAsleep())
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "tab_asleep")
    scene.on(TabAwake())
    assert scene.state() is AgentState.AVAILABLE


def test_a_silent_page_does_not_lose_the_break_the_agent_chose() -> None:
    scene = Scene().signed_in()
    scene.on(Pause("lunch"), TabAsleep(), TabAwake())
    assert (scene.state(), scene.agent.status.reason) == (AgentState.PAUSED, "lunch")


def test_a_silent_page_during_a_call_pauses_after_it() -> None:
    scene = Scene().talking(wrap_up=timedelta(0))
    scene.on(TabAsleep())
    assert scene.state() is AgentState.ON_CALL
    scene.on(ended())
    assert scene.agent.status.reason == "tab_asleep"


def test_after_a_resync_nobody_rings_without_a_channel() -> None:
    scene = Scene().signed_in()
    scene.on(rang(), Resynced("pbx1", ()))
    assert scene.state() is AgentState.AVAILABLE


def test_after_a_resync_a_call_that_ended_unseen_goes_to_wrap_up() -> None:
    scene = Scene().talking()
    scene.on(Resynced("pbx1", ()))
    assert scene.state() is AgentState.WRAP_UP


def test_a_resync_finds_the_answer_that_was_missed() -> None:
    scene = Scene().signed_in()
    scene.on(rang())
    seen = LiveLeg(leg="pbx1/1.1", call_id=CALL, ringing=False, talking=True)
    effects = scene.on(Resynced("pbx1", (seen,)))
    assert scene.state() is AgentState.ON_CALL
    assert OpenWrapUp(CALL, "repair") in effects
    assert scene.agent.stance == WRAPPING


def test_a_resync_keeps_a_phone_that_is_being_rung() -> None:
    scene = Scene().signed_in()
    scene.on(rang())
    seen = LiveLeg(leg="pbx1/1.1", call_id=CALL, ringing=False, talking=False)
    assert scene.on(Resynced("pbx1", (seen,))) == ()


def test_a_resync_finds_calls_that_began_unseen() -> None:
    scene = Scene().signed_in()
    talk = LiveLeg(leg="pbx1/3.1", call_id=OTHER, ringing=False, talking=True)
    scene.on(Resynced("pbx1", (talk,)))
    assert (scene.state(), scene.agent.status.call_id) == (AgentState.ON_CALL, OTHER)


def test_a_resync_of_another_node_says_nothing_of_this_call() -> None:
    scene = Scene().talking()
    assert scene.on(Resynced("pbx2", ())) == ()


def test_a_merged_call_goes_on_under_its_new_id() -> None:
    scene = Scene().talking()
    scene.on(CallMoved(CALL, OTHER))
    assert scene.agent.status.call_id == OTHER
    scene.on(ended(), CallMoved(OTHER, CALL), WrapUpTimedOut(CALL))
    assert scene.state() is AgentState.AVAILABLE


def test_the_age_of_a_state_is_not_reset_by_what_changes_nothing_of_it() -> None:
    scene = Scene().talking()
    since = scene.agent.status.since
    scene.on(Pause("lunch"), TabAsleep(), SignOut())
    assert scene.agent.status.since == since


def test_nothing_a_person_presses_matters_while_signed_out() -> None:
    scene = Scene()
    assert scene.on(Pause("lunch"), Unpause(), SignOut(), TabAsleep(), WrapUpSaved(CALL)) == ()


def test_a_call_without_identity_has_no_wrap_up() -> None:
    scene = Scene().signed_in()
    scene.on(rang(None), answered(None), ended())
    assert scene.state() is AgentState.AVAILABLE


def test_two_calls_the_later_answered_one_does_not_hide_the_first() -> None:
    scene = Scene().talking()
    scene.on(Rang(leg="pbx1/9.1", call_id=OTHER, queue=None), LegUp(leg="pbx1/9.1", call_id=OTHER))
    assert scene.agent.status.call_id == CALL
    scene.on(ended())
    assert (scene.state(), scene.agent.status.call_id) == (AgentState.ON_CALL, OTHER)
    scene.on(LegEnded(leg="pbx1/9.1"))
    assert (scene.state(), scene.agent.status.call_id) == (AgentState.WRAP_UP, CALL)
