"""Live events: order, bounds, encoding."""

import asyncio
from datetime import UTC, datetime

import pytest

from kernel.bus import Bus, Lagged
from kernel.errors import Invalid
from kernel.events import Event, decode, encode, event
from kernel.ids import is_ulid, new_ulid, ulid_time

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@event
class TestRang(Event):
    __test__ = False
    call_id: str
    path: tuple[str, ...] = ()
    until: datetime | None = None


@event
class TestEnded(Event):
    __test__ = False
    call_id: str


async def test_subscribers_get_their_types_in_order() -> None:
    bus = Bus()
    async with bus.subscribe(TestRang, name="a") as a, bus.subscribe(name="all") as everything:
        first, second = TestRang(at=NOW, call_id="1"), TestEnded(at=NOW, call_id="1")
        bus.publish(first)
        bus.publish(second)
        assert await a.get() is first
        assert [await everything.get(), await everything.get()] == [first, second]


async def test_a_slow_subscriber_is_told_what_it_lost() -> None:
    bus = Bus()
    async with bus.subscribe(TestRang, name="slow", maxsize=2) as slow:
        for number in range(5):
            bus.publish(TestRang(at=NOW, call_id=str(number)))
        lagged = await slow.get()
        assert isinstance(lagged, Lagged)
        assert lagged.dropped == 3
        left = [await slow.get(), await slow.get()]
        assert [item.call_id for item in left if isinstance(item, TestRang)] == ["3", "4"]


async def test_closing_ends_the_reader() -> None:
    bus = Bus()
    subscription = bus.subscribe(TestRang, name="x")

    async def read() -> list[object]:
        return [item async for item in subscription]

    reader = asyncio.create_task(read())
    bus.publish(TestRang(at=NOW, call_id="1"))
    await asyncio.sleep(0)
    subscription.close()
    assert len(await asyncio.wait_for(reader, 20)) == 1


async def test_cancelled_reader_loses_nothing() -> None:
    bus = Bus()
    async with bus.subscribe(TestRang, name="x") as subscription:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscription.get(), 0.01)
        sent = TestRang(at=NOW, call_id="1")
        bus.publish(sent)
        assert await asyncio.wait_for(subscription.get(), 20) is sent


def test_events_survive_the_wire() -> None:
    sent = TestRang(at=NOW, call_id="通话", path=("投诉", "工程"), until=NOW)
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b'{"type":"Nothing","event":{}}', b'{"type":"TestRang","event":{}}']
)
def test_foreign_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        decode(raw)


def test_ulids() -> None:
    made = new_ulid()
    assert is_ulid(made)
    assert not is_ulid("not-a-ulid")
    assert abs((datetime.now(UTC) - ulid_time(made)).total_seconds()) < 5
