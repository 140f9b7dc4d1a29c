"""What pages and the API are told of a call in an agent's hand, and what they may ask for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kernel.access import Actor
from kernel.errors import Conflict, Forbidden, NotFound, TooMany, Unavailable
from telephony.domain.hand import HandState, Step


class TargetKind(StrEnum):
    """Whom or what a customer can be sent to."""

    AGENT = "agent"
    QUEUE = "queue"
    FLOW = "flow"
    OUTSIDE = "outside"


class HandNotice(StrEnum):
    """Why somebody who was asked is not there."""

    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    HUNG_UP = "hung_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a customer is to go, or who is to be asked: an agent's number, a queue, a flow, a number."""

    kind: TargetKind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A target that was found to be there.

    Attributes:
        value: as the dialplan takes it.
        label: as people know it.
    """

    kind: TargetKind
    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandView:
    """A call as one agent has it.

    Attributes:
        steps: what may be done now.
        target, target_label: who was asked; ``None`` where nobody was.
        since: when it came to this.
        notice: why nobody is asked any more, until the next step.
    """

    call_id: str
    agent_number: str
    state: HandState
    steps: tuple[Step, ...]
    target: str | None = None
    target_label: str = ""
    since: datetime
    notice: HandNotice | None = None


class NoSuchCall(NotFound):
    """There is no such call in progress."""

    code = "no_such_call"


class NotYourCall(Forbidden):
    """The agent is not in this call."""

    code = "not_your_call"


class StepUnderWay(Conflict):
    """Another step of the same call is being taken this moment."""

    code = "call_step_under_way"


class StepNotPossible(Conflict):
    """The call does not stand so that this could be done."""

    code = "call_step_not_possible"


class SomebodyLeft(Conflict):
    """Somebody hung up meanwhile."""

    code = "call_party_gone"


class StepNotDone(Unavailable):
    """The PBX did not do it, or did not say so in time."""

    code = "call_step_not_done"


class TargetUnknown(NotFound):
    """There is no such agent, queue, flow or number to go to."""

    code = "target_unknown"


class TargetAway(Conflict):
    """The colleague's telephone cannot be rung now."""

    code = "target_away"


class OutsideRefused(Forbidden):
    """This number may not be called from here."""

    code = "outside_refused"


class OutsideTooOften(TooMany):
    """So many outside numbers in so short a time are not a customer's matter."""

    code = "outside_too_often"


class Destinations(Protocol):
    """Knows whom a customer can be sent to."""

    async def find(self, target: Target, *, agent_number: str, ask: bool) -> Destination:
        """Return the target as the dialplan takes it.

        Args:
            agent_number: who sends or asks.
            ask: it is to be asked, not sent to: only people can be.

        Raises:
            TargetUnknown: there is none.
            TargetAway: the colleague cannot be rung.
            OutsideRefused, OutsideTooOften: the number is outside of what is allowed.
        """
        ...


class ControlsCalls(Protocol):
    """Does what agents ask for: :class:`telephony.call_control.CallControl`, or over the bus."""

    async def look(self, actor: Actor, call_id: str, agent_number: str) -> HandView:
        """Return the call as the agent has it. Raises NoSuchCall."""
        ...

    async def act(
        self,
        actor: Actor,
        call_id: str,
        agent_number: str,
        step: Step,
        *,
        target: Target | None = None,
        expected: HandState | None = None,
    ) -> HandView:
        """Take a step; see :meth:`telephony.call_control.CallControl.act`."""
        ...
