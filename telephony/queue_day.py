"""The figures of the site's day as they grow: from the stored events at the start, from live ones afterwards.

What is counted is what :mod:`telephony.domain.visits` reads off the time lines of calls, and
:mod:`telephony.domain.handling` off the log of the agents' states. The half hours that moved are stored once
a minute; ``huifang stats rebuild`` computes the same from the stored events alone.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from telephony.day_store import (
    LONGEST_CALL,
    CallRows,
    call_rows,
    save_slots,
    stored_slots,
    stretches,
)
from telephony.domain.day_ledger import CENTRE, DayLedger, Key
from telephony.domain.handling import LONGEST_STRETCH, HandlingDay, Stretch, WorkTime
from telephony.domain.service_level import QueueCounts, Thresholds, day_start
from telephony.domain.timeline import TimelineKind
from telephony.domain.visits import VisitRow, visit_row, visits_of
from telephony.events import AgentStateChanged, CallProgressed

log = structlog.get_logger(__name__)

DEFAULT_LINE = timedelta(seconds=20)
SAVE_EVERY = timedelta(minutes=1)
READ_EVERY = timedelta(seconds=5)
KEPT = timedelta(minutes=2)
"""An ended call's rows are kept so long: the database may be behind."""
OVERLAP = timedelta(seconds=30)
"""The log is read from so long before the last reading: a step may be written later than it is dated."""


