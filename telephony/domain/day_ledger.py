"""The counts of the site's days by half hours: each call once, however often it is told.

A visit belongs to the half hour in which it began to wait, and so does all that becomes of it: a caller who
came at 23:59 and was answered at 0:01 counts in the day before. A half hour keeps the thresholds under which
it began to be counted; a changed threshold holds from the next one on.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from telephony.domain.service_level import QueueCounts, QueueVisit, Thresholds, day_start

SLOT = timedelta(minutes=30)
CENTRE = ""
"""In the place of a queue's name: what is counted of all agents together."""
Key = tuple[datetime, str]


def slot_start(at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the half hour of the site's clock began in which ``at`` lies, in the zone of ``at``."""
    local = at.astimezone(zone)
    into = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return at - into


class DayLedger:
    """Counts of today and of the end of yesterday, where late news of it still comes.

    Args:
        since: nothing that began before is counted; older days go as new ones begin.
        lines: thresholds of half hours that were counted before.
    """

    def __init__(
        self, zone: ZoneInfo, since: datetime, *, lines: Mapping[Key, Thresholds] | None = None
    ) -> None:
        self._zone = zone
        self._since = since
        self._today = since
        self._lines: dict[Key, Thresholds] = dict(lines or {})
        self._visits: dict[str, tuple[QueueVisit, ...]] = {}
        self._counts: dict[Key, QueueCounts] = {}
        self._sums: dict[str, QueueCounts] = {}
        self._changed: set[Key] = set()

    @property
    def since(self) -> datetime:
        """What began before is not counted here."""
        return self._since

    def roll(self, now: datetime) -> bool:
        """Begin a new day when midnight has passed; tell whether it has."""
        start = day_start(now, self._zone)
        if start == self._today:
            return False
        self._today = start
        self._since = max(self._since, day_start(start - timedelta(hours=1), self._zone))
        for key in [key for key in self._counts if key[0] < self._since]:
            del self._counts[key]
        self._lines = {key: lines for key, lines in self._lines.items() if key[0] >= self._since}
        self._visits = {
            call_id: visits
            for call_id, visits in self._visits.items()
            if any(visit.queued_at >= self._since for visit in visits)
        }
        self._changed = {key for key in self._changed if key[0] >= self._since}
        self._sums = {}
        for (slot, queue), counts in self._counts.items():
            if slot >= start:
                self._sums[queue] = self._sums.get(queue, QueueCounts()) + counts
        return True

    def put(self, call_id: str, visits: Iterable[QueueVisit], lines: Mapping[str, Thresholds]) -> bool:
        """Count a call's visits in place of those known of it; tell whether a count moved."""
        new = tuple(visit for visit in visits if visit.queued_at >= self._since)
        old = tuple(visit for visit in self._visits.get(call_id, ()) if visit.queued_at >= self._since)
        if new == old:
            return False
        for visit in old:
            self._move(visit, lines, by=-1)
        for visit in new:
            self._move(visit, lines, by=1)
        self._visits[call_id] = new
        return True

    def _move(self, visit: QueueVisit, lines: Mapping[str, Thresholds], *, by: int) -> None:
        key = (slot_start(visit.queued_at, self._zone), visit.queue)
        drawn = self._lines.setdefault(key, lines.get(visit.queue, Thresholds()))
        before = self._counts.get(key, QueueCounts())
        self._set(key, before.changed(visit, drawn, by=by), before)

    def add(self, at: datetime, queue: str, more: QueueCounts) -> None:
        """Add to the half hour of ``at``."""
        if at < self._since:
            return
        key = (slot_start(at, self._zone), queue)
        before = self._counts.get(key, QueueCounts())
        self._set(key, before + more, before)

    def _set(self, key: Key, counts: QueueCounts, before: QueueCounts) -> None:
        self._counts[key] = counts
        self._changed.add(key)
        if key[0] >= self._today:
            self._sums[key[1]] = self._sums.get(key[1], QueueCounts()) + counts + before.negative()

    def knows(self, call_id: str) -> bool:
        """Tell whether the call was counted."""
        return call_id in self._visits

    def counts(self, queue: str, *, now: datetime) -> QueueCounts:
        """Return today's counts of ``queue``."""
        self.roll(now)
        return self._sums.get(queue, QueueCounts())

    def slots(self, since: datetime, until: datetime) -> dict[Key, QueueCounts]:
        """Return the counts of the half hours in a span of time, in order."""
        return {key: self._counts[key] for key in sorted(self._counts) if since <= key[0] < until}

    def lines(self, key: Key) -> Thresholds | None:
        """Return the thresholds under which a half hour of a queue is counted."""
        return self._lines.get(key)

    def all_lines(self) -> Mapping[Key, Thresholds]:
        """Return the thresholds of all half hours that are counted."""
        return self._lines

    def take_changed(self) -> dict[Key, QueueCounts]:
        """Return the counts that moved since this was asked last."""
        changed, self._changed = self._changed, set()
        return {key: self._counts[key] for key in sorted(changed) if key in self._counts}

    def empty(self, stored: Iterable[Key]) -> None:
        """Have half hours changed that are stored and in which nothing is counted any more.

        Such as the place of a call that went on as part of another, and was counted anew meanwhile.
        """
        for key in stored:
            if key not in self._counts:
                self._counts[key] = QueueCounts()
                self._changed.add(key)

    def untaken(self, keys: Iterable[Key]) -> None:
        """Take back what :meth:`take_changed` gave: it was not stored."""
        self._changed.update(keys)
