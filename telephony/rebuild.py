"""``huifang stats rebuild``: a day's figures once more, from stored time lines and the log of agents."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid
from telephony.day_store import (
    call_rows,
    count_calls,
    drop_slots,
    millis,
    save_slots,
    stored_slots,
    stretches,
)
from telephony.domain.day_ledger import CENTRE, DayLedger, Key
from telephony.domain.handling import LONGEST_STRETCH, HandlingDay
from telephony.domain.service_level import QueueCounts, Thresholds
from telephony.domain.visits import visits_of

Slots = dict[Key, tuple[QueueCounts, Thresholds]]
Told = Callable[[int, int], None]
FIGURES = tuple(one.name for one in fields(QueueCounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure that was stored otherwise; times in milliseconds."""

    slot_at: datetime
    queue: str
    figure: str
    stored: int
    computed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A day that was computed once more.

    Attributes:
        calls: how many time lines were read.
        total: of all queues together; agents' time included.
        over: the day has ended: what is stored must be the same. Of one that runs the last minute is missing.
    """

    day: date
    calls: int
    slots: int
    total: QueueCounts
    differences: tuple[Difference, ...]
    over: bool


class DayRebuild:
    """Computes days of one PBX node.

    Args:
        lines: present thresholds of each queue, for half hours of which none are stored.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        node: str,
        zone: ZoneInfo,
        short_abandon: timedelta,
        answer_within: dict[str, timedelta],
    ) -> None:
        self._database = database
        self._clock = clock
        self._node = node
        self._zone = zone
        self._usual = Thresholds(short_abandon=short_abandon)
        self._lines = {
            queue: Thresholds(answer_within=within, short_abandon=short_abandon)
            for queue, within in answer_within.items()
        }

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def run(self, day: date, *, write: bool = True, told: Told = lambda done, whole: None) -> Rebuilt:
        """Compute a day, compare it with what is stored, and (with ``write``) store it in its place.

        Args:
            told: gets how many calls of how many were read.

        Raises:
            Invalid: the day has not come.
        """
        if day > self.today():
            raise Invalid(f"{day} has not come: give a day up to {self.today()}", field="day")
        start = datetime.combine(day, time(0), self._zone)
        end = datetime.combine(day + timedelta(days=1), time(0), self._zone)
        async with self._database.session() as session:
            stored = await stored_slots(session, self._node, start, end)
            calls, computed = await self._compute(session, start, end, stored, told)
        if write:
            async with self._database.transaction() as session:
                await drop_slots(session, self._node, start, end)
                await save_slots(session, self._node, computed, now=self._clock.now())
        return Rebuilt(
            day=day,
            calls=calls,
            slots=len(computed),
            total=sum((counts for counts, _ in computed.values()), QueueCounts()),
            differences=tuple(_differences(stored, computed)),
            over=end <= self._clock.now(),
        )

    async def _compute(
        self, session: AsyncSession, start: datetime, end: datetime, stored: Slots, told: Told
    ) -> tuple[int, Slots]:
        lines = {key: drawn for key, (_, drawn) in stored.items() if key[1] != CENTRE}
        ledger = DayLedger(self._zone, start, lines=lines)
        whole, done = await count_calls(session, self._node, start, end), 0
        async for page in call_rows(session, self._node, start, end):
            for call_id, rows in page.items():
                visits = visits_of(call_id, rows)
                ledger.put(call_id, visits, {one.queue: self._line(one.queue) for one in visits})
            done += len(page)
            told(done, max(whole, done))
        work = HandlingDay(self._zone, ledger)
        for stretch in await stretches(session, start - LONGEST_STRETCH, end + LONGEST_STRETCH):
            work.take(stretch)
        found = ledger.slots(start, end)
        return done, {
            key: (counts, ledger.lines(key) or self._line(key[1]))
            for key, counts in found.items()
            if counts != QueueCounts()
        }

    def _line(self, queue: str) -> Thresholds:
        return self._lines.get(queue, self._usual)


def _differences(stored: Slots, computed: Slots) -> list[Difference]:
    found: list[Difference] = []
    for key in sorted(stored.keys() | computed.keys()):
        before = stored[key][0] if key in stored else QueueCounts()
        after = computed[key][0] if key in computed else QueueCounts()
        for name in FIGURES:
            old, new = _number(getattr(before, name)), _number(getattr(after, name))
            if old != new:
                found.append(Difference(slot_at=key[0], queue=key[1], figure=name, stored=old, computed=new))
    return found


def _number(value: int | timedelta) -> int:
    return millis(value) if isinstance(value, timedelta) else value
