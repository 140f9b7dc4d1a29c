"""Facts for other parts: written in the writer's transaction, delivered at least once.

:func:`add_fact` stores the event as a due row. :class:`OutboxRelay` moves rows to a Redis stream, and a
:class:`FactConsumer` per receiver reads it through a consumer group. A receiver's handler runs in one
transaction with a mark in ``consumed_fact``, so that a second delivery does nothing. A receiver gets facts in
the order in which they reached the stream, except those that it refused: they are tried again later, and at
last set aside (:mod:`kernel.failed_facts`).

A fact that was sent stays in the table for a day: a Redis that comes back empty, which a consumer notices by
its missing group, is given all of them again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import LargeBinary, delete, select, union_all, update
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from kernel.clock import Clock
from kernel.db import Base, Database, Ulid, UtcDateTime
from kernel.due import DueColumns, DueWorker
from kernel.errors import HuifangError, Invalid
from kernel.events import Event, decode, encode
from kernel.failed_facts import SET_ASIDE, ConsumedFact, FailedFact, FailedFacts, note_failure

log = structlog.get_logger(__name__)

STREAM = "hf:facts"
ANSWER_SECONDS = 7.0
"""Longest wait for Redis, reading's own block included."""
GATHER_SECONDS = 0.1
SENT_KEPT = timedelta(days=1)
MARKS_KEPT = timedelta(days=30)
"""Longer than anything can be delivered again."""
TIDY_EVERY = timedelta(minutes=10)
OUTAGE = (OperationalError, InterfaceError, NoConnection, RedisError, OSError)
"""Errors of a server that is away; the facts are not at fault."""
PATIENCE = 5
"""Interruptions one after the other, while the database answers, until they are put down to a fact."""
LOOK_EVERY = timedelta(seconds=5)
"""How often a receiver looks for failed facts whose time has come."""
RETRIED = 50


class OutboxRow(DueColumns, Base):
    """A fact: due until it has reached the stream, then kept for :data:`SENT_KEPT`."""

    __tablename__ = "outbox"

    event_id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def add_fact(session: AsyncSession, item: Event) -> None:
    """Store ``item`` for delivery, in the caller's transaction."""
    session.add(
        OutboxRow(event_id=item.event_id, payload=encode(item), created_at=item.at, due_at=item.at, tries=0)
    )


