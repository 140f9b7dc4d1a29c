"""Stays in queues, read off a call's time line: the one rule by which calls are counted.

The live board and ``huifang stats rebuild`` both count by :func:`visits_of`, so that they cannot differ. Rows
may come in any order and more than once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from telephony.domain.call import CallResult, EndReason, HangupBy
from telephony.domain.service_level import QueueOutcome, QueueVisit
from telephony.domain.timeline import TimelineKind

COUNTED = frozenset(
    kind.value
    for kind in (TimelineKind.QUEUED, TimelineKind.ANSWERED, TimelineKind.LEFT_QUEUE, TimelineKind.ENDED)
)
"""The kinds of rows that say how a caller fared in a queue."""
GAVE_UP = "abandoned"
_MERGED = EndReason.MERGED.value
_ABANDONED = frozenset({CallResult.ABANDONED_QUEUE.value, CallResult.ABANDONED_SHORT.value})


class VisitRow(NamedTuple):
    """A row of a time line as far as queues are concerned; ``why``: the reason of leaving or ending."""

    seq: int
    at: datetime
    kind: str
    queue: str | None
    why: str


def visit_row(
    seq: int, at: datetime, kind: str, queue: str | None, detail: Mapping[str, str], *, result: str = ""
) -> VisitRow | None:
    """Return what a row of a time line says of queues, ``None`` for one that says nothing.

    Args:
        result: of the call, where it is known otherwise: of old calls the details may have been erased.
    """
    if kind not in COUNTED:
        return None
    why = ""
    if kind == TimelineKind.LEFT_QUEUE:
        # Only who hangs up abandons, and nobody comes back from that.
        why = detail.get("reason", GAVE_UP if result in _ABANDONED else "")
    elif kind == TimelineKind.ENDED:
        why = _why_ended(detail.get("result", result), detail.get("reason", ""), detail.get("by", ""))
    return VisitRow(seq, at, kind, queue, why)


def _why_ended(result: str, reason: str, by: str) -> str:
    if reason == _MERGED:
        return _MERGED
    if result in _ABANDONED:
        return GAVE_UP
    # Answered before, sent to a second queue, and hung up waiting there.
    hung_up = result == CallResult.ANSWERED and by == HangupBy.CALLER and reason == EndReason.HANGUP
    return GAVE_UP if hung_up else ""


def visits_of(call_id: str, rows: Iterable[VisitRow]) -> tuple[QueueVisit, ...]:
    """Return the call's stays in queues, one for each queue.

    A call counts once in each queue that it came to, from the first time; the first answer there stands. A
    consultation that became part of another call counts nowhere.
    """
    found: dict[str, QueueVisit] = {}
    waiting: str | None = None

    def settle(outcome: QueueOutcome, at: datetime) -> None:
        known = found.get(waiting) if waiting is not None else None
        if known is not None and known.outcome is not QueueOutcome.ANSWERED:
            found[known.queue] = QueueVisit(
                call_id=call_id,
                queue=known.queue,
                outcome=outcome,
                queued_at=known.queued_at,
                wait=at - known.queued_at,
            )

    for row in sorted({row.seq: row for row in rows}.values()):
        match row.kind:
            case TimelineKind.QUEUED if row.queue is not None:
                settle(QueueOutcome.LEFT, row.at)
                waiting = row.queue
                known = found.get(waiting)
                if known is None or known.outcome is not QueueOutcome.ANSWERED:
                    found[waiting] = QueueVisit(
                        call_id=call_id,
                        queue=waiting,
                        outcome=QueueOutcome.WAITING,
                        queued_at=known.queued_at if known is not None else row.at,
                        wait=row.at - row.at,
                    )
            case TimelineKind.ANSWERED:
                settle(QueueOutcome.ANSWERED, row.at)
                waiting = None
            case TimelineKind.LEFT_QUEUE:
                settle(QueueOutcome.ABANDONED if row.why == GAVE_UP else QueueOutcome.LEFT, row.at)
                waiting = None
            case TimelineKind.ENDED if row.why == _MERGED:
                return ()
            case TimelineKind.ENDED:
                settle(QueueOutcome.ABANDONED if row.why == GAVE_UP else QueueOutcome.LEFT, row.at)
                waiting = None
            case _:
                pass
    return tuple(found.values())
