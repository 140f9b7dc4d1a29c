"""What a call brings, kept in order and tried again until it is: no answer is lost to a busy database."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from prometheus_client import Counter

from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

LOST = Counter("huifang_survey_entries_lost_total", "Answers and endings that could not be kept", ["entry"])

Entry = Callable[[], Awaitable[object]]
FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=2)


class Ledger:
    """The entries of one call.

    Args:
        patience: so long at most the customer waits for an entry.
        give_up: an entry that cannot be kept for so long is given up, and said so in the log.
    """

    def __init__(
        self, *, patience: timedelta = timedelta(seconds=1), give_up: timedelta = timedelta(minutes=2)
    ) -> None:
        self._patience = patience
        self._give_up = give_up
        self._entries: deque[tuple[str, Entry]] = deque()
        self._writer: asyncio.Task[None] | None = None

    @property
    def writer(self) -> "asyncio.Task[None] | None":
        """What still writes; ``None`` when everything is kept."""
        return self._writer if self._writer is not None and not self._writer.done() else None

    async def keep(self, name: str, entry: Entry) -> None:
        """Keep an entry; returns when it is kept, or when the customer has waited long enough.

        Cancelling does not take it back.
        """
        self._entries.append((name, entry))
        if self.writer is None:
            self._writer = asyncio.create_task(self._write(), name="survey ledger")
        await self.settled(self._patience)

    async def settled(self, within: timedelta) -> bool:
        """Wait until everything is kept; return whether it is."""
        writer = self.writer
        if writer is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await asyncio.shield(writer)
        return self.writer is None

    async def _write(self) -> None:
        while self._entries:
            name, entry = self._entries[0]
            await self._keep(name, entry)
            self._entries.popleft()

    async def _keep(self, name: str, entry: Entry) -> None:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._give_up.total_seconds(), FIRST_PAUSE
        while True:
            try:
                await entry()
                return
            except Exception as error:  # a border: whatever is wrong, the call goes on
                final = isinstance(error, HuifangError) and not error.retryable
                if final or loop.time() >= until:
                    LOST.labels(name).inc()
                    log.error("survey_entry_lost", entry=name, error=type(error).__name__, exc_info=True)
                    return
                log.warning("survey_entry_waits", entry=name, error=type(error).__name__)
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)
