"""A supervisor's ear on a call: what is wanted, what is, and what must be done next. Pure.

Nothing is remembered between two looks: every order follows from the wish (a row), the ear (a channel of the
PBX) and the call, so that a service that was started anew goes on where the last one was killed.
"""

from dataclasses import dataclass
from enum import StrEnum

EAR = "ear-"
"""How the id of a channel begins that was made for a supervisor; the id of the listening follows."""


def is_ear(uniqueid: str) -> bool:
    """Tell whether a channel was made for a supervisor to listen."""
    return uniqueid.startswith(EAR)


class Mode(StrEnum):
    """How a supervisor is with a call."""

    LISTEN = "listen"
    """Hears both; nobody hears them."""
    WHISPER = "whisper"
    """The agent hears them, the customer does not."""
    BARGE = "barge"
    """All three hear each other."""
    TAKE_OVER = "take_over"
    """Talks with the customer instead of the agent."""


KEYS = {Mode.LISTEN: "4", Mode.WHISPER: "5", Mode.BARGE: "6"}
"""The key of the supervisor's telephone, and the extension of the dialplan."""
SILENCE = "wait"
"""The extension where nothing is heard."""


class ListeningEnd(StrEnum):
    """Why it is over."""

    LEFT = "left"
    CALL_ENDED = "call_ended"
    NOT_ANSWERED = "not_answered"
    FAILED = "failed"
    TAKEN_OVER = "taken_over"
    """The supervisor talked with the customer until that call ended."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The call as far as listening goes.

    Attributes:
        hushed: nobody may listen now: a card number is being said.
        agent: uniqueid of the channel of ours that is listened to; ``None`` while nobody of ours is there.
        customer: uniqueid of the other side's.
    """

    is_open: bool
    hushed: bool = False
    agent: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Ear:
    """The supervisor's channel.

    Attributes:
        up: they have answered.
        mode: what the PBX does with it; ``None``: nothing is heard.
        spied: uniqueid of the channel it is on.
    """

    up: bool
    mode: Mode | None = None
    spied: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring the supervisor's telephone, once."""

    spied: str


@dataclass(frozen=True, slots=True)
class Move:
    """Have the ear do something else; ``mode`` ``None``: hear nothing."""

    mode: Mode | None
    spied: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """Connect the supervisor with the customer and let the agent go."""

    customer: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the supervisor's channel."""


@dataclass(frozen=True, slots=True)
class Close:
    """There is nothing more to do."""

    why: ListeningEnd


Order = Ring | Move | Take | HangUp | Close


def decide(wanted: Mode | None, rung: bool, ear: Ear | None, call: Heard) -> Order | None:
    """Return what must be done now, ``None`` for nothing.

    Args:
        wanted: ``None``: the supervisor wants to leave.
        rung: the telephone has been rung for it; it is never rung twice.
        ear: ``None`` where there is no such channel.
    """
    if ear is None:
        return _without_ear(wanted, rung, call)
    if ear.mode is Mode.TAKE_OVER:
        # They talk with the customer: it ends as calls do, unless they want to leave.
        return HangUp() if wanted is None else None
    if wanted is None or not call.is_open:
        return HangUp()
    if not ear.up:
        return None
    if wanted is Mode.TAKE_OVER:
        return Take(call.customer) if call.customer is not None else _silence(ear)
    if call.hushed or call.agent is None:
        return _silence(ear)
    if ear.mode is not wanted or ear.spied != call.agent:
        return Move(wanted, call.agent)
    return None


def _without_ear(wanted: Mode | None, rung: bool, call: Heard) -> Order:
    if not call.is_open:
        return Close(ListeningEnd.CALL_ENDED)
    if wanted is None or rung:
        return Close(ListeningEnd.LEFT)
    if call.agent is None:
        return Close(ListeningEnd.CALL_ENDED)
    return Ring(call.agent)


def _silence(ear: Ear) -> Order | None:
    return None if ear.mode is None else Move(None)
