"""What the call model asks its service to do: tell it on, and save the call."""

from datetime import datetime
from typing import NamedTuple

from telephony.domain.call import Call
from telephony.domain.leg import Leg
from telephony.domain.timeline import TimelineRow


class Opened(NamedTuple):
    """A call exists."""

    call: Call


class Changed(NamedTuple):
    """Something to save, nothing to tell."""

    call: Call


class Progressed(NamedTuple):
    """A row of the time line."""

    call: Call
    row: TimelineRow


class Answered(NamedTuple):
    """A person took the call."""

    call: Call
    agent_number: str | None
    at: datetime


class RingStarted(NamedTuple):
    """An agent's phone rings."""

    call: Call
    leg: Leg
    queue: str | None
    at: datetime


class RingEnded(NamedTuple):
    """An agent's phone stopped ringing."""

    call: Call
    leg: Leg
    reason: str
    at: datetime


class Merged(NamedTuple):
    """A consultation became part of ``into``."""

    call: Call
    into: Call
    at: datetime


class Ended(NamedTuple):
    """A call is over."""

    call: Call


Effect = Opened | Changed | Progressed | Answered | RingStarted | RingEnded | Merged | Ended
