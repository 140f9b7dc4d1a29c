"""Our FastAGI server with handlers written in the test: what a menu would do, in three lines."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

from telephony.agi.server import AgiConfig, AgiServer, Handler
from telephony.agi.session import AgiSession


@contextlib.asynccontextmanager
async def agi_routes(port: int, routes: Mapping[str, Handler]) -> AsyncIterator[AgiServer]:
    """Serve ``routes`` (``flow``, ``after-queue``, …) on this port inside the block."""
    server = AgiServer(AgiConfig(port=port), {"route": as_the_menu_says, **routes})
    await server.start()
    try:
        yield server
    finally:
        await server.stop(timedelta(0))


async def to_queue(agi: AgiSession, queue: str, seconds: int = 60) -> None:
    """Answer and hand the caller to a queue, as the end of a menu does."""
    await agi.answer()
    await agi.set_variable("HF_NEXT", "queue")
    await agi.set_variable("HF_QUEUE", queue)
    await agi.set_variable("HF_QUEUE_TIMEOUT", str(seconds))


async def hang_up_after_queue(agi: AgiSession) -> None:
    """After a queue: nothing more to say."""
    await agi.set_variable("HF_NEXT", "hangup")


async def as_the_menu_says(agi: AgiSession) -> None:
    """Before a queue: no rule changes anything."""
    await agi.set_variable("HF_ROUTE", "queue")
