"""The bounded, ordered stream between the reader and the consumer."""

import asyncio
from datetime import UTC, datetime

import pytest

from telephony.ami import AmiEvent, EpochStarted, Item, LinkMoved, LinkState
from telephony.ami.stream import BURST, ItemStream

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def stream(*, max_items: int = 10, max_bytes: int = 10_000) -> ItemStream:
    return ItemStream(max_items=max_items, max_bytes=max_bytes)


def tick(number: int) -> AmiEvent:
    return AmiEvent.of("Tick", {"Number": str(number)})


def moved(state: LinkState) -> LinkMoved:
    return LinkMoved(node="pbx1", at=NOW, state=state)


def started() -> EpochStarted:
    return EpochStarted(
        epoch=1, node="pbx1", at=NOW, boot_id="b", booted_at=None, restarted=None, ami_version="11"
    )


async def read_all(items: ItemStream) -> list[Item]:
    items.close()
    return [item async for item in items]


async def test_order_is_kept() -> None:
    items = stream()
    events = [tick(number) for number in range(5)]
    assert all(items.push(event) for event in events)
    assert await read_all(items) == events


async def test_events_have_a_limit_and_markers_none() -> None:
    items = stream(max_items=3)
    assert [items.push(tick(number)) for number in range(5)] == [True, True, True, False, False]
    items.mark(moved(LinkState.DOWN))
    assert len(await read_all(items)) == 4


async def test_the_limit_in_bytes() -> None:
    items = stream(max_bytes=100)
    big = AmiEvent("Big", b"x" * 60)
    assert items.push(big)
    assert not items.push(big)
    await anext(items)
    assert items.push(big)


async def test_held_events_follow_their_marker() -> None:
    items = stream()
    items.hold()
    event = tick(1)
    items.push(event)
    items.mark(moved(LinkState.CONNECTING))
    marker = started()
    items.release(marker)
    assert await read_all(items) == [moved(LinkState.CONNECTING), marker, event]


async def test_dropped_held_events_free_their_room() -> None:
    items = stream(max_items=1)
    items.hold()
    assert items.push(tick(1))
    items.drop_held()
    assert items.push(tick(2))
    assert len(items) == 1


async def test_unread_states_of_the_link_are_replaced() -> None:
    items = stream()
    for _ in range(1000):
        items.mark(moved(LinkState.CONNECTING))
        items.mark(moved(LinkState.DOWN))
    assert await read_all(items) == [moved(LinkState.DOWN)]


async def test_a_cancelled_consumer_loses_nothing() -> None:
    items = stream(max_items=1000)
    received: list[object] = []
    for number in range(50):
        waiting = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0)
        # Cancelled before, at the same moment as, or after the event came.
        if number % 2:
            waiting.cancel()
        items.push(tick(number))
        if not number % 2:
            waiting.cancel()
        received += await asyncio.gather(waiting, return_exceptions=True)
    received += await read_all(items)
    numbers = [int(item.get("number")) for item in received if isinstance(item, AmiEvent)]
    assert numbers == list(range(50))


async def test_a_busy_consumer_lets_the_loop_run() -> None:
    items = stream(max_items=BURST * 4)
    for number in range(BURST * 4):
        items.push(tick(number))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await read_all(items)
    task.cancel()
    assert turns >= 3


async def test_waiting_until_there_is_room_again() -> None:
    items = stream(max_items=10)
    for number in range(10):
        items.push(tick(number))
    waiting = asyncio.create_task(items.drained())
    for _ in range(4):
        await anext(items)
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(items)
    await asyncio.wait_for(waiting, 20)


async def test_closing_wakes_the_consumer_and_refuses_more() -> None:
    items = stream()
    reading = asyncio.create_task(read_all(items))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(reading, 20) == []
    assert not items.push(tick(1))
    items.mark(moved(LinkState.CLOSED))
    assert len(items) == 0
