"""Waiting for something to become true, with a deadline, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
PATIENCE = 4
"""A machine with other work stalls for seconds now and then; a wait that ends well costs nothing more."""


@overload
async def eventually(
    predicate: Callable[[], Awaitable[T]], *, timeout: float = ..., interval: float = ..., what: str = ...
) -> T: ...
@overload
async def eventually(
    predicate: Callable[[], T], *, timeout: float = ..., interval: float = ..., what: str = ...
) -> T: ...
async def eventually(
    predicate: Callable[[], Any], *, timeout: float = 5.0, interval: float = 0.01, what: str = ""
) -> Any:
    """Return the first true answer of ``predicate`` (a function or a coroutine function).

    Raises:
        AssertionError: it did not become true within ``timeout`` seconds of a quiet machine; names ``what``
            and the last answer.
    """
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            waited = f"not within {timeout * PATIENCE:g} s"
            raise AssertionError(f"{waited}: {what or predicate!r}; last answer {answer!r}")
        await asyncio.sleep(interval)
