"""Facts that a receiver cannot handle: tried again, set aside, and never in the way of others."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app.cli import cli
from app.doctor import Level
from app.doctor.services import check_database
from app.doctor_inputs import doctor_inputs
from app.settings import load_settings
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import Event, event
from kernel.failed_facts import WAITS, ConsumedFact, FailedFacts
from kernel.ids import new_ulid
from kernel.outbox import PATIENCE, FactConsumer, OutboxRelay, add_fact

pytestmark = pytest.mark.integration


@event
class LampLit(Event):
    """A fact for these tests."""

    lamp: str


class Receiver:
    """A receiver that refuses some lamps."""

    def __init__(self, database: Database, redis: Redis, clock: FakeClock) -> None:
        self.refused: dict[str, Exception] = {}
        self.handled: list[str] = []
        self.database = database
        self.redis = redis
        self.clock = clock
        self.failed = FailedFacts(database, clock)
        self.consumer = FactConsumer(
            "lamps", (LampLit,), self._take, database=database, redis=redis, clock=clock, worker="w1"
        )
        self._relay = OutboxRelay(database, redis, clock, worker="w1")

    async def _take(self, session: AsyncSession, item: Event) -> None:
        assert isinstance(item, LampLit)
        if item.lamp in self.refused:
            raise self.refused[item.lamp]
        self.handled.append(item.lamp)

    async def send(self, *lamps: str) -> None:
        async with self.database.transaction() as session:
            for lamp in lamps:
                add_fact(session, LampLit(at=self.clock.now(), lamp=lamp))
        await self._relay.run_once()
        await self.consumer._make_group()

    async def marks(self) -> int:
        async with self.database.session() as session:
            return len((await session.scalars(select(ConsumedFact.event_id))).all())

    async def waiting_in_redis(self) -> int:
        return int((await self.redis.xpending("hf:facts", "lamps"))["pending"])


@pytest.fixture
def receiver(sqlite: Database, redis: Redis, clock: FakeClock) -> Receiver:
    return Receiver(sqlite, redis, clock)


async def test_an_unexpected_error_holds_up_no_other_and_is_tried_again(receiver: Receiver) -> None:
    receiver.refused["b"] = TypeError("no such lamp")
    await receiver.send("a", "b", "c")
    assert await receiver.consumer.run_once(block_ms=10) == 3
    assert sorted(set(receiver.handled)) == ["a", "c"]
    assert await receiver.waiting_in_redis() == 0
    assert await receiver.marks() == 2

    assert await receiver.consumer.retry_once() == 0
    receiver.clock.advance(WAITS[0])
    assert await receiver.consumer.retry_once() == 1
    (failed,) = await receiver.failed.list()
    assert (failed.tries, failed.kind, failed.error) == (2, "LampLit", "TypeError: no such lamp")

    receiver.refused.clear()
    receiver.clock.advance(WAITS[1])
    assert await receiver.consumer.retry_once() == 1
    assert receiver.handled[-1] == "b"
    assert await receiver.failed.list() == []
    assert await receiver.marks() == 3


async def test_what_keeps_failing_is_set_aside_and_told(receiver: Receiver) -> None:
    receiver.refused["b"] = KeyError("b")
    await receiver.send("b")
    with capture_logs() as logs:
        await receiver.consumer.run_once(block_ms=10)
        for wait in WAITS:
            receiver.clock.advance(wait)
            assert await receiver.consumer.retry_once() == 1
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["fact_set_aside"]
    (failed,) = await receiver.failed.list()
    assert (failed.due_at, failed.tries) == (None, len(WAITS) + 1)
    receiver.clock.advance(10 * WAITS[-1])
    assert await receiver.consumer.retry_once() == 0
    await receiver.consumer._look()
    assert REGISTRY.get_sample_value("huifang_facts_set_aside", {"consumer": "lamps"}) == 1

    async with receiver.database.transaction() as session:
        assert await receiver.failed.try_again(session) == 1
    assert await receiver.consumer.retry_once() == 1
    assert await receiver.failed.set_aside() == {"lamps": 1}
    receiver.refused.clear()
    async with receiver.database.transaction() as session:
        await receiver.failed.try_again(session, failed.event_id)
    await receiver.consumer.retry_once()
    assert receiver.handled == ["b"]


async def test_a_failed_fact_that_is_delivered_again_is_not_handled_out_of_turn(receiver: Receiver) -> None:
    receiver.refused["b"] = ValueError()
    await receiver.send("b")
    await receiver.consumer.run_once(block_ms=10)
    receiver.refused.clear()
    # Redis came back empty, and everything is sent once more.
    await receiver.redis.flushall()
    await receiver.consumer._make_group()
    await receiver.send("c")
    assert await receiver.consumer.run_once(block_ms=10) == 2
    assert receiver.handled == ["c"]
    receiver.clock.advance(WAITS[0])
    await receiver.consumer.retry_once()
    assert receiver.handled == ["c", "b"]


async def test_an_outage_that_only_one_fact_sees_is_its_own(receiver: Receiver) -> None:
    receiver.refused["b"] = OperationalError("SELECT", {}, Exception("too many SQL variables"))
    await receiver.send("a", "b", "c")
    for _ in range(PATIENCE):
        with pytest.raises(OperationalError):
            await receiver.consumer.run_once(block_ms=10)
    assert await receiver.failed.list() == []
    assert await receiver.consumer.run_once(block_ms=10) == 3
    assert receiver.handled[-2:] == ["a", "c"]
    (failed,) = await receiver.failed.list()
    assert failed.error == "OperationalError: too many SQL variables"


def test_the_commands_and_the_doctor_on_failed_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUIFANG_DATA_DIR", str(tmp_path / "data"))
    run = CliRunner().invoke
    assert run(cli, ["db", "upgrade"]).exit_code == 0
    assert run(cli, ["facts", "list"]).output == ""
    file, first, second = tmp_path / "data" / "huifang.db", new_ulid(), new_ulid()
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        row = "'crm.notices', ?, 'CallEnded', x'7b7d', 7, '2026-03-02 10:00:00', NULL, 'KeyError: x'"
        connection.executemany(f"INSERT INTO failed_fact VALUES ({row})", [(first,), (second,)])

    (_, finding) = asyncio.run(check_database(doctor_inputs(load_settings())))
    assert (finding.level, "2 by crm.notices" in finding.message) == (Level.WARNING, True)
    listed = run(cli, ["facts", "list"]).output
    assert f"{first} crm.notices CallEnded: set aside after 7 tries; KeyError: x" in listed
    assert "dropped for 1" in run(cli, ["facts", "drop", first]).output
    with contextlib.closing(sqlite3.connect(file)) as database:
        marks = database.execute("SELECT consumer, event_id FROM consumed_fact").fetchall()
    assert marks == [("crm.notices", first)], "nor does it come back with a Redis that lost everything"
    assert "1 will be tried again" in run(cli, ["facts", "retry"]).output
    assert f"no fact {second} is set aside" in run(cli, ["facts", "drop", second]).output
    assert "2 records" in run(cli, ["audit", "verify"]).output
