"""Keeps those of Asterisk's files that follow the database in line with it, while calls go on.

Asterisk reads them again without an end to any call (16 ms for the telephones of 200 agents; registrations,
members and waiting callers stay).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.errors import HuifangError
from telephony.agent_events import RosterChanged
from telephony.events import LinkStateChanged

log = structlog.get_logger(__name__)

LONGEST: Final = timedelta(minutes=5)
"""So often a file is compared with the database without any news."""


class KeptFiles:
    """Writes files and has them read. Give :meth:`run` to the supervisor.

    Args:
        name: of what is kept.
        write: brings the files in line with the database; tells whether anything is new.
        modules: which of Asterisk's modules read them.
        reload: has Asterisk read a module's configuration again.
        until_next: how long what was written stays true without news.
        retry: pause after the files could not be written or read.
    """

    def __init__(
        self,
        name: str,
        *,
        write: Callable[[], Awaitable[bool]],
        modules: Sequence[str],
        reload: Callable[[str], Awaitable[None]],
        bus: Bus,
        until_next: Callable[[], timedelta] = lambda: LONGEST,
        retry: timedelta = timedelta(seconds=5),
    ) -> None:
        self.name = name
        self._write = write
        self._modules = modules
        self._reload = reload
        self._bus = bus
        self._until_next = until_next
        self._retry = retry
        self._unread = True

    async def refresh(self) -> bool:
        """Write what is new and have it read; return whether Asterisk goes by the files as they are."""
        try:
            self._unread |= await self._write()
            if self._unread:
                for module in self._modules:
                    await self._reload(module)
            self._unread = False
        except (HuifangError, SQLAlchemyError, OSError, TimeoutError) as error:
            self._unread = True
            log.warning("pbx_files_not_refreshed", files=self.name, error=type(error).__name__)
            return False
        return True

    async def run(self) -> None:
        """Keep the files until cancelled; may simply be started again."""
        async with self._bus.subscribe(RosterChanged, LinkStateChanged, name=self.name) as news:
            while True:
                done = await self.refresh()
                wait = min(self._until_next(), LONGEST) if done else self._retry
                try:
                    async with asyncio.timeout(max(wait.total_seconds(), 0.05)):
                        await news.get()
                except TimeoutError:
                    continue
                news.waiting()
