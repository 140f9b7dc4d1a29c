"""A caller's place in a queue that waits while they do not: pure.

========== =================================================================================================
state      means
========== =================================================================================================
WAITING    the place stands in the queue, from ``due_at`` on
CALLING    it was its turn: an agent's telephone, then the customer's, is being called
TALKED     the customer talked with somebody
TAKEN_UP   the customer phoned again and talked with somebody before it was their turn
HANDED_ON  people call the customer back: the system could not, or may not
EXPIRED    nobody was free in time; people call back
CANCELLED  somebody took it out of the queue
========== =================================================================================================

An agent who did not take the call costs the customer nothing: their telephone did not ring. What is not known
counts as a try, so that nobody is called more often than the rule says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callback_campaigns.domain.refusal import Refusal
from callback_campaigns.domain.terms import Outcome
from kernel.errors import Conflict


class PlaceState(StrEnum):
    """Where a place is."""

    WAITING = "waiting"
    CALLING = "calling"
    TALKED = "talked"
    TAKEN_UP = "taken_up"
    HANDED_ON = "handed_on"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the number has a place."""
        return self in {PlaceState.WAITING, PlaceState.CALLING}

    @property
    def for_people(self) -> bool:
        """Whether somebody has to call back by hand."""
        return self in {PlaceState.HANDED_ON, PlaceState.EXPIRED}


class PlaceNotOpen(Conflict):
    """The place is over, or its call goes on."""

    code = "place_not_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRules:
    """What a site wants.

    Attributes:
        kept: how long a place waits at most.
        tries: how often the customer's telephone rings at most.
        again: after so long it rings again.
        agents: so many agents in a row may let it ring before people look at it.
    """

    kept: timedelta = timedelta(hours=2)
    tries: int = 2
    again: timedelta = timedelta(minutes=10)
    agents: int = 10
    soon: timedelta = timedelta(seconds=5)
    refused: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """A place.

    Attributes:
        joined_at: when the caller came to the queue: what the place is worth.
        priority: of the call in the queue; put forward it rises.
        due_at: before that it is nobody's turn.
        tries: how often the customer's telephone rang.
        misses: how often in a row an agent's rang for nothing.
    """

    place_id: str
    queue: str
    joined_at: datetime
    expires_at: datetime
    due_at: datetime
    priority: int = 0
    state: PlaceState = PlaceState.WAITING
    attempt_id: str | None = None
    tries: int = 0
    misses: int = 0
    ended_at: datetime | None = None

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """Sorts places as Asterisk sorts the callers of a queue."""
        return -self.priority, self.joined_at, self.place_id

    def waits(self, now: datetime) -> bool:
        """Tell whether it could be its turn."""
        return self.state is PlaceState.WAITING and self.due_at <= now < self.expires_at


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits on the line."""

    priority: int
    joined_at: datetime


def turns(places: Iterable[QueuePlace], waiting: Sequence[Waiting], now: datetime) -> tuple[QueuePlace, ...]:
    """Return the places of one queue that nobody on the line is before, the first first."""
    ahead = min(((-one.priority, one.joined_at) for one in waiting), default=None)
    mine = sorted((place for place in places if place.waits(now)), key=lambda place: place.rank)
    return tuple(place for place in mine if ahead is None or place.rank[:2] <= ahead)


def begin_call(place: QueuePlace, attempt_id: str, now: datetime) -> QueuePlace:
    """Return the place with its call committed. Raises PlaceNotOpen: it is not waiting."""
    if not place.waits(now):
        raise PlaceNotOpen("this place is not waiting any more", field="place_id")
    return replace(place, state=PlaceState.CALLING, attempt_id=attempt_id)


def refused(place: QueuePlace, refusal: Refusal, rules: PlaceRules, now: datetime) -> QueuePlace:
    """Return the place after a call was not allowed: later, or for people to look at."""
    if place.state is not PlaceState.WAITING:
        return place
    if refusal.code.ends_task or (refusal.until is not None and refusal.until >= place.expires_at):
        return _ended(place, PlaceState.HANDED_ON, now)
    later = max(refusal.until or now, now + rules.refused)
    return replace(place, due_at=later)


def call_over(place: QueuePlace, outcome: Outcome, rules: PlaceRules, now: datetime) -> QueuePlace:
    """Return the place after its call; told twice, it is told once."""
    if place.state is not PlaceState.CALLING:
        return place
    if outcome is Outcome.ANSWERED:
        return _ended(place, PlaceState.TALKED, now)
    if outcome is Outcome.FAILED:
        missed = replace(place, state=PlaceState.WAITING, misses=place.misses + 1, due_at=now + rules.soon)
        return missed if missed.misses < rules.agents else _ended(missed, PlaceState.HANDED_ON, now)
    tried = replace(place, tries=place.tries + 1, misses=0)
    again = now + rules.again
    if tried.tries >= rules.tries or again >= place.expires_at:
        return _ended(tried, PlaceState.HANDED_ON, now)
    return replace(tried, state=PlaceState.WAITING, due_at=again)


def out_of_time(place: QueuePlace, now: datetime) -> QueuePlace:
    """Return the place as it stands when its time is over; a call that goes on is waited for."""
    over = place.state is PlaceState.WAITING and now >= place.expires_at
    return _ended(place, PlaceState.EXPIRED, now) if over else place


def taken_up(place: QueuePlace, now: datetime) -> QueuePlace:
    """Return the place of a customer who phoned again and was answered."""
    return _ended(place, PlaceState.TAKEN_UP, now) if place.state is PlaceState.WAITING else place


def cancel(place: QueuePlace, now: datetime) -> QueuePlace:
    """Return the place taken out of the queue. Raises PlaceNotOpen: it is over, or being called."""
    if place.state is not PlaceState.WAITING:
        raise PlaceNotOpen("this place is over, or is being called just now", field="place_id")
    return _ended(place, PlaceState.CANCELLED, now)


def forward(place: QueuePlace, ahead: int, now: datetime) -> QueuePlace:
    """Return the place before everybody of the priority ``ahead``, and due. Raises PlaceNotOpen."""
    if place.state is not PlaceState.WAITING:
        raise PlaceNotOpen("this place is over, or is being called just now", field="place_id")
    return replace(place, priority=max(place.priority, ahead + 1), due_at=min(place.due_at, now))


def _ended(place: QueuePlace, state: PlaceState, now: datetime) -> QueuePlace:
    return replace(place, state=state, ended_at=now)
