"""A centre's day in virtual time, event by event; and the same day with a dialler that knows the future."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from heapq import heapify, heappop, heappush, heapreplace

from callback_campaigns.pacing.simulation.centre import Centre, Contact, Contacts
from callback_campaigns.pacing.simulation.diallers import Dialler
from callback_campaigns.pacing.terms import Snapshot

ANSWER_SECONDS = 2.0
"""A live answer without a person after this is abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a dialler made of a centre's day."""

    occupancy: float
    """(talk + wrap-up) ÷ (talk + wrap-up + free); pauses are neither."""
    live: int
    abandoned: int
    dials: int
    connected: int
    hours: float
    excess: float
    """The most that abandoned calls ever were above the cap's share of the live answers, in calls."""

    @property
    def abandonment(self) -> float:
        """Abandoned ÷ live answers."""
        return self.abandoned / self.live if self.live else 0.0

    @property
    def calls_per_hour(self) -> float:
        """Conversations per hour."""
        return self.connected / self.hours


class _Kind(IntEnum):
    PERSON, FAILED, PATIENCE_ENDED, TALK_ENDED, WRAP_ENDED, PAUSE_ENDED, BEAT = range(7)


class Run:
    """One dialler at one centre."""

    def __init__(self, centre: Centre, contacts: Contacts, dialler: Dialler, cap: float) -> None:
        self._centre = centre
        self._dialler = dialler
        self._cap = cap
        self._contacts: Iterator[Contact] = iter(contacts)
        self._events: list[tuple[float, int, _Kind, int]] = []
        self._sequence = 0
        self._of: dict[int, Contact] = {}
        self._dialling: dict[int, float] = {}
        self._talking: dict[int, float] = {}
        self._wrapping: dict[int, float] = {}
        self._waiting: deque[int] = deque()
        self._free = centre.agents
        self._now = 0.0
        self._busy_seconds = 0.0
        self._free_seconds = 0.0
        self._dials = self._connected = self._live = self._abandoned = 0
        self._excess = 0.0

    def outcome(self, beat: Callable[[float], None] | None = None) -> Outcome:
        """Run to the end; calls in progress then are still answered. ``beat`` hears the time now and then."""
        end = self._centre.seconds
        self._at(0.0, _Kind.BEAT, 0)
        beats = 0
        while self._events and (self._now < end or self._dialling or self._waiting):
            at, _, kind, dial = heappop(self._events)
            self._pass_time(at, end)
            self._happen(kind, dial, end)
            if kind is _Kind.BEAT:
                beats += 1
                if beat is not None and beats % 600 == 0:
                    beat(at)
        signed_in = self._busy_seconds + self._free_seconds
        return Outcome(
            occupancy=self._busy_seconds / signed_in if signed_in else 0.0,
            live=self._live,
            abandoned=self._abandoned,
            dials=self._dials,
            connected=self._connected,
            hours=self._centre.hours,
            excess=self._excess,
        )

    def _at(self, when: float, kind: _Kind, dial: int) -> None:
        self._sequence += 1
        heappush(self._events, (when, self._sequence, kind, dial))

    def _pass_time(self, at: float, end: float) -> None:
        passed = min(at, end) - min(self._now, end)
        self._busy_seconds += passed * (len(self._talking) + len(self._wrapping))
        self._free_seconds += passed * self._free
        self._now = at

    def _happen(self, kind: _Kind, dial: int, end: float) -> None:
        now = self._now
        if kind is _Kind.BEAT:
            if now < end:
                self._dial(self._dialler.how_many(self._snapshot()))
                self._at(now + self._centre.beat, _Kind.BEAT, 0)
        elif kind is _Kind.PERSON:
            self._dialler.dial_answered(now - self._dialling.pop(dial))
            if self._free:
                self._connect(dial)
            else:
                self._waiting.append(dial)
                self._at(now + max(0.0, ANSWER_SECONDS - self._centre.screening), _Kind.PATIENCE_ENDED, dial)
        elif kind is _Kind.FAILED:
            self._dialler.dial_failed(now - self._dialling.pop(dial))
            del self._of[dial]
        elif kind is _Kind.PATIENCE_ENDED:
            if dial in self._waiting:
                self._waiting.remove(dial)
                del self._of[dial]
                self._count(abandoned=True)
        elif kind is _Kind.TALK_ENDED:
            self._dialler.talk_ended(now - self._talking.pop(dial))
            self._wrapping[dial] = now
            self._at(now + self._of[dial].wrap, _Kind.WRAP_ENDED, dial)
        elif kind is _Kind.WRAP_ENDED:
            pause = self._of.pop(dial).pause
            self._dialler.wrap_up_ended(now - self._wrapping.pop(dial), free=not pause)
            if pause:
                self._at(now + pause, _Kind.PAUSE_ENDED, dial)
            else:
                self._agent_free()
        else:
            self._agent_free()

    def _snapshot(self) -> Snapshot:
        used = len(self._dialling) + len(self._talking) + len(self._waiting)
        return Snapshot(
            now=self._now,
            heard_at=self._now,
            free=self._free,
            talking_since=tuple(self._talking.values()),
            wrapping_since=tuple(self._wrapping.values()),
            dialling_since=tuple(self._dialling.values()),
            waiting=len(self._waiting),
            lines_free=max(0, self._centre.lines - used),
        )

    def _dial(self, wanted: int) -> None:
        used = len(self._dialling) + len(self._talking) + len(self._waiting)
        centre, now = self._centre, self._now
        answering = centre.answering(now)
        for _ in range(min(wanted, centre.lines - used)):
            contact = next(self._contacts)
            self._dials += 1
            number = self._dials
            self._of[number] = contact
            self._dialling[number] = now
            if contact.luck < answering:
                self._at(now + contact.ring + centre.screening, _Kind.PERSON, number)
            elif contact.luck < answering + centre.machine_ratio:
                self._at(now + contact.ring + centre.screening, _Kind.FAILED, number)
            elif contact.luck < answering + centre.machine_ratio + centre.refused_ratio:
                self._at(now + contact.refused, _Kind.FAILED, number)
            else:
                self._at(now + centre.ring_limit, _Kind.FAILED, number)

    def _agent_free(self) -> None:
        self._free += 1
        if self._waiting:
            self._connect(self._waiting.popleft())

    def _connect(self, dial: int) -> None:
        self._free -= 1
        self._connected += 1
        self._talking[dial] = self._now
        self._at(self._now + self._of[dial].talk, _Kind.TALK_ENDED, dial)
        self._count(abandoned=False)

    def _count(self, *, abandoned: bool) -> None:
        self._live += 1
        self._abandoned += abandoned
        self._excess = max(self._excess, self._abandoned - self._cap * self._live)
        self._dialler.live_answer(self._now, abandoned=abandoned)


def oracle(centre: Centre, contacts: Contacts) -> Outcome:
    """Return what can be had at most: who answers and when each agent is free is known beforehand.

    It dials only those who will answer, early enough that they answer the moment an agent is free.
    """
    end = centre.seconds
    agents = [0.0] * centre.agents
    heapify(agents)
    listed = iter(contacts)
    busy = idle = 0.0
    calls = 0
    while agents[0] < end:
        free_at = agents[0]
        answering = centre.answering(free_at)
        contact = next(one for one in listed if one.luck < answering)
        begin = max(free_at, contact.ring + centre.screening)
        idle += min(begin, end) - free_at
        calls += begin < end
        over = begin + contact.talk + contact.wrap
        busy += max(0.0, min(over, end) - begin)
        heapreplace(agents, over + contact.pause)
    return Outcome(
        occupancy=busy / (busy + idle),
        live=calls,
        abandoned=0,
        dials=calls,
        connected=calls,
        hours=centre.hours,
        excess=0.0,
    )
