"""What a call brings, kept in order and tried again until it is: no answer is lost to a busy database.

The customer waits a moment for it at most; what is not kept by then is on the disk before they hear on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from callback_campaigns.entries import Entry, EntrySpool, is_final, lost

log = structlog.get_logger(__name__)

Keep = Callable[[Entry], Awaitable[object]]
FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=2)


class Ledger:
    """The entries of one call.

    Args:
        keep: keeps an entry.
        spool: where entries wait that are not kept in time.
        patience: so long at most the customer waits for an entry.
        give_up: an entry that cannot be kept for so long is left to the disk.
    """

    def __init__(
        self,
        keep: Keep,
        spool: EntrySpool,
        *,
        patience: timedelta = timedelta(seconds=1),
        give_up: timedelta = timedelta(minutes=2),
    ) -> None:
        self._do = keep
        self._spool = spool
        self._patience = patience
        self._give_up = give_up
        self._entries: deque[Entry] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._spooling = asyncio.Lock()
        self._spooled = False

    @property
    def writer(self) -> "asyncio.Task[None] | None":
        """What still writes; ``None`` when everything is kept."""
        return self._writer if self._writer is not None and not self._writer.done() else None

    async def keep(self, entry: Entry) -> None:
        """Keep an entry; returns when it is kept, or is on the disk and the customer has waited long enough.

        Cancelling does not take it back.
        """
        self._entries.append(entry)
        if self.writer is None:
            self._writer = asyncio.create_task(self._write(), name="survey ledger")
        if not await self.settled(self._patience):
            await self._to_disk(entry.talk_id)

    async def settled(self, within: timedelta) -> bool:
        """Wait until everything is kept; return whether it is."""
        writer = self.writer
        if writer is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await asyncio.shield(writer)
        return self.writer is None

    async def _to_disk(self, talk_id: str) -> None:
        async with self._spooling:
            if not self._entries:
                return
            try:
                await asyncio.to_thread(self._spool.write, talk_id, tuple(self._entries))
                self._spooled = True
            except OSError as error:
                log.error("survey_entry_not_on_disk", error=type(error).__name__)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._give_up.total_seconds()
        while self._entries:
            entry = self._entries[0]
            if not await self._keep(entry, until):
                await self._left_to_the_disk(entry.talk_id)
                return
            self._entries.popleft()
            until = loop.time() + self._give_up.total_seconds()
            if not self._entries:
                await self._all_kept(entry.talk_id)

    async def _keep(self, entry: Entry, until: float) -> bool:
        """Return whether the entry is dealt with."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            try:
                await self._do(entry)
                return True
            except Exception as error:  # a border: whatever is wrong, the call goes on
                if is_final(error):
                    lost(entry, error)
                    return True
                log.warning("survey_entry_waits", entry=entry.kind.value, error=type(error).__name__)
                if loop.time() >= until:
                    return False
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _all_kept(self, talk_id: str) -> None:
        async with self._spooling:
            if self._spooled and not self._entries:
                with suppress(OSError):
                    await asyncio.to_thread(self._spool.forget, talk_id)
                self._spooled = False

    async def _left_to_the_disk(self, talk_id: str) -> None:
        await self._to_disk(talk_id)
        if not self._spooled:
            for entry in self._entries:
                lost(entry, TimeoutError("neither the database nor the disk took it"))
        self._entries.clear()
        self._spool.leave(talk_id)
