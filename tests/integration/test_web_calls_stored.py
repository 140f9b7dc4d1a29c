"""The API of calls over the real history, on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.history import CallHistory
from telephony.tables import CallEventRow, CallLegRow, CallRow
from tests.support.web import CALL_STARTED, Client, WebHarness, no_pages
from web.permissions import Role

pytestmark = pytest.mark.integration


async def store(database: Database, **changes: Any) -> str:
    """Write an answered call with one leg and one row of its time line."""
    call_id = changes.pop("call_id", None) or new_ulid()
    started = changes.get("started_at", CALL_STARTED)
    row = {
        "call_id": call_id,
        "node": "pbx1",
        "direction": "in",
        "from_number": "+8613800138000",
        "to_number": "+861065551234",
        "from_name": "王建国",
        "queue": "complaint",
        "agent_id": "01JZZZZZZZZZZZZZZZZZZZZZA1",
        "agent_number": "1001",
        "state": "ended",
        "result": "ANSWERED",
        "menu_path": ["投诉"],
        "started_at": started,
        "answered_at": started + timedelta(seconds=20),
        "ended_at": started + timedelta(seconds=80),
        "wait_ms": 8123,
        "talk_ms": 60_000,
        "hold_ms": 0,
        "hangup_by": "caller",
        "end_reason": "hangup",
        "adopted": False,
    } | changes
    leg = {
        "node": "pbx1",
        "uniqueid": f"1772415000.{call_id[-6:]}",
        "call_id": call_id,
        "linkedid": "1772415000.1",
        "channel": "PJSIP/trunk-main-00000001",
        "kind": "caller",
        "number": row["from_number"],
        "started_at": started,
        "taken": False,
    }
    entry = {"call_id": call_id, "seq": 1, "at": started, "kind": "offered", "detail": {"did": "01065551234"}}
    async with database.transaction() as session:
        await session.execute(insert(CallRow).values(row))
        await session.execute(insert(CallLegRow).values(leg))
        await session.execute(insert(CallEventRow).values(entry))
    return call_id


@pytest.fixture
async def client(database: Database, clock: FakeClock) -> AsyncIterator[Client]:
    harness = WebHarness(database, clock, stored_history=CallHistory(database))
    headers = await harness.bearer(Role.SUPERVISOR)
    async with harness.serve(no_pages) as client:
        client.session.headers.update(headers)
        yield client


async def listed(client: Client, query: str = "") -> Any:
    response = await client.get(f"/api/v1/calls?{query}")
    assert response.status == 200, await response.text()
    return await response.json()


async def ids(client: Client, query: str) -> set[str]:
    return {item["call_id"] for item in (await listed(client, query))["items"]}


async def test_a_stored_call(database: Database, client: Client) -> None:
    call_id = await store(database)
    response = await client.get(f"/api/v1/calls/{call_id}")
    call = await response.json()
    assert response.status == 200
    assert (call["result"], call["wait_seconds"], call["talk_seconds"]) == ("ANSWERED", 8.123, 60.0)
    assert call["started_at"] == "2026-03-02T09:30:00.000+08:00"
    assert [leg["number"] for leg in call["legs"]] == ["+8613800138000"]
    assert [row["kind"] for row in call["timeline"]] == ["offered"]
    gone = await client.get(f"/api/v1/calls/{new_ulid()}")
    assert (gone.status, (await gone.json())["code"]) == (404, "call_not_found")


async def test_calls_in_the_list_have_their_legs(database: Database, client: Client) -> None:
    for n in range(3):
        await store(database, started_at=CALL_STARTED + timedelta(minutes=n))
    for item in (await listed(client))["items"]:
        detail = await (await client.get(f"/api/v1/calls/{item['call_id']}")).json()
        del detail["timeline"], detail["quality"], detail["rating"]
        assert item == detail


async def test_every_filter(database: Database, client: Client) -> None:
    day = timedelta(days=1)
    hits = {
        "since=2026-03-03T00:00:00%2B08:00": await store(database, started_at=CALL_STARTED + day),
        "until=2026-03-02T00:00:00%2B08:00": await store(database, started_at=CALL_STARTED - day),
        "direction=out": await store(database, direction="out"),
        "queue=repair": await store(database, queue="repair"),
        "agent=1002": await store(database, agent_number="1002"),
        "result=ABANDONED_QUEUE": await store(database, result="ABANDONED_QUEUE"),
        "number=13900139000": await store(database, from_number="+8613900139000"),
        "customer_id=01JZZZZZZZZZZZZZZZZZZZZZC9": await store(
            database, customer_id="01JZZZZZZZZZZZZZZZZZZZZZC9"
        ),
        "state=talking": await store(database, state="talking", result=None, ended_at=None),
    }
    for query, call_id in hits.items():
        assert await ids(client, query) == {call_id}, query
    assert await ids(client, "number=9000") == {hits["number=13900139000"]}
    assert await ids(client, "queue=repair&state=talking") == set()
    assert len(await ids(client, "")) == len(hits)


async def test_pages_are_complete_and_without_doubles(database: Database, client: Client) -> None:
    stored = [await store(database) for _ in range(5)]  # all of the same instant
    stored += [await store(database, started_at=CALL_STARTED + timedelta(seconds=n)) for n in range(1, 5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await listed(client, f"limit=2{cursor}")
        seen += [item["call_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
        await store(database, started_at=CALL_STARTED + timedelta(hours=1))  # newer ones do not disturb
    assert len(seen) == len(set(seen))
    assert set(seen) == set(stored)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%F0%9F%98%80", "MjAyNi0wMy0wMnxhYmM", "="])
async def test_a_made_up_cursor(client: Client, cursor: str) -> None:
    response = await client.get(f"/api/v1/calls?cursor={cursor}")
    assert response.status == 400
    assert (await response.json())["errors"][0]["field"] == "cursor"
