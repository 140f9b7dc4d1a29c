"""Reading the stream of an AMI link in the background of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from kernel.clock import SystemClock
from telephony.ami import AmiConfig, AmiEvent, AmiLink, Item, LinkState
from tests.support.waiting import eventually

T = TypeVar("T")


class Collected:
    """Everything a link's stream has given so far."""

    def __init__(self, link: AmiLink) -> None:
        self.items: list[Item] = []
        self._link = link
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Read until the link is closed."""
        async for item in self._link.items():
            self.items.append(item)

    def start(self) -> None:
        """Read in the background."""
        self._task = asyncio.create_task(self.read())

    async def finish(self) -> None:
        """Read what is left of a closed link."""
        if self._task is not None:
            await asyncio.wait_for(self._task, 20)

    async def stop(self) -> None:
        """Stop reading; what was not read stays in the stream."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def of(self, kind: type[T]) -> list[T]:
        """The items of one type."""
        return [item for item in self.items if isinstance(item, kind)]

    def events(self, name: str) -> list[AmiEvent]:
        """The events of one name."""
        return [event for event in self.of(AmiEvent) if event.name == name]

    async def event(self, name: str, *, count: int = 1, timeout: float = 5.0) -> AmiEvent:
        """Wait for the ``count``-th event of a name."""
        what = f"{count} × event {name}"
        await eventually(lambda: len(self.events(name)) >= count, timeout=timeout, what=what)
        return self.events(name)[count - 1]

    async def item(self, kind: type[T], *, count: int = 1, timeout: float = 5.0) -> T:
        """Wait for the ``count``-th item of a type."""
        what = f"{count} × {kind.__name__}"
        await eventually(lambda: len(self.of(kind)) >= count, timeout=timeout, what=what)
        return self.of(kind)[count - 1]


@asynccontextmanager
async def running_link(
    config: AmiConfig, *, node: str = "pbx1", up: bool = True, **more: Any
) -> AsyncIterator[tuple[AmiLink, Collected]]:
    """A running link whose stream is read; with ``up``, wait until it is."""
    link = AmiLink(config, clock=SystemClock(), node=node, **more)
    collected = Collected(link)
    async with link:
        collected.start()
        try:
            if up:
                await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
            yield link, collected
        except BaseException:
            await collected.stop()
            raise
    await collected.finish()
