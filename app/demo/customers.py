"""The demo's customers at the telephone: whoever calls them over the trunk reaches somebody.

Without them a campaign of the demo would ring nobody. Most answer after a few seconds, say yes with a key to
whatever a machine asks, and hang up in the end; some are busy, decline, or let it ring, always the same ones.
Played only where the trunk leads to this machine itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from zlib import crc32

import structlog

from app.doctor.sockets import try_bind
from app.sipp.phone import AgentPhone, PhoneCall
from telephony.asterisk.model import TrunkConfig

log = structlog.get_logger(__name__)

REFUSES: Final = {3: 486, 6: 603}
"""Busy, and declined, of each ten."""
AWAY: Final = 9
RING: Final = timedelta(seconds=3)
KEY_EVERY: Final = timedelta(seconds=8)
LONGEST_TALK: Final = timedelta(minutes=3)
AGAIN: Final = timedelta(seconds=2)
STARTS_WITHIN: Final = timedelta(seconds=10)


class DemoCustomers:
    """The telephone network behind the demo's trunk.

    Args:
        sipp: the command that starts SIPp.
        pbx: its SIP address, as (host, port).
        trunk: where it sends calls to customers.
        folder: for SIPp's files; made if it is not there.
        ring, key_every: how long a telephone rings, and how long whoever answered listens before each key.
    """

    def __init__(
        self,
        sipp: Sequence[str],
        *,
        pbx: tuple[str, int],
        trunk: TrunkConfig,
        folder: Path,
        ring: timedelta = RING,
        key_every: timedelta = KEY_EVERY,
    ) -> None:
        self._sipp = sipp
        self._pbx = pbx
        self._trunk = trunk
        self._folder = folder
        self._ring = ring.total_seconds()
        self._key_every = key_every.total_seconds()
        self._phone: AgentPhone | None = None
        self._listens = asyncio.Event()

    @property
    def possible(self) -> bool:
        """Whether the trunk leads to this machine, and nobody else answers there."""
        try:
            here = ip_address(self._trunk.host).is_loopback
        except ValueError:
            return False
        return here and try_bind(self._trunk.host, self._trunk.port, "udp") == 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Play them for the length of the block; SIPp is started again should it end."""
        self._folder.mkdir(parents=True, exist_ok=True)
        task = asyncio.create_task(self._keep(), name="demo-customers")
        try:
            with contextlib.suppress(TimeoutError):
                # The centre works without them; who is called meanwhile is tried again.
                await asyncio.wait_for(self._listens.wait(), STARTS_WITHIN.total_seconds())
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            self._phone = AgentPhone(
                self._sipp,
                self._pbx,
                number="customers",
                folder=self._folder,
                on_ring=self._react,
                host=self._trunk.host,
                port=self._trunk.port,
                registers=False,
            )
            async with self._phone as phone:
                self._listens.set()
                await phone.gone()
            log.warning("demo_customers_ended")
            await asyncio.sleep(AGAIN.total_seconds())

    async def _react(self, call: PhoneCall) -> None:
        # Not by the last digit of the number: those who are waited for today may all have the same.
        habit = crc32(call.dialled.encode()) % 10
        try:
            if habit == AWAY:
                await call.ended(within=LONGEST_TALK.total_seconds())
                return
            await asyncio.sleep(self._ring)
            if call.ended_by:
                return
            if habit in REFUSES:
                await call.reject(REFUSES[habit])
            else:
                await self._talk(call)
        finally:
            # What was heard is kept with the call: not for days.
            if self._phone is not None and call in self._phone.calls:
                self._phone.calls.remove(call)

    async def _talk(self, call: PhoneCall) -> None:
        await call.answer()
        until = asyncio.get_running_loop().time() + LONGEST_TALK.total_seconds()
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(TimeoutError):
                await call.ended(within=self._key_every)
                return
            async with asyncio.timeout(self._key_every):
                await call.press("1")
        await call.hang_up()
