"""Finding calls again: filters, pages, the customer's link."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import new_ulid
from telephony.call_record import CallRecord, record_of
from telephony.domain.call import Call, CallResult, CallState, Direction
from telephony.domain.leg import Leg, LegKind
from telephony.history import CallHistory, link_customer
from telephony.repository import save_calls
from telephony.views import CallFilter, CallView
from tests.support.calls import call_writer, tell_story

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def record(number: int, **changes: object) -> CallRecord:
    """The ``number``-th call of the morning, one a minute (every fifth at the same instant as the last)."""
    values: dict[str, object] = {
        "node": "pbx1",
        "direction": Direction.IN,
        "from_number": f"+8613800138{number:03d}",
        "to_number": "4008001234",
        "from_name": "王建国" if number % 2 else "Li Lei 100%",
        "started_at": START + (number - number % 5) * MINUTE,
        "call_id": new_ulid(),
        "state": CallState.ENDED,
        "result": CallResult.ANSWERED if number % 3 else CallResult.ABANDONED_QUEUE,
        "queue": ("complaint", "repair")[number % 2],
        "menu_path": ["投诉" if number % 2 == 0 else "报修"],
        "ended_at": START + number * MINUTE,
    }
    call = Call(**(values | changes))  # type: ignore[arg-type]
    return record_of(call, saved=0, agent_id=None, ended=None)


async def store(database: Database, *records: CallRecord) -> list[str]:
    async with database.transaction() as session:
        await save_calls(session, records)
    return [item.call_id for item in records]


async def found(database: Database, **wanted: object) -> set[str]:
    page = await CallHistory(database).page(CallFilter(**wanted), limit=500)  # type: ignore[arg-type]
    return {call.call_id for call in page.items}


async def test_pages_show_every_call_once_newest_first(database: Database) -> None:
    ids = await store(database, *(record(number) for number in range(53)))
    history, cursor = CallHistory(database), None
    seen: list[CallView] = []
    while True:
        page = await history.page(CallFilter(), cursor=cursor, limit=10)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(call.call_id for call in seen) == sorted(ids)
    assert [call.started_at for call in seen] == sorted((call.started_at for call in seen), reverse=True)


async def test_filters(database: Database) -> None:
    ids = await store(database, *(record(number) for number in range(20)))
    even, odd = set(ids[::2]), set(ids[1::2])
    assert await found(database) == set(ids)
    assert await found(database, queue="complaint") == even
    assert await found(database, result="ABANDONED_QUEUE") == set(ids[::3])
    assert await found(database, direction="out") == set()
    assert await found(database, since=START + 10 * MINUTE) == set(ids[10:])
    assert await found(database, since=START + 5 * MINUTE, until=START + 10 * MINUTE) == set(ids[5:10])
    assert await found(database, number="13800138007") == {ids[7]}
    assert await found(database, number="+86 138 0013 8007") == {ids[7]}
    assert await found(database, number="38001380") == set(ids)
    assert await found(database, number="8007") == {ids[7]}
    assert await found(database, number="4008001234") == set(ids)
    assert await found(database, text="建国") == odd
    assert await found(database, text="li lei") == even
    assert await found(database, text="100%") == even
    assert await found(database, text="%") == even
    assert await found(database, text="_") == set()
    assert await found(database, text="报修") == odd
    assert await found(database, text="' OR 1=1 --") == set()
    assert await found(database, queue="repair", result="ABANDONED_QUEUE", text="建国") == set(ids[3::6])


async def test_an_agent_finds_every_call_he_talked_in(database: Database, tmp_path: Path) -> None:
    writer = call_writer(database, tmp_path)
    transferred = tell_story(writer, "blind_transfer")
    rejected = tell_story(writer, "agent_rejects")
    await writer.flush()
    assert await found(database, agent="1001") == {transferred}
    assert await found(database, agent="1003") == {transferred}
    assert await found(database, agent="1002") == {rejected}


async def test_the_customer_is_linked_once_and_survives_the_writer(database: Database) -> None:
    (call_id,) = await store(database, first := record(1))
    history, customer = CallHistory(database), new_ulid()
    async with database.transaction() as session:
        assert await link_customer(session, call_id, customer)
        assert not await link_customer(session, new_ulid(), customer)
    await store(database, first)
    assert (await history.get(call_id)).customer_id == customer
    assert await found(database, customer_id=customer) == {call_id}


@pytest.mark.parametrize("cursor", ["", "x", "é", "bm90IGEgY3Vyc29y", "MjAyNnww", "A" * 5000])
async def test_a_foreign_cursor_is_refused(sqlite: Database, cursor: str) -> None:
    with pytest.raises(Invalid):
        await CallHistory(sqlite).page(CallFilter(), cursor=cursor)


@pytest.mark.parametrize("call_id", ["", "x", "01JNA0000000000000000000CA", "' OR 1=1", "\x00"])
async def test_no_such_call(sqlite: Database, call_id: str) -> None:
    with pytest.raises(NotFound):
        await CallHistory(sqlite).get(call_id)


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_page_has_a_bound(sqlite: Database, limit: int) -> None:
    with pytest.raises(Invalid):
        await CallHistory(sqlite).page(CallFilter(), limit=limit)


async def test_hostile_text_is_stored_as_text(database: Database) -> None:
    name = "<script>alert('x')</script>😀; DROP TABLE call"
    (call_id,) = await store(database, record(1, from_name=name[:80], from_number="anonymous"))
    call = await CallHistory(database).get(call_id)
    assert (call.from_name, call.from_number) == (name[:80], "anonymous")


async def test_the_longest_call_fits(database: Database) -> None:
    call = Call(
        node="n" * 32,
        direction=Direction.INTERNAL,
        from_number="1" * 64,
        to_number="2" * 64,
        from_name="名" * 80,
        started_at=START,
        call_id=new_ulid(),
        queue="q" * 64,
        menu_path=["菜" * 80] * 50,
    )
    call.legs["u"] = Leg(
        call=call,
        uniqueid="u" * 64,
        linkedid="l" * 64,
        channel="c" * 128,
        kind=LegKind.OUTSIDE,
        agent_number=None,
        number="3" * 64,
        started_at=START,
    )
    (call_id,) = await store(database, record_of(call, saved=0, agent_id=None, ended=None))
    assert len((await CallHistory(database).get(call_id)).menu_path) == 50