class OutboxRelay:
    """Moves facts from the table to the stream.

    Args:
        maxlen: about how many facts the stream keeps; with a kilobyte each, well within the Redis that is
            started with the centre (128 MB, and writes refused beyond).
    """

    def __init__(
        self, database: Database, redis: "Redis", clock: Clock, *, worker: str, maxlen: int = 50_000
    ) -> None:
        self._database = database
        self._redis = redis
        self._maxlen = maxlen
        self._worker = worker
        self._clock = clock
        self._tidied_at: datetime | None = None
        self._woken = False
        self._due = DueWorker(database, clock, OutboxRow, self._send, worker=worker, batch=200)

    def wake(self) -> None:
        """Look at the table soon: one fact costs as much to carry as the twenty that come with it."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._look)

    def _look(self) -> None:
        self._woken = False
        self._due.wake()

    async def run(self) -> None:
        """Work until cancelled; while Redis is gone the rows stay in the table."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._due.run())
            group.create_task(self._look_ahead())

    async def _look_ahead(self) -> None:
        while True:
            try:
                await self.make_due()
            except OUTAGE as error:
                log.warning("facts_ahead_not_read", error=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def make_due(self) -> int:
        """Have those facts due that lie ahead; return how many they were.

        A fact is due from its birth: one that is not was written before the clock was set back.
        """
        now = self._clock.now()
        ahead = OutboxRow.due_at > now + LOOK_EVERY
        async with self._database.session() as session:
            if await session.scalar(select(OutboxRow.event_id).where(ahead).limit(1)) is None:
                return 0
        async with self._database.transaction() as session:
            query = select(OutboxRow).where(ahead).order_by(OutboxRow.due_at, OutboxRow.event_id)
            rows = (await session.scalars(query.with_for_update(skip_locked=True))).all()
            for place, row in enumerate(rows):
                row.due_at = now + timedelta(microseconds=place)
        log.warning("facts_lay_ahead", facts=len(rows))
        self._due.wake()
        return len(rows)

    async def run_once(self) -> int:
        """Relay one batch; return its size."""
        return await self._due.run_once()

    async def _send(self, rows: Sequence[OutboxRow]) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                for row in rows:
                    pipe.xadd(STREAM, {b"e": row.payload}, maxlen=self._maxlen, approximate=True)
                await pipe.execute()
        except RedisError as error:
            raise OSError(f"redis: {type(error).__name__}") from error
        now = self._clock.now()
        tidy = self._tidied_at is None or now - self._tidied_at >= TIDY_EVERY
        async with self._database.transaction() as session:
            # Not those whose claim was ended meanwhile: the Redis that has them is not the one of now.
            ours = (
                OutboxRow.event_id.in_([row.event_id for row in rows]),
                OutboxRow.claimed_by == self._worker,
            )
            sent = update(OutboxRow).where(*ours)
            await session.execute(sent.values(due_at=None, claimed_by=None, claimed_until=None))
            if tidy:
                await _forget(session, now)
                self._tidied_at = now


async def _forget(session: AsyncSession, now: datetime) -> None:
    """Delete what nobody can need any more."""
    sent = OutboxRow.due_at.is_(None)
    await session.execute(delete(OutboxRow).where(sent, OutboxRow.created_at < now - SENT_KEPT))
    await session.execute(delete(ConsumedFact).where(ConsumedFact.consumed_at < now - MARKS_KEPT))


FactHandler = Callable[[AsyncSession, Event], Awaitable[None]]
Entry = tuple[Any, Mapping[bytes, bytes] | None]
"""What Redis calls it, and what is in it."""


class FactConsumer:
    """Delivers facts of some types to one handler, each once in effect.

    Args:
        name: the receiver's name; the consumer group in Redis and the key in ``consumed_fact``.
        handler: writes through the given session; it is committed together with the mark.
        worker: this process, so that a killed worker's facts go to another.
    """

    def __init__(
        self,
        name: str,
        types: tuple[type[Event], ...],
        handler: FactHandler,
        *,
        database: Database,
        redis: "Redis",
        clock: Clock,
        worker: str,
    ) -> None:
        self.name = name
        self._types = types
        self._handler = handler
        self._database = database
        self._redis = redis
        self._clock = clock
        self._worker = worker
        self._failed = FailedFacts(database, clock)
        self._interruptions = 0
        self._looked_at: float | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        ready = False
        while True:
            try:
                if not ready:
                    await self._make_group()
                    ready = True
                await self._look()
                await self.run_once()
            except ResponseError as error:
                # Redis came back empty: the group is gone with it.
                ready = False
                log.warning("fact_consumer_reset", consumer=self.name, error=str(error)[:80])
                await asyncio.sleep(1)
            except (RedisError, SQLAlchemyError, OSError, HuifangError) as error:
                log.warning("fact_consumer_failed", consumer=self.name, error=type(error).__name__)
                await asyncio.sleep(1)

    async def _make_group(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._redis.xgroup_create(STREAM, self.name, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        else:
            await self._send_again()

    async def _send_again(self) -> None:
        """Have everything sent once more: this Redis has not heard of it, or forgot.

        Also what a relay has just sent to the Redis before this one and is about to mark so.
        """
        every = update(OutboxRow).values(due_at=OutboxRow.created_at, claimed_by=None, claimed_until=None)
        async with self._database.transaction() as session:
            again: Any = await session.execute(every)
        if again.rowcount:
            log.info("facts_sent_again", consumer=self.name, facts=again.rowcount)

    async def run_once(self, *, block_ms: int = 2000) -> int:
        """Handle what was interrupted, what a dead worker left, or what is new; return how many it were."""
        async with asyncio.timeout(ANSWER_SECONDS):
            entries = await self._next(block_ms)
        try:
            await self._handle_each(entries)
        except OUTAGE:
            # They are ours, and nobody else takes them before they have been idle for long.
            self._interruptions += 1
            raise
        self._interruptions = 0
        return len(entries)

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY.total_seconds():
            self._looked_at = now
            await self.retry_once()
            SET_ASIDE.labels(self.name).set((await self._failed.set_aside()).get(self.name, 0))

    async def retry_once(self) -> int:
        """Try failed facts whose time has come; return how many they were."""
        due = (FailedFact.consumer == self.name, FailedFact.due_at <= self._clock.now())
        query = select(FailedFact.event_id).where(*due)
        async with self._database.session() as session:
            order = (FailedFact.due_at, FailedFact.event_id)
            ids = (await session.scalars(query.order_by(*order).limit(RETRIED))).all()
        for event_id in ids:
            chosen = select(FailedFact).where(*due, FailedFact.event_id == event_id)
            fact: Event | None = None
            try:
                async with self._database.transaction() as session:
                    row = await session.scalar(chosen.with_for_update(skip_locked=True))
                    if row is None:
                        continue
                    fact = self._read(row.payload)
                    if fact is None:
                        row.due_at = None  # of another version; it may be back
                        continue
                    await session.delete(row)
                    await session.flush()
                    await self._apply(session, [fact])
            except Exception as error:  # the border: whatever a handler raises is written down
                if fact is None or (isinstance(error, OUTAGE) and not await self._database_answers()):
                    raise
                await self._note(fact, error)
        return len(ids)

    async def _next(self, block_ms: int) -> "Sequence[Entry]":
        """Read from Redis what is to be handled now."""
        if self._interruptions:
            answer: Any = await self._redis.xreadgroup(self.name, self._worker, {STREAM: "0"}, count=100)
            if found := [entry for _, entries in answer or () for entry in entries]:
                return found
            self._interruptions = 0
        claimed: Any = await self._redis.xautoclaim(
            STREAM, self.name, self._worker, min_idle_time=30_000, start_id="0-0", count=50
        )
        if found := [entry for entry in claimed[1] if entry[1]]:
            return found
        answer = await self._redis.xreadgroup(
            self.name, self._worker, {STREAM: ">"}, count=100, block=block_ms
        )
        return [entry for _, entries in answer or () for entry in entries]

    async def _handle_each(self, entries: "Sequence[Entry]") -> None:
        """Handle all in one transaction; when one of them is at fault, each in its own."""
        # An entry without fields has been trimmed from the stream meanwhile.
        read = [self._read(fields.get(b"e", b"")) for _, fields in entries if fields]
        facts = [fact for fact in read if fact is not None]
        if facts and (error := await self._handle(facts)) is not None:
            if len(facts) == 1:
                await self._note(facts[0], error)
            else:
                for fact in facts:
                    if (error := await self._handle([fact])) is not None:
                        await self._note(fact, error)
        if entries:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._redis.xack(STREAM, self.name, *(entry_id for entry_id, _ in entries))

    async def _handle(self, facts: Sequence[Event]) -> Exception | None:
        """Handle some facts in one transaction; return what they are at fault for.

        Raises:
            SQLAlchemyError, OSError: a server is away.
        """
        try:
            async with self._database.transaction() as session:
                await self._apply(session, facts)
        except OUTAGE as error:
            if self._interruptions < PATIENCE or not await self._database_answers():
                raise
            return error
        except Exception as error:  # the border: whatever a handler raises is written down
            return error
        return None

    async def _apply(self, session: AsyncSession, facts: Sequence[Event]) -> None:
        """Handle those facts that were neither handled before nor wait for another try."""
        ids = [fact.event_id for fact in facts]
        query = union_all(
            *(
                select(table.event_id).where(table.consumer == self.name, table.event_id.in_(ids))
                for table in (ConsumedFact, FailedFact)
            )
        )
        seen = set((await session.execute(query)).scalars())
        for fact in facts:
            if fact.event_id not in seen:
                seen.add(fact.event_id)
                now = self._clock.now()
                session.add(ConsumedFact(consumer=self.name, event_id=fact.event_id, consumed_at=now))
                await self._handler(session, fact)

    async def _note(self, fact: Event, error: Exception) -> None:
        async with self._database.transaction() as session:
            await note_failure(session, self.name, fact, error, self._clock.now())

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._database.ping()
        except (SQLAlchemyError, OSError):
            return False
        return True

    def _read(self, raw: bytes) -> Event | None:
        """Return a fact that is for us."""
        try:
            item = decode(raw)
        except Invalid as error:
            log.error("fact_refused", consumer=self.name, error=error.message)
            return None
        return item if isinstance(item, self._types) else None
