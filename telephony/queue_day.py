"""Today's visits to the queues: from the call table at the start, from events afterwards."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.bus import Lagged
from kernel.events import Event
from telephony.domain.call import CallResult
from telephony.domain.service_level import (
    DayLedger,
    QueueCounts,
    QueueOutcome,
    QueueVisit,
    Thresholds,
    day_start,
)
from telephony.domain.timeline import TimelineKind
from telephony.events import CallAnswered, CallEnded, CallProgressed
from telephony.tables import CallRow

ABANDONED = {CallResult.ABANDONED_QUEUE.value, CallResult.ABANDONED_SHORT.value}
DEFAULT_LINE = timedelta(seconds=20)
# The index is on the start of a call; whoever comes to wait after midnight may have called before it.
LONGEST_MENU = timedelta(hours=2)


class QueueDay:
    """Counts the calls of the site's day, each once however often it is told."""

    def __init__(self, zone: ZoneInfo, short_abandon: timedelta) -> None:
        self._zone = zone
        self._short_abandon = short_abandon
        self._lines: Mapping[str, timedelta] = {}
        self._ledger = DayLedger(zone)

    def set_lines(self, answer_within: Mapping[str, timedelta]) -> None:
        """Set the service-level threshold of each queue; visits counted already keep theirs."""
        self._lines = answer_within

    def counts(self, queue: str, *, now: datetime) -> QueueCounts:
        """Return today's counts of a queue."""
        return self._ledger.counts(queue, now=now)

    async def load(self, session: AsyncSession, *, now: datetime) -> None:
        """Take over what the call table knows of today.

        Raises:
            SQLAlchemyError: the database is out of reach.
        """
        start = day_start(now, self._zone)
        query = select(CallRow).where(
            CallRow.queue.is_not(None),
            CallRow.merged_into.is_(None),
            CallRow.started_at >= start - LONGEST_MENU,
            CallRow.queued_at >= start,
        )
        for row in (await session.execute(query)).scalars():
            if row.queue is None or row.queued_at is None:
                continue
            outcome = QueueOutcome.WAITING
            if row.answered_at is not None:
                outcome = QueueOutcome.ANSWERED
            elif row.result is not None:
                outcome = _outcome(row.result)
            wait = timedelta(milliseconds=row.wait_ms or 0)
            self._put(row.call_id, row.queue, outcome, row.queued_at, wait, now)

    def take(self, item: Event | Lagged, *, now: datetime) -> None:
        """Take one event; others than those of queues change nothing."""
        match item:
            case CallProgressed(kind=TimelineKind.QUEUED, queue=str(queue)):
                self._put(item.call_id, queue, QueueOutcome.WAITING, item.at, timedelta(0), now)
            case CallAnswered(queue=str(queue)) if item.wait_seconds is not None:
                wait = timedelta(seconds=item.wait_seconds)
                self._put(item.call_id, queue, QueueOutcome.ANSWERED, item.answered_at - wait, wait, now)
            case CallEnded(queue=str(queue), queued_at=datetime() as queued_at):
                wait = timedelta(seconds=item.wait_seconds or 0)
                self._put(item.call_id, queue, _outcome(item.result), queued_at, wait, now)
            case _:
                pass

    def _put(
        self,
        call_id: str,
        queue: str,
        outcome: QueueOutcome,
        queued_at: datetime,
        wait: timedelta,
        now: datetime,
    ) -> None:
        visit = QueueVisit(call_id=call_id, queue=queue, outcome=outcome, queued_at=queued_at, wait=wait)
        lines = Thresholds(
            answer_within=self._lines.get(queue, DEFAULT_LINE), short_abandon=self._short_abandon
        )
        self._ledger.put(visit, lines, now=now)


def _outcome(result: str) -> QueueOutcome:
    if result in ABANDONED:
        return QueueOutcome.ABANDONED
    return QueueOutcome.ANSWERED if result == CallResult.ANSWERED else QueueOutcome.LEFT