class QueueDay:
    """Counts the calls and the agents' time of the site's day. Give :meth:`run` to the supervisor."""

    def __init__(
        self, database: Database, clock: Clock, *, node: str, zone: ZoneInfo, short_abandon: timedelta
    ) -> None:
        self._database = database
        self._clock = clock
        self._node = node
        self._zone = zone
        self._short_abandon = short_abandon
        self._lines: dict[str, Thresholds] = {}
        self._rows: dict[str, dict[int, VisitRow]] = {}
        self._over: dict[str, datetime] = {}
        self._ledger = DayLedger(zone, self._since())
        self._work = HandlingDay(zone, self._ledger)
        self._open: dict[str, Stretch] = {}
        self._taken: dict[str, datetime] = {}
        self._read_until: datetime | None = None
        self._moved = True
        self.read_at = clock.now()
        """Until when the agents' time is true."""

    def _since(self) -> datetime:
        """Return from when on is counted at a start: what began before midnight may still be going on."""
        return day_start(self._clock.now(), self._zone) - LONGEST_STRETCH

    def set_lines(self, answer_within: Mapping[str, timedelta]) -> None:
        """Set the service-level threshold of each queue; half hours counted already keep theirs."""
        self._lines = {
            queue: Thresholds(answer_within=within, short_abandon=self._short_abandon)
            for queue, within in answer_within.items()
        }

    def _line(self, queue: str) -> Thresholds:
        known = self._lines.get(queue)
        return known or Thresholds(answer_within=DEFAULT_LINE, short_abandon=self._short_abandon)

    # -- asking --------------------------------------------------------------------------------------

    def counts(self, queue: str, *, now: datetime) -> QueueCounts:
        """Return today's counts of a queue."""
        return self._ledger.counts(queue, now=now)

    def time_of(self, agent_id: str, *, now: datetime) -> WorkTime:
        """Return how an agent spent today so far."""
        return self._work.time_of(agent_id, now)

    def slots(self, *, now: datetime) -> dict[Key, QueueCounts]:
        """Return today's half hours of all queues, in order."""
        self._ledger.roll(now)
        return self._ledger.slots(day_start(now, self._zone), now + timedelta(days=1))

    # -- following -----------------------------------------------------------------------------------

    def take(self, item: Event) -> None:
        """Take one live event; others than those of queues and agents change nothing."""
        match item:
            case CallProgressed() if item.node == self._node:
                row = visit_row(item.seq, item.at, item.kind, item.queue, dict(item.detail))
                if row is not None:
                    self._take_row(item.call_id, row)
            case AgentStateChanged():
                self._moved = True
            case _:
                pass

    def _take_row(self, call_id: str, row: VisitRow) -> None:
        known = self._rows.get(call_id)
        if known is None:
            if self._ledger.knows(call_id):
                return  # it has ended, and its rows were let go
            known = self._rows[call_id] = {}
        known[row.seq] = row
        if row.kind == TimelineKind.ENDED:
            self._over.setdefault(call_id, self._clock.now())
        self._count(self._ledger, call_id, known)

    def _count(self, ledger: DayLedger, call_id: str, rows: Mapping[int, VisitRow]) -> None:
        ledger.roll(self._clock.now())
        visits = visits_of(call_id, rows.values())
        ledger.put(call_id, visits, {visit.queue: self._line(visit.queue) for visit in visits})

    def _let_go(self) -> None:
        """Forget the rows of calls that ended a while ago; their visits stay counted."""
        until = self._clock.now() - KEPT
        for call_id in [call_id for call_id, at in self._over.items() if at <= until]:
            del self._over[call_id]
            self._rows.pop(call_id, None)

    # -- reading -------------------------------------------------------------------------------------

    async def load(self, session: AsyncSession) -> None:
        """Count everything anew from what is stored, and from what was told and may not be stored yet.

        Raises:
            SQLAlchemyError: the database is out of reach; what was counted stays.
        """
        now, since = self._clock.now(), self._since()
        stored = await stored_slots(session, self._node, since)
        lines = {key: drawn for key, (_, drawn) in stored.items() if key[1] != CENTRE}
        lines |= self._ledger.all_lines()
        ledger = DayLedger(self._zone, since, lines=lines)
        ledger.roll(now)
        async for page in call_rows(session, self._node, since):
            self._count_page(ledger, page)
        work = HandlingDay(self._zone, ledger)
        work.roll(now)
        found = await stretches(session, since - LONGEST_STRETCH)
        for call_id, rows in self._rows.items():
            self._count(ledger, call_id, rows)
        for stretch in found:
            work.take(stretch)
        ledger.empty(key for key, (counts, _) in stored.items() if counts != QueueCounts())
        self._ledger, self._work = ledger, work
        self._taken = {one.entry_id: one.started_at for one in found if one.ended_at is not None}
        self._open = {one.agent_id: one for one in found if one.ended_at is None}
        work.set_open(self._open)
        self._read_until, self.read_at, self._moved = now, now, False
        self._let_go()

    def _count_page(self, ledger: DayLedger, page: CallRows) -> None:
        for call_id, stored in page.items():
            rows = {row.seq: row for row in stored} | self._rows.get(call_id, {})
            over = any(row.kind == TimelineKind.ENDED for row in rows.values())
            if call_id in self._rows or not over:
                self._rows[call_id] = rows
            self._count(ledger, call_id, rows)

    async def read_log(self, session: AsyncSession) -> None:
        """Take over what the log of the agents' states has that is new. Raises SQLAlchemyError."""
        now = self._clock.now()
        self._work.roll(now)
        if self._read_until is None:
            await self.load(session)
            return
        self._moved = False
        known = [one.entry_id for one in self._open.values()]
        found = await stretches(session, self._read_until - OVERLAP, also=known)
        for stretch in found:
            if stretch.ended_at is None:
                self._open[stretch.agent_id] = stretch
            elif stretch.entry_id not in self._taken:
                self._taken[stretch.entry_id] = stretch.started_at
                self._work.take(stretch)
                if self._open.get(stretch.agent_id, stretch).entry_id == stretch.entry_id:
                    self._open.pop(stretch.agent_id, None)
        self._work.set_open(self._open)
        recent = now - OVERLAP - LONGEST_CALL
        self._taken = {entry_id: at for entry_id, at in self._taken.items() if at >= recent}
        self._read_until, self.read_at = now, now

    async def look(self) -> None:
        """Read what is new of the agents' time, where anything is. Raises SQLAlchemyError, OSError."""
        if self._moved or self._work.roll(self._clock.now()):
            async with self._database.session() as session:
                await self.read_log(session)
        else:
            self.read_at = self._clock.now()

    # -- storing -------------------------------------------------------------------------------------

    async def save(self) -> int:
        """Store the half hours that moved; return how many. Raises SQLAlchemyError, OSError."""
        if self._read_until is None:
            return 0  # half of a day would take the place of the whole that is stored
        now = self._clock.now()
        changed = self._ledger.take_changed()
        slots = {
            key: (counts, self._ledger.lines(key) or self._line(key[1])) for key, counts in changed.items()
        }
        if not slots:
            return 0
        try:
            async with self._database.transaction() as session:
                await save_slots(session, self._node, slots, now=now)
        except BaseException:
            self._ledger.untaken(slots)
            raise
        return len(slots)

    async def run(self) -> None:
        """Read the log and store the figures, until cancelled."""
        saved = self._clock.monotonic()
        lost = False
        while True:
            await asyncio.sleep(READ_EVERY.total_seconds())
            self._let_go()
            try:
                await self.look()
                if self._clock.monotonic() - saved >= SAVE_EVERY.total_seconds():
                    saved = self._clock.monotonic()
                    await self.save()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if not lost:
                    log.warning("day_figures_not_kept", error=type(error).__name__)
                lost = True
            else:
                lost = False
