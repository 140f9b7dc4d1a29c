"""Facts that a receiver could not handle: tried again after growing waits, then set aside for people.

The row is written before Redis is told that the fact is done, so it is always in one of the two. Other facts
do not wait for it: what a receiver refused reaches it after what came later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import ColumnElement, Integer, LargeBinary, String, Text, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from kernel.clock import Clock
from kernel.db import Base, Database, Ulid, UtcDateTime
from kernel.events import Event, encode

log = structlog.get_logger(__name__)

FAILURES = Counter("huifang_fact_failures_total", "Facts that their receiver could not handle", ["consumer"])
SET_ASIDE = Gauge(
    "huifang_facts_set_aside", "Facts that are not tried any more until somebody decides", ["consumer"]
)

WAITS = (
    timedelta(seconds=1),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
"""Before each further try; what fails once more after the last is set aside."""
MAX_ERROR = 300
MAX_LIST = 200


class ConsumedFact(Base):
    """Marks that a receiver has handled a fact."""

    __tablename__ = "consumed_fact"

    consumer: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    consumed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class FailedFact(Base):
    """A fact that a receiver owes an answer; ``due_at`` is the next try, NULL once it is set aside."""

    __tablename__ = "failed_fact"

    consumer: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    tries: Mapped[int] = mapped_column(Integer)
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactFailure:
    """A failed fact as people see it; ``due_at`` is ``None`` once it is set aside."""

    consumer: str
    event_id: str
    kind: str
    tries: int
    failed_at: datetime
    due_at: datetime | None
    error: str


async def note_failure(
    session: AsyncSession, consumer: str, fact: Event, error: Exception, now: datetime
) -> None:
    """Store one more failed try of a fact."""
    row = await session.get(FailedFact, (consumer, fact.event_id), with_for_update=True)
    tries = 1 if row is None else row.tries + 1
    if row is None:
        row = FailedFact(consumer=consumer, event_id=fact.event_id, payload=encode(fact))
        row.kind = type(fact).__name__
        session.add(row)
    row.tries = tries
    row.failed_at = now
    row.due_at = now + WAITS[tries - 1] if tries <= len(WAITS) else None
    row.error = _told(error)
    FAILURES.labels(consumer).inc()
    told = {"consumer": consumer, "event_id": fact.event_id, "fact": row.kind, "tries": tries}
    if row.due_at is not None:
        log.warning("fact_failed", **told, error=type(error).__name__)
    else:
        # A database's error may quote people's data, and then so would its traceback.
        trace = None if isinstance(error, SQLAlchemyError) else error
        log.error("fact_set_aside", **told, error=type(error).__name__, exc_info=trace)


def _told(error: Exception) -> str:
    # The lines that follow in a database's error quote people's data.
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]
    readable = "".join(sign for sign in said if sign.isprintable())
    return f"{type(error).__name__}: {readable}"[:MAX_ERROR]


class FailedFacts:
    """What administrators see of failed facts, and decide."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self) -> Sequence[FactFailure]:
        """Return failed facts, those set aside first, then by age; at most :data:`MAX_LIST`."""
        query = (
            select(FailedFact)
            .order_by(FailedFact.due_at.is_not(None), FailedFact.event_id, FailedFact.consumer)
            .limit(MAX_LIST)
        )
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        return [
            FactFailure(
                consumer=row.consumer,
                event_id=row.event_id,
                kind=row.kind,
                tries=row.tries,
                failed_at=row.failed_at,
                due_at=row.due_at,
                error=row.error,
            )
            for row in rows
        ]

    async def set_aside(self) -> dict[str, int]:
        """Return how many facts are set aside, by receiver."""
        query = (
            select(FailedFact.consumer, func.count())
            .where(FailedFact.due_at.is_(None))
            .group_by(FailedFact.consumer)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return {str(consumer): int(count) for consumer, count in rows}

    async def try_again(self, session: AsyncSession, event_id: str | None = None) -> int:
        """Have one fact, or all that are set aside, tried once more by their receivers; return how many.

        A fact that fails again is set aside again.
        """
        changed = update(FailedFact).where(*_chosen(event_id)).values(due_at=self._clock.now())
        return len((await session.scalars(changed.returning(FailedFact.event_id))).all())

    async def forget(self, session: AsyncSession, event_id: str) -> int:
        """Drop a fact for good from the receivers that set it aside; return from how many."""
        gone = delete(FailedFact).where(*_chosen(event_id))
        consumers = (await session.scalars(gone.returning(FailedFact.consumer))).all()
        # A Redis that comes back empty is given the facts of the last day again.
        now = self._clock.now()
        session.add_all(ConsumedFact(consumer=one, event_id=event_id, consumed_at=now) for one in consumers)
        return len(consumers)


def _chosen(event_id: str | None) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = [FailedFact.due_at.is_(None)]
    if event_id is not None:
        chosen.append(FailedFact.event_id == event_id)
    return chosen
