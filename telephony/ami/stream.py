"""The bounded, ordered way from the reader callback to the one consumer."""

import asyncio
from collections import deque
from typing import Self

from telephony.ami.epoch import EpochStarted, Item, LinkMoved
from telephony.ami.message import AmiEvent

# After so many items without a pause the consumer lets the loop read the socket again: Asterisk drops a
# reader that leaves its socket full for 100 ms.
BURST = 64


class ItemStream:
    """One producer (the reader callback, synchronous), one consumer (``async for``).

    Events are refused when the bounds are reached; markers are always taken, there are few of them. An item
    leaves the stream only when the consumer receives it: cancelling the consumer loses nothing.
    """

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._queue: deque[Item] = deque()
        self._held: deque[AmiEvent] | None = None
        self._bytes = 0
        self._events = 0
        self._waiter: asyncio.Future[None] | None = None
        self._below: asyncio.Event = asyncio.Event()
        self._below.set()
        self._burst = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue) + (len(self._held) if self._held else 0)

    def push(self, event: AmiEvent) -> bool:
        """Append an event; return False when there is no room."""
        size = self._bytes + len(event.raw)
        if self._events >= self._max_items or size > self._max_bytes or self._closed:
            return False
        self._bytes = size
        self._events += 1
        if self._held is not None:
            self._held.append(event)
            return True
        self._queue.append(event)
        if self._waiter is not None:
            self._wake()
        return True

    def mark(self, item: Item) -> None:
        """Append a marker. A newer LinkMoved replaces one that nobody has read yet."""
        if self._closed:
            return
        if isinstance(item, LinkMoved) and self._queue and isinstance(self._queue[-1], LinkMoved):
            self._queue[-1] = item
        else:
            self._queue.append(item)
        self._wake()

    def hold(self) -> None:
        """Keep following events back until the epoch they belong to is announced."""
        self._held = deque()

    def release(self, marker: EpochStarted) -> None:
        """Announce the epoch, then its events."""
        held, self._held = self._held or deque(), None
        self._queue.append(marker)
        self._queue.extend(held)
        self._wake()

    def drop_held(self) -> None:
        """Forget events of an epoch that never began."""
        for event in self._held or ():
            self._bytes -= len(event.raw)
            self._events -= 1
        self._held = None

    def close(self) -> None:
        """End the iteration once everything has been read. Nothing can be added any more."""
        self._closed = True
        self._below.set()
        self._wake()

    async def drained(self) -> None:
        """Wait until less than half of the room is taken."""
        if self._events * 2 > self._max_items or self._bytes * 2 > self._max_bytes:
            self._below.clear()
            await self._below.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        queue = self._queue
        if not queue:
            await self._wait()
        elif self._burst >= BURST:
            self._burst = 0
            await asyncio.sleep(0)
        self._burst += 1
        item = queue.popleft()
        if type(item) is AmiEvent:
            self._events -= 1
            self._bytes -= len(item.raw)
            if not self._below.is_set() and self._events * 2 <= self._max_items:
                self._below.set()
        return item

    async def _wait(self) -> None:
        self._burst = 0
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("an AMI stream has one consumer")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
