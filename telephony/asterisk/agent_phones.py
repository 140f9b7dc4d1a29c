"""Keeps the agents' telephones that Asterisk knows in line with the database, and browsers' passwords fresh.

Asterisk reads the file again while calls go on (16 ms for 200 agents; registrations stay).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.errors import HuifangError
from telephony.agent_events import RosterChanged
from telephony.asterisk.model import AgentEndpoint, TestPhone
from telephony.asterisk.render import write_agents
from telephony.events import LinkStateChanged

log = structlog.get_logger(__name__)

MODULE: Final = "res_pjsip.so"
LONGEST: Final = timedelta(minutes=5)
"""So often the file is compared with the database without any news."""


class AgentPhones:
    """Writes the file and has it read. Give :meth:`run` to the supervisor.

    Args:
        folder: where Asterisk reads its configuration.
        phones: returns the telephones as they are to be now.
        test_phone: returns the browser that calls as customers do, where there is one.
        reload: has Asterisk read a module's configuration again.
        until_next: how long the passwords stay what they are.
        retry: pause after the file could not be written or read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        phones: Callable[[], Awaitable[Sequence[AgentEndpoint]]],
        test_phone: Callable[[], TestPhone | None] = lambda: None,
        reload: Callable[[str], Awaitable[None]],
        until_next: Callable[[], timedelta],
        bus: Bus,
        retry: timedelta = timedelta(seconds=5),
    ) -> None:
        self._folder = folder
        self._phones = phones
        self._test_phone = test_phone
        self._reload = reload
        self._until_next = until_next
        self._bus = bus
        self._retry = retry
        self._unread = True

    async def refresh(self) -> bool:
        """Write what is new and have it read; return whether Asterisk goes by the file as it is."""
        try:
            agents, test_phone = await self._phones(), self._test_phone()
            self._unread |= await asyncio.to_thread(write_agents, agents, self._folder, test_phone=test_phone)
            if self._unread:
                await self._reload(MODULE)
            self._unread = False
        except (HuifangError, SQLAlchemyError, OSError, TimeoutError) as error:
            self._unread = True
            log.warning("agent_phones_not_refreshed", error=type(error).__name__)
            return False
        return True

    async def run(self) -> None:
        """Keep the file until cancelled; may simply be started again."""
        async with self._bus.subscribe(RosterChanged, LinkStateChanged, name="agent-phones") as news:
            while True:
                done = await self.refresh()
                wait = min(self._until_next(), LONGEST) if done else self._retry
                try:
                    async with asyncio.timeout(max(wait.total_seconds(), 0.05)):
                        await news.get()
                except TimeoutError:
                    continue
                news.waiting()
