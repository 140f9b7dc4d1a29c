"""The agent: one person at one extension, and what they may be asked to do next.

Three facts make the state: what the person wants (at work, on a break with a reason, leaving), which of
their own channels are alive (``legs``), and whether a call still waits for its disposition (``wrap_up``).
The state shown and the standing in the queues (:class:`Stance`) are computed from these three, so that no
order of events, however late or doubled, can leave an agent in a state that nothing ends: legs end with
their channels (or at the next resync), a wrap-up ends at its deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from telephony.domain.agent_state import (
    REASON_NO_ANSWER,
    REASON_SIGN_OUT,
    REASON_TAB_ASLEEP,
    REASON_WRAP_UP,
    AgentPolicy,
    AgentState,
    Leg,
    RingEnd,
    Stance,
    Status,
    WrapUp,
    node_of,
)
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
    PauseTimedOut,
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

__all__ = ["Agent", "AgentPolicy", "AgentState"]


@dataclass(slots=True, kw_only=True)
class Agent:
    """The state machine. All fields are facts; :attr:`status` and :attr:`stance` are computed.

    Attributes:
        leaving: signed out, but a call or its wrap-up is not finished.
        pause_reason: the break the person (or the rule about unanswered calls) chose.
        asleep: the page is silent; the break that follows ends by itself when it wakes.
        no_answers: calls in a row that the agent let ring.
        status: as last published.
    """

    agent_id: str
    number: str
    status: Status
    signed_in: bool = False
    leaving: bool = False
    pause_reason: str | None = None
    asleep: bool = False
    legs: tuple[Leg, ...] = ()
    wrap_up: WrapUp | None = None
    no_answers: int = 0
    policy: AgentPolicy = field(default_factory=AgentPolicy)

    @classmethod
    def new(cls, agent_id: str, number: str, *, now: datetime, policy: AgentPolicy | None = None) -> "Agent":
        """Return an agent who has never signed in."""
        status = Status(state=AgentState.SIGNED_OUT, reason=None, call_id=None, queue=None, since=now)
        return cls(agent_id=agent_id, number=number, status=status, policy=policy or AgentPolicy())

    # What follows from the facts

    @property
    def break_reason(self) -> str | None:
        """The reason for which the agent takes no calls when otherwise free."""
        return self.pause_reason or (REASON_TAB_ASLEEP if self.asleep else None)

    @property
    def busy(self) -> bool:
        """True during a call, a ring and a wrap-up."""
        return bool(self.legs) or self.wrap_up is not None

    @property
    def stance(self) -> Stance:
        """How the agent stands in their queues.

        Paused from the moment a call is connected, not from its end: between the hang-up and our knowing
        of it the queue would already ring the next caller.
        """
        if not self.signed_in:
            return Stance(present=False)
        if self.leaving:
            return Stance(present=True, paused=True, reason=REASON_SIGN_OUT)
        reason = self.break_reason
        if reason is not None:
            return Stance(present=True, paused=True, reason=reason)
        if self.wrap_up is not None or any(leg.owes_wrap_up for leg in self.legs):
            return Stance(present=True, paused=True, reason=REASON_WRAP_UP)
        return Stance(present=True)

    def _status(self, now: datetime) -> Status:
        state, reason, call_id, queue = self._shown()
        next_state: AgentState | None = None
        next_reason: str | None = None
        if self.signed_in and self.busy:
            if self.leaving:
                next_state = AgentState.SIGNED_OUT
            elif self.break_reason is not None:
                next_state, next_reason = AgentState.PAUSED, self.break_reason
        status = Status(
            state=state,
            reason=reason,
            call_id=call_id,
            queue=queue,
            since=now,
            next_state=next_state,
            next_reason=next_reason,
        )
        return replace(status, since=self.status.since) if status.same_state(self.status) else status

    def _shown(self) -> tuple[AgentState, str | None, str | None, str | None]:
        if not self.signed_in:
            return AgentState.SIGNED_OUT, None, None, None
        for talking, state in ((True, AgentState.ON_CALL), (False, AgentState.RINGING)):
            for leg in self.legs:
                if leg.talking is talking:
                    return state, None, leg.call_id, leg.queue
        if self.wrap_up is not None:
            return AgentState.WRAP_UP, None, self.wrap_up.call_id, self.wrap_up.queue
        if self.break_reason is not None:
            return AgentState.PAUSED, self.break_reason, None, None
        return AgentState.AVAILABLE, None, None, None

    # The machine

    def handle(self, event: AgentEvent, *, now: datetime) -> tuple[Effect, ...]:
        """Take one event; return what must be done about it. Any event is allowed in any state."""
        stance, wrap_up = self.stance, self.wrap_up
        effects: list[Effect] = []
        if self.wrap_up is not None and now >= self.wrap_up.until:
            self.wrap_up = None
        self._take(event, now, effects)
        if self.leaving and not self.busy:
            self._leave()
        if wrap_up is not None and self.wrap_up != wrap_up:
            effects.append(EndWrapUp(wrap_up.call_id))
        if self.wrap_up is not None and self.wrap_up != wrap_up:
            effects.append(StartWrapUp(self.wrap_up.call_id, self.wrap_up.queue, self.wrap_up.until))
        if self.stance != stance:
            effects.append(FollowStance(self.stance))
        status = self._status(now)
        if not status.same_but_for_age(self.status):
            entered = not status.same_state(self.status)
            self.status = status
            effects.append(PublishState(status, entered))
        return tuple(effects)

    def _take(self, event: AgentEvent, now: datetime, effects: list[Effect]) -> None:
        match event:
            case SignIn():
                self._enter()
            case SignOut():
                self.leaving = self.signed_in
            case Pause(reason):
                self.pause_reason = reason if self.signed_in else None
            case Unpause():
                self.pause_reason, self.asleep, self.no_answers = None, False, 0
            case PauseTimedOut(reason, since):
                if (self.pause_reason, self.status.since) == (reason, since) and not self.busy:
                    self.pause_reason, self.no_answers = None, 0
            case TabAsleep():
                self.asleep = self.signed_in
            case TabAwake():
                self.asleep = False
            case Rang() | Answered() | LegUp():
                self._leg_alive(event, now, effects)
            case QueueGaveUp(leg=leg):
                self.legs = tuple(
                    replace(other, unanswered=True) if other.leg == leg else other for other in self.legs
                )
            case LegEnded(leg=leg, ring_end=ring_end):
                self._leg_ended(leg, ring_end, now)
            case WrapUpSaved(call_id):
                self._saved(call_id)
            case WrapUpTimedOut(call_id):
                if self.wrap_up is not None and self.wrap_up.call_id == call_id:
                    self.wrap_up = None
            case Resynced(node, live):
                self._resynced(node, live, now, effects)
            case CallMoved(old, new):
                self._moved(old, new)

    def _enter(self) -> None:
        self.leaving = False
        if not self.signed_in:
            self.signed_in = True
            self.pause_reason, self.asleep, self.no_answers = None, False, 0

    def _leave(self) -> None:
        self.signed_in = self.leaving = self.asleep = False
        self.pause_reason, self.no_answers = None, 0

    def _find(self, name: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.leg == name), None)

    def _leg_alive(self, event: Rang | Answered | LegUp, now: datetime, effects: list[Effect]) -> None:
        known = self._find(event.leg)
        leg = known or Leg(leg=event.leg, call_id=event.call_id, queue=None, talking=False, since=now)
        if leg.call_id is None:
            leg = replace(leg, call_id=event.call_id)
        match event:
            case Rang() if event.queue is not None and not leg.talking:
                leg = replace(leg, queue=event.queue, wrap_up=event.wrap_up)
            case Answered():
                self.no_answers = 0
                leg = _talk(replace(leg, queue=event.queue, wrap_up=event.wrap_up), now)
            case LegUp() if leg.queue is None:
                leg = _talk(leg, now)
            case _:
                pass
        self._put(leg, known, effects)

    def _put(self, leg: Leg, known: Leg | None, effects: list[Effect]) -> None:
        if leg == known:
            return
        self.legs = (*(other for other in self.legs if other.leg != leg.leg), leg)
        taken = leg.talking and leg.call_id is not None
        if taken and not (known is not None and known.talking and known.call_id == leg.call_id):
            effects.append(OpenWrapUp(str(leg.call_id), leg.queue))

    def _leg_ended(self, name: str, ring_end: RingEnd, now: datetime) -> None:
        leg = self._find(name)
        if leg is None:
            return
        self.legs = tuple(other for other in self.legs if other.leg != name)
        if not leg.talking:
            self._ring_ended(leg, ring_end)
        elif leg.owes_wrap_up and leg.call_id is not None and self.signed_in:
            self.wrap_up = WrapUp(call_id=leg.call_id, queue=leg.queue, until=now + leg.wrap_up)

    def _ring_ended(self, leg: Leg, ring_end: RingEnd) -> None:
        left_ringing = leg.unanswered and ring_end is RingEnd.ABANDONED
        if not (left_ringing or ring_end is RingEnd.NO_ANSWER) or leg.queue is None:
            return
        self.no_answers += 1
        limit = self.policy.no_answers_before_pause
        if limit and self.no_answers >= limit and self.signed_in and self.pause_reason is None:
            self.pause_reason = REASON_NO_ANSWER

    def _saved(self, call_id: str) -> None:
        if self.wrap_up is not None and self.wrap_up.call_id == call_id:
            self.wrap_up = None
        self.legs = tuple(
            replace(leg, saved=True) if leg.call_id == call_id and leg.talking else leg for leg in self.legs
        )

    def _moved(self, old: str, new: str) -> None:
        self.legs = tuple(replace(leg, call_id=new) if leg.call_id == old else leg for leg in self.legs)
        if self.wrap_up is not None and self.wrap_up.call_id == old:
            self.wrap_up = replace(self.wrap_up, call_id=new)

    def _resynced(self, node: str, live: tuple[LiveLeg, ...], now: datetime, effects: list[Effect]) -> None:
        alive: Mapping[str, LiveLeg] = {leg.leg: leg for leg in live}
        for leg in self.legs:
            seen = alive.get(leg.leg)
            if node_of(leg.leg) != node:
                continue
            if seen is None:
                self._leg_ended(leg.leg, RingEnd.ABANDONED, now)
            elif seen.talking and not leg.talking:
                self._put(_talk(leg, now), leg, effects)
        for seen in live:
            if self._find(seen.leg) is not None:
                continue
            if seen.talking:
                self._leg_alive(LegUp(leg=seen.leg, call_id=seen.call_id), now, effects)
            elif seen.ringing:
                self._leg_alive(Rang(leg=seen.leg, call_id=seen.call_id, queue=None), now, effects)


def _talk(leg: Leg, now: datetime) -> Leg:
    return replace(leg, talking=True, since=leg.since if leg.talking else now)
