"""What is known of an agent: the words and values that the state machine, its storage and its users share."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class AgentState(StrEnum):
    """What a supervisor sees."""

    SIGNED_OUT = "signed_out"
    AVAILABLE = "available"
    RINGING = "ringing"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"


RESERVED = "reserved"
"""Shown in place of *available* for the seconds in which the agent is kept for a customer who is called back
(:class:`telephony.events.AgentReserved`)."""


class RingEnd(StrEnum):
    """Why a phone stopped ringing without an answer."""

    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    BUSY = "busy"
    ABANDONED = "abandoned"


REASON_NO_ANSWER = "no_answer"
REASON_TAB_ASLEEP = "tab_asleep"
REASON_WRAP_UP = "wrap-up"
REASON_SIGN_OUT = "sign-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPolicy:
    """Rules that a site sets.

    Attributes:
        no_answers_before_pause: pause the agent after so many calls in a row that they let ring; 0 never.
    """

    no_answers_before_pause: int = 2


def leg_id(node: str, uniqueid: str) -> str:
    """Return the name of a channel that is unique over all PBX nodes."""
    return f"{node}/{uniqueid}"


def node_of(leg: str) -> str:
    """Return the PBX node of a :func:`leg_id`."""
    return leg.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One channel of the agent's own phone.

    Attributes:
        leg: :func:`leg_id` of the channel.
        queue: the queue that rang it; ``None`` for an internal or outgoing call.
        wrap_up: how long wrap-up lasts after it; zero for none.
        saved: the disposition was saved while the call still went on.
        unanswered: the queue gave up ringing it.
    """

    leg: str
    call_id: str | None
    queue: str | None
    talking: bool
    since: datetime
    wrap_up: timedelta = timedelta(0)
    saved: bool = False
    unanswered: bool = False

    @property
    def owes_wrap_up(self) -> bool:
        """True when hanging up will start a wrap-up."""
        return self.talking and not self.saved and self.call_id is not None and self.wrap_up > timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUp:
    """A finished call that waits for its disposition."""

    call_id: str
    queue: str | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """How the agent must stand in every one of their queues. Asterisk follows this."""

    present: bool
    paused: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state as shown.

    Attributes:
        reason: the pause reason's code, when paused.
        since: when this state (with this reason and call) began.
        next_state: what the agent has already asked for after the present call (paused, signed out).
    """

    state: AgentState
    reason: str | None
    call_id: str | None
    queue: str | None
    since: datetime
    next_state: AgentState | None = None
    next_reason: str | None = None

    def same_state(self, other: "Status") -> bool:
        """Tell whether it is the same stretch of the agent's day."""
        return (self.state, self.reason, self.call_id) == (other.state, other.reason, other.call_id)

    def same_but_for_age(self, other: "Status") -> bool:
        """Tell whether only ``since`` differs."""
        return replace(self, since=other.since) == other
