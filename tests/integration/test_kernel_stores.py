"""Database, due rows and outbox over the real servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.runtime.redis_server import RedisServer
from kernel.clock import FakeClock
from kernel.db import Base, Database, Ulid, UtcDateTime, create_database
from kernel.due import DueColumns, DueWorker, claim_due
from kernel.errors import ConfigurationError
from kernel.events import Event, event
from kernel.failed_facts import ConsumedFact, FailedFacts
from kernel.ids import new_ulid
from kernel.outbox import FactConsumer, OutboxRelay, OutboxRow, add_fact
from kernel.supervise import end_tasks
from tests.support.db import postgres_database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Chore(DueColumns, Base):
    """A due row for these tests."""

    __tablename__ = "test_chore"

    id: Mapped[str] = mapped_column(Ulid, primary_key=True)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@event
class ChoreDone(Event):
    """A fact for these tests."""

    chore: str


async def test_times_are_aware_utc_on_both(database: Database, clock: FakeClock) -> None:
    moment = datetime.fromisoformat("2026-03-02T10:00:00.123456+08:00")
    key = new_ulid()
    async with database.transaction() as session:
        session.add(Chore(id=key, due_at=moment))
    async with database.session() as session:
        row = await session.get_one(Chore, key)
        assert row.due_at == moment
        assert row.due_at.utcoffset() == timedelta(0)
        by_time = await session.execute(select(Chore.id).where(Chore.due_at == moment))
        assert by_time.scalar_one() == key


async def test_a_failed_transaction_leaves_nothing(database: Database, clock: FakeClock) -> None:
    with contextlib.suppress(KeyError):
        async with database.transaction() as session:
            session.add(Chore(id=new_ulid(), due_at=clock.now()))
            await session.flush()
            raise KeyError
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(Chore))).scalar_one() == 0


async def test_writers_wait_for_each_other(database: Database, clock: FakeClock) -> None:
    key = new_ulid()
    async with database.transaction() as session:
        session.add(Chore(id=key, tries=0))

    async def count_up() -> None:
        async with database.transaction() as session:
            row = (await session.execute(select(Chore).where(Chore.id == key).with_for_update())).scalar_one()
            row.tries += 1

    await asyncio.gather(*(count_up() for _ in range(20)))
    async with database.session() as session:
        assert (await session.get_one(Chore, key)).tries == 20


def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="use sqlite or postgresql"):
        create_database("mysql://localhost/x")
    with pytest.raises(ConfigurationError, match="not a database URL"):
        create_database("nonsense")


async def test_a_postgresql_that_vanished_is_noticed() -> None:
    async with postgres_database() as database, database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        said = driver.info.get_parameters()
    assert (said["keepalives_idle"], said["tcp_user_timeout"]) == ("10", "20000")


async def test_reading_is_no_transaction_unless_settings_are_to_hold() -> None:
    async with postgres_database() as postgres:
        setting = text("SELECT current_setting('enable_seqscan')")
        for _ in range(8):
            async with postgres.session() as session:
                assert await session.scalar(setting) == "on"
        tuned = text("SELECT set_config('enable_seqscan', 'off', true)")
        async with postgres.tuned_session(tuned) as session:
            assert await session.scalar(setting) == "off"
        async with postgres.session() as session:
            assert await session.scalar(setting) == "on"
            prepared = await session.scalars(text("SELECT statement FROM pg_prepared_statements"))
            assert str(setting) in prepared.all(), "what is asked often is prepared, and stays so"


async def test_two_workers_never_take_the_same_row(database: Database, clock: FakeClock) -> None:
    async with database.transaction() as session:
        session.add_all(Chore(id=new_ulid(), due_at=clock.now(), tries=0) for _ in range(40))
    taken: list[str] = []

    async def work(name: str) -> None:
        while True:
            async with database.transaction() as session:
                rows = await claim_due(
                    session, Chore, worker=name, now=clock.now(), lease=timedelta(minutes=1), limit=3
                )
                taken.extend(row.id for row in rows)
            if not rows:
                return

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert len(taken) == len(set(taken)) == 40


async def test_a_dead_workers_rows_are_taken_again(database: Database, clock: FakeClock) -> None:
    key = new_ulid()
    done: list[str] = []
    async with database.transaction() as session:
        session.add(Chore(id=key, due_at=clock.now(), tries=0))
    async with database.transaction() as session:
        assert await claim_due(
            session, Chore, worker="dead", now=clock.now(), lease=timedelta(seconds=30), limit=1
        )

    async def handle(rows: Sequence[Chore]) -> None:
        done.extend(row.id for row in rows)
        async with database.transaction() as session:
            for row in rows:
                (await session.get_one(Chore, row.id)).due_at = None

    worker = DueWorker(database, clock, Chore, handle, worker="alive")
    assert await worker.run_once() == 0
    clock.advance(timedelta(seconds=31))
    assert await worker.run_once() == 1
    assert await worker.run_once() == 0
    assert done == [key]


@pytest.fixture
def consumer(database: Database, redis: Redis, clock: FakeClock) -> FactConsumer:
    async def note(session: AsyncSession, item: Event) -> None:
        assert isinstance(item, ChoreDone)
        session.add(Chore(id=item.chore, done_at=item.at, tries=0))

    return FactConsumer("notes", (ChoreDone,), note, database=database, redis=redis, clock=clock, worker="w1")


async def chores(database: Database) -> int:
    async with database.session() as session:
        return (await session.execute(select(func.count()).select_from(Chore))).scalar_one()


async def test_a_fact_arrives_once_though_it_is_sent_twice(
    database: Database, redis: Redis, clock: FakeClock, consumer: FactConsumer
) -> None:
    fact = ChoreDone(at=clock.now(), chore=new_ulid())
    relay = OutboxRelay(database, redis, clock, worker="w1")
    async with database.transaction() as session:
        add_fact(session, fact)
    assert await relay.run_once() == 1
    async with database.transaction() as session:
        (await session.get_one(OutboxRow, fact.event_id)).due_at = clock.now()
    assert await relay.run_once() == 1
    task = asyncio.create_task(consumer.run())
    await eventually(lambda: chores(database))
    more = ChoreDone(at=clock.now(), chore=new_ulid())
    async with database.transaction() as session:
        add_fact(session, more)
    await relay.run_once()

    async def both() -> bool:
        return await chores(database) == 2

    await eventually(both)
    assert await end_tasks([task]) == ()


async def test_a_fact_that_cannot_be_handled_holds_up_no_other(
    database: Database, redis: Redis, clock: FakeClock, consumer: FactConsumer
) -> None:
    relay = OutboxRelay(database, redis, clock, worker="w1")
    good = [ChoreDone(at=clock.now() + timedelta(seconds=n), chore=new_ulid()) for n in range(3)]
    # The handler writes a row with this key twice.
    bad = ChoreDone(at=clock.now() + timedelta(seconds=0.5), chore=good[0].chore)
    async with database.transaction() as session:
        for fact in (good[0], bad, *good[1:]):
            add_fact(session, fact)
    clock.advance(timedelta(seconds=10))
    assert await relay.run_once() == 4
    await consumer._make_group()
    assert await consumer.run_once(block_ms=10) == 4
    assert await chores(database) == 3
    assert (await redis.xpending("hf:facts", "notes"))["pending"] == 0
    (failed,) = await FailedFacts(database, clock).list()
    assert (failed.event_id, failed.tries) == (bad.event_id, 1)
    clock.advance(timedelta(seconds=1))
    assert await consumer.retry_once() == 1
    (failed,) = await FailedFacts(database, clock).list()
    assert failed.tries == 2


async def test_facts_of_the_same_moment_are_carried_together(
    database: Database, redis: Redis, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = OutboxRelay(database, redis, clock, worker="w1")
    looks: list[float] = []
    now = asyncio.get_running_loop().time
    monkeypatch.setattr(relay._due, "wake", lambda: looks.append(now()))
    begun = now()
    for _ in range(20):
        relay.wake()
    await eventually(lambda: looks)
    relay.wake()
    await eventually(lambda: len(looks) == 2)
    assert looks[0] - begun >= 0.09
    assert looks[1] - looks[0] >= 0.09


async def test_a_fact_waits_in_the_table_while_redis_is_gone(
    database: Database, redis: Redis, redis_server: RedisServer, clock: FakeClock, consumer: FactConsumer
) -> None:
    await redis_server.stop()
    async with database.transaction() as session:
        add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))
    relay = OutboxRelay(database, redis, clock, worker="w1")
    with pytest.raises(OSError, match="redis"):
        await relay.run_once()
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(OutboxRow))).scalar_one() == 1
    await redis_server.start()
    # No lease has to run out first: the clock stands.
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())]
    await eventually(lambda: chores(database), timeout=10)
    assert await end_tasks(tasks) == ()


async def test_a_failed_handler_gives_back_its_rows_and_no_others(
    database: Database, clock: FakeClock
) -> None:
    seen: list[list[str]] = []
    first, second = new_ulid(), new_ulid()

    async def handle(rows: Sequence[Chore]) -> None:
        seen.append([row.id for row in rows])
        if second in seen[-1]:
            raise OSError

    worker = DueWorker(database, clock, Chore, handle, worker="w")
    async with database.transaction() as session:
        session.add(Chore(id=first, due_at=clock.now(), tries=0))
    # Left due without an error: its lease runs.
    assert await worker.run_once() == 1
    async with database.transaction() as session:
        session.add(Chore(id=second, due_at=clock.now(), tries=0))
    clock.advance(timedelta(seconds=1))
    for _ in range(2):
        with pytest.raises(OSError):
            await worker.run_once()
    assert seen == [[first], [second], [second]]


async def test_facts_that_an_outage_interrupted_are_handled_as_soon_as_it_is_over(
    database: Database, redis: Redis, clock: FakeClock
) -> None:
    down = True

    async def note(session: AsyncSession, item: Event) -> None:
        assert isinstance(item, ChoreDone)
        if down:
            raise OperationalError("INSERT", {}, OSError("the server closed the connection"))
        session.add(Chore(id=item.chore, done_at=item.at, tries=0))

    relay = OutboxRelay(database, redis, clock, worker="w1")
    consumer = FactConsumer(
        "notes", (ChoreDone,), note, database=database, redis=redis, clock=clock, worker="w1"
    )
    async with database.transaction() as session:
        for _ in range(3):
            add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))
    await relay.run_once()
    await consumer._make_group()
    for _ in range(2):
        with pytest.raises(OperationalError):
            await consumer.run_once(block_ms=10)
    down = False
    assert await consumer.run_once(block_ms=10) == 3
    assert await chores(database) == 3
    assert (await redis.xpending("hf:facts", "notes"))["pending"] == 0


class Hindered(Database):
    """A database where something happens before one of the transactions."""

    def __init__(self, like: Database, before: dict[int, Callable[[], Awaitable[None]]]) -> None:
        super().__init__(like.engine)
        self._before = before
        self._transactions = 0

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        self._transactions += 1
        if self._transactions in self._before:
            await self._before[self._transactions]()
        async with super().transaction() as session:
            yield session


async def test_a_redis_that_comes_back_empty_while_facts_are_sent_loses_none(
    database: Database, redis: Redis, clock: FakeClock, consumer: FactConsumer
) -> None:
    async def empty() -> None:
        await redis.flushall()
        await consumer._make_group()

    async with database.transaction() as session:
        add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))
    # The first transaction claims, the second notes that the facts have been sent.
    relay = OutboxRelay(Hindered(database, {2: empty}), redis, clock, worker="w1")
    assert await relay.run_once() == 1
    assert await relay.run_once() == 1
    assert await consumer.run_once(block_ms=10) == 1
    assert await chores(database) == 1
    assert await relay.run_once() == 0


async def test_a_redis_that_comes_back_empty_loses_no_fact(
    database: Database, redis: Redis, redis_server: RedisServer, clock: FakeClock, consumer: FactConsumer
) -> None:
    relay = OutboxRelay(database, redis, clock, worker="w1")
    for _ in range(2):
        async with database.transaction() as session:
            add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))
    assert await relay.run_once() == 2
    # sent, and gone with Redis before anybody has read it
    await redis_server.stop()
    await redis_server.start()
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())]

    async def both() -> bool:
        return await chores(database) == 2

    await eventually(both, timeout=10)
    # and once more, while they work: what was handled is not handled twice
    await redis_server.stop()
    await redis_server.start()
    async with database.transaction() as session:
        add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))

    async def three() -> bool:
        return await chores(database) == 3

    await eventually(three, timeout=15)
    assert await end_tasks(tasks) == ()


async def test_what_was_sent_long_ago_is_forgotten(
    database: Database, redis: Redis, clock: FakeClock, consumer: FactConsumer
) -> None:
    relay = OutboxRelay(database, redis, clock, worker="w1")

    async def send() -> None:
        async with database.transaction() as session:
            add_fact(session, ChoreDone(at=clock.now(), chore=new_ulid()))
        await relay.run_once()

    async def kept() -> tuple[int, int]:
        async with database.session() as session:
            rows = (OutboxRow.event_id, ConsumedFact.event_id)
            one, two = [(await session.execute(select(func.count(row)))).scalar_one() for row in rows]
            return one, two

    await send()
    task = asyncio.create_task(consumer.run())
    await eventually(lambda: chores(database))
    assert await end_tasks([task]) == ()
    clock.advance(timedelta(hours=23))
    await send()
    assert await kept() == (2, 1)
    clock.advance(timedelta(hours=2))
    await send()
    assert await kept() == (2, 1)
    clock.advance(timedelta(days=31))
    await send()
    assert await kept() == (1, 0)


async def test_sqlite_is_prepared(sqlite: Database) -> None:
    async with sqlite.session() as session:
        assert (await session.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
        assert (await session.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
