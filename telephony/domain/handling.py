"""How agents spend their time, read off the log of their states: handling time and occupancy.

Handling time (AHT) is conversation, hold and wrap-up of a call that came through a queue, for each agent who
took it; it counts in the half hour in which that agent took it. Occupancy is the time in calls and wrap-up ÷
that time and the time of waiting for the next call (available or ringing); pauses count in neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from telephony.domain.agent_state import AgentState
from telephony.domain.day_ledger import CENTRE, SLOT, DayLedger, slot_start
from telephony.domain.service_level import QueueCounts, day_start

LONGEST_STRETCH = timedelta(hours=12)
"""Nobody works longer in one state; whoever was forgotten in one counts so long at most."""
BUSY = frozenset({AgentState.ON_CALL.value, AgentState.WRAP_UP.value})
READY = frozenset({AgentState.AVAILABLE.value, AgentState.RINGING.value})


class Stretch(NamedTuple):
    """A stretch of an agent's day in one state; the open one has no end."""

    started_at: datetime
    entry_id: str
    agent_id: str
    state: str
    call_id: str | None
    queue: str | None
    ended_at: datetime | None


@dataclass(slots=True)
class WorkTime:
    """Time in calls and wrap-up, and in waiting for the next call."""

    busy: timedelta = timedelta(0)
    ready: timedelta = timedelta(0)

    def add(self, state: str, spent: timedelta) -> None:
        """Add time in a state; other states count in neither."""
        if state in BUSY:
            self.busy += spent
        elif state in READY:
            self.ready += spent


class HandlingDay:
    """The agents' time of the site's day, and what goes into a ledger's half hours.

    Each closed stretch is taken once, in the order of their beginnings; the open ones are given anew.
    """

    def __init__(self, zone: ZoneInfo, ledger: DayLedger) -> None:
        self._zone = zone
        self._ledger = ledger
        self._today: datetime | None = None
        self._times: dict[str, WorkTime] = {}
        self._open: dict[str, Stretch] = {}
        self._handles: dict[tuple[str, str], tuple[datetime, str]] = {}

    def take(self, stretch: Stretch) -> None:
        """Count a stretch that has ended."""
        if stretch.ended_at is None:
            return
        until = min(stretch.ended_at, stretch.started_at + LONGEST_STRETCH)
        for slot, spent in _split(stretch.started_at, until, self._zone):
            work = WorkTime()
            work.add(stretch.state, spent)
            if work.busy or work.ready:
                self._ledger.add(slot, CENTRE, QueueCounts(busy=work.busy, ready=work.ready))
        if self._today is not None and until > self._today:
            mine = self._times.setdefault(stretch.agent_id, WorkTime())
            mine.add(stretch.state, until - max(stretch.started_at, self._today))
        self._handle(stretch, until - stretch.started_at)

    def _handle(self, stretch: Stretch, spent: timedelta) -> None:
        if stretch.state not in BUSY or stretch.call_id is None:
            return
        key = (stretch.agent_id, stretch.call_id)
        known = self._handles.get(key)
        if known is not None:
            self._ledger.add(*known, QueueCounts(handling=spent))
        elif stretch.state == AgentState.ON_CALL and stretch.queue:
            self._handles[key] = (stretch.started_at, stretch.queue)
            self._ledger.add(stretch.started_at, stretch.queue, QueueCounts(handled=1, handling=spent))

    def set_open(self, stretches: dict[str, Stretch]) -> None:
        """Say in what state each agent is since when, by agent."""
        self._open = stretches

    def roll(self, now: datetime) -> bool:
        """Begin a new day when midnight has passed; tell whether it has: its stretches are to be read."""
        start = day_start(now, self._zone)
        if start == self._today:
            return False
        self._today = start
        self._times = {}
        self._handles = {
            key: known for key, known in self._handles.items() if known[0] >= start - LONGEST_STRETCH
        }
        return True

    def time_of(self, agent_id: str, now: datetime) -> WorkTime:
        """Return an agent's time of today so far, with the stretch that goes on."""
        known = self._times.get(agent_id, WorkTime())
        found = WorkTime(known.busy, known.ready)
        going = self._open.get(agent_id)
        if going is not None and self._today is not None:
            until = min(now, going.started_at + LONGEST_STRETCH)
            found.add(going.state, max(until - max(going.started_at, self._today), timedelta(0)))
        return found


def _split(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    """Yield the half hours of a span of time, each with how much of it lies in there."""
    at = start
    while at < end:
        slot = slot_start(at, zone)
        until = min(end, slot + SLOT)
        yield slot, until - at
        at = until
