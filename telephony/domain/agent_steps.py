"""What happens to an agent (events), and what must be done about it (effects). Data only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from telephony.domain.agent_state import RingEnd, Stance, Status

# Events


@dataclass(frozen=True, slots=True)
class SignIn:
    """The person starts work."""


@dataclass(frozen=True, slots=True)
class SignOut:
    """The person leaves; during a call and its wrap-up this waits for their end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The person takes a break; during a call and its wrap-up this waits for their end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unpause:
    """The person is back."""


@dataclass(frozen=True, slots=True)
class PauseTimedOut:
    """The time of a break is over that ends by itself; of no other one than that which began at ``since``."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rang:
    """The phone rings: for a queue, or (``queue`` None) for an internal call."""

    leg: str
    call_id: str | None
    queue: str | None
    wrap_up: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueGaveUp:
    """The queue stopped ringing the phone; how the channel ends tells whether it was left ringing."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A queue connected its caller to the agent."""

    leg: str
    call_id: str | None
    queue: str
    wrap_up: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUp:
    """A channel of the phone is up, or dials. Of a queue's ring it proves nothing: :class:`Answered` does."""

    leg: str
    call_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded:
    """A channel of the phone is gone, or its queue call is over. ``ring_end`` says why, if it still rang."""

    leg: str
    ring_end: RingEnd = RingEnd.ABANDONED


@dataclass(frozen=True, slots=True)
class WrapUpSaved:
    """The disposition of a call was saved."""

    call_id: str


@dataclass(frozen=True, slots=True)
class WrapUpTimedOut:
    """The timer of a call's wrap-up ended."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TabAsleep:
    """The agent's page has not been heard of for too long: no caller may ring into a dead tab."""


@dataclass(frozen=True, slots=True)
class TabAwake:
    """The agent's page is heard again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLeg:
    """One channel of the phone in a snapshot; neither ringing nor talking while it is being set up."""

    leg: str
    call_id: str | None
    ringing: bool
    talking: bool


@dataclass(frozen=True, slots=True)
class Resynced:
    """A snapshot of a PBX: there these channels of the phone exist, and no others."""

    node: str
    legs: tuple[LiveLeg, ...]


@dataclass(frozen=True, slots=True)
class CallMoved:
    """Two calls turned out to be one (a consultation that ended in a transfer)."""

    old_call_id: str
    new_call_id: str


AgentEvent = (
    SignIn
    | SignOut
    | Pause
    | Unpause
    | PauseTimedOut
    | Rang
    | QueueGaveUp
    | Answered
    | LegUp
    | LegEnded
    | WrapUpSaved
    | WrapUpTimedOut
    | TabAsleep
    | TabAwake
    | Resynced
    | CallMoved
)


# Effects


@dataclass(frozen=True, slots=True)
class FollowStance:
    """Bring the agent's members in Asterisk to this stance (add, remove, pause, unpause)."""

    stance: Stance


@dataclass(frozen=True, slots=True)
class OpenWrapUp:
    """A call was taken: from now on its disposition may be saved."""

    call_id: str
    queue: str | None


@dataclass(frozen=True, slots=True)
class StartWrapUp:
    """The call is over; end its wrap-up at ``deadline`` at the latest."""

    call_id: str
    queue: str | None
    deadline: datetime


@dataclass(frozen=True, slots=True)
class EndWrapUp:
    """The wrap-up is over: its timer is needed no more."""

    call_id: str


@dataclass(frozen=True, slots=True)
class PublishState:
    """Tell everyone, and write the log when the state itself changed (``entered``)."""

    status: Status
    entered: bool


Effect = FollowStance | OpenWrapUp | StartWrapUp | EndWrapUp | PublishState
