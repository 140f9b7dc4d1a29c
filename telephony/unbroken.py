"""Waiting for a piece of work that must not be cancelled half-way."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE_SECONDS = 1.0


async def unbroken(work: Coroutine[Any, Any, T], *, deadline: float) -> T:
    """Return what ``work`` returns; when we are cancelled it is let run to its end first.

    A transaction cancelled half-way may leave its connection behind with the database's lock.

    Raises:
        TimeoutError: it took longer than ``deadline`` seconds and was cancelled after all.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=deadline)
        if done:
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            # Cancelled while it was still in time: it gets the rest; late: it gets a moment to clean up.
            await asyncio.wait({task}, timeout=deadline if _being_cancelled() else 0)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE_SECONDS)
        if task.done() and not task.cancelled():
            task.exception()  # seen: nobody else will ask


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
