"""The telephone exchange as the dialler needs it: a port; :mod:`callback_campaigns.exchange_ami` fills it.

An Originate is written once. Its answer is one of three: taken, certainly not made, or in doubt; nothing
raises, and nobody tries again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from callback_campaigns.domain.attempt import AttemptState
from kernel.errors import Unavailable


class Way(StrEnum):
    """What happens when the customer answers."""

    SURVEY = "survey"
    """The system asks."""
    PERSON = "person"
    """Whoever is free in a queue takes the call, within two seconds."""
    PREVIEW = "preview"
    """The agent's own telephone rang first, and the customer is called from there."""
    MASKED = "masked"
    """So for somebody who is not to see the customer's number: every display shows the company's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOrder:
    """One call to be placed.

    Attributes:
        attempt_id: also the call's id; its channel is found by ``att-`` and this.
        number: E.164.
        ring: how long the telephone rings at most.
        queue: who takes the call, with :attr:`Way.PERSON`; also where a survey leads on request.
        amd: listen for an answering machine first.
        agent_number: the extension that rings first, with :attr:`Way.PREVIEW` and :attr:`Way.MASKED`.
        own_number: instead of it with :attr:`Way.MASKED`, a telephone in the network (E.164).
        record: the conversation is recorded, where the centre records any.
        at_once: the agent has asked for this call just now: their telephone may answer by itself.
    """

    attempt_id: str
    number: str
    trunk: str
    caller_id: str
    way: Way
    ring: timedelta
    queue: str | None = None
    amd: bool = False
    agent_number: str | None = None
    own_number: str | None = None
    record: bool = True
    at_once: bool = False


class Sending(StrEnum):
    """What is known after an Originate was to be written."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    """For certain: there was no link to write to, or the switch refused it."""
    DOUBT = "doubt"
    """It was written, perhaps, and no answer came: it is looked for, never written again."""


class ExchangeAway(Unavailable):
    """The exchange cannot be asked now."""

    code = "exchange_away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How well the exchange is known. ``as_of``: when it was last heard."""

    live: bool
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The agents of a queue. Moments are of the wall clock.

    Attributes:
        waiting: customers who wait in it.
    """

    free: int = 0
    ringing: int = 0
    talking_since: tuple[datetime, ...] = ()
    wrapping_since: tuple[datetime, ...] = ()
    waiting: int = 0

    @property
    def signed_in(self) -> int:
        """How many are there, whatever they do."""
        return self.free + self.ringing + len(self.talking_since) + len(self.wrapping_since)


class Exchange(Protocol):
    """One PBX. What is asked without waiting is answered from memory."""

    @property
    def node(self) -> str:
        """Return its name in the centre."""
        ...

    async def originate(self, order: DialOrder) -> Sending:
        """Write the Originate, once. Cancelled, it is in doubt."""
        ...

    def picture(self) -> Picture:
        """Return how well the exchange is known now."""
        ...

    async def freshen(self, older_than: timedelta) -> None:
        """Ask for a sign of life if the last one is older."""
        ...

    def used(self, trunk: str) -> int:
        """Return the calls on a trunk, of everybody."""
        ...

    def on_call(self, number: str) -> bool:
        """Tell whether somebody with this number talks with us, or is being called."""
        ...

    def reachable(self, extension: str) -> bool:
        """Tell whether a telephone is registered as this extension."""
        ...

    def knows(self, attempt_id: str) -> bool:
        """Tell whether the call of an attempt was seen, and is over or not."""
        ...

    def seen(self, attempt_id: str) -> AttemptState | None:
        """Return where the call of an attempt stands, ``None`` when there is none in progress."""
        ...

    async def look(self) -> frozenset[str]:
        """Return the attempts that have a channel, from a fresh and whole snapshot.

        Raises:
            ExchangeAway: there is no such snapshot now.
        """
        ...

    def people(self, queue: str) -> People:
        """Return the agents of a queue."""
        ...
