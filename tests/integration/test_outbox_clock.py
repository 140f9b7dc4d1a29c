"""Facts do not wait for a clock that was ahead when they were written."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.due import claim_due
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRelay, OutboxRow, add_fact
from telephony.events import DispositionSaved

pytestmark = pytest.mark.integration


async def due(database: Database, clock: FakeClock) -> list[str]:
    async with database.transaction() as session:
        rows = await claim_due(
            session, OutboxRow, worker="w1", now=clock.now(), lease=timedelta(seconds=30), limit=10
        )
        facts = [decode(row.payload) for row in rows]
        return [fact.notes for fact in facts if isinstance(fact, DispositionSaved)]


async def test_facts_from_before_the_clock_was_set_back_are_due_in_their_order(
    sqlite: Database, clock: FakeClock
) -> None:
    relay = OutboxRelay(sqlite, Redis(unix_socket_path="/nowhere"), clock, worker="w1")
    async with sqlite.transaction() as session:
        for place, notes in enumerate(("first", "second", "third")):
            ahead = clock.now() + timedelta(hours=1, seconds=place)
            fact = DispositionSaved(
                at=ahead,
                call_id=new_ulid(),
                agent_id=new_ulid(),
                agent_number="1001",
                disposition="done",
                notes=notes,
                customer_id=None,
            )
            add_fact(session, fact)
    assert await due(sqlite, clock) == []
    assert await relay.make_due() == 3
    clock.advance(timedelta(milliseconds=1))
    assert await due(sqlite, clock) == ["first", "second", "third"]
    assert await relay.make_due() == 0
