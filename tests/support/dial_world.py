"""A dialler that a test leads by hand, round by round, over an exchange that is played."""

from datetime import timedelta
from typing import Any

from callback_campaigns.events import CampaignPulse
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.dialling import OFFICE_HOUR, Dialling, build
from tests.support.fake_exchange import FakeExchange


class World:
    """A dialler that is led by hand."""

    def __init__(self, database: Database, start: Any = OFFICE_HOUR, **more: Any) -> None:
        self.database, self.clock, self.bus = database, FakeClock(start), Bus()
        self.exchange = FakeExchange(self.bus, self.clock, by_itself=False)
        self.dialling: Dialling = build(database, self.clock, self.exchange, self.exchange, self.bus, **more)
        keeper, watch = self.dialling.keeper, self.dialling.dialler.watch
        self.heard = self.bus.subscribe(name="world", maxsize=10_000)
        self.hears = (keeper.hear, watch.hear)
        self.pulses: list[CampaignPulse] = []

    async def round(self, seconds: float = 1.0) -> int:
        """Let one round be made, its news be heard and stored, and time pass."""
        begun = await self.dialling.dialler.round()
        await self.listen()
        self.clock.advance(timedelta(seconds=seconds))
        return begun

    async def listen(self) -> None:
        """Have what was told so far heard and stored."""
        placing = self.dialling.dialler._placing
        while placing._sending:
            await next(iter(placing._sending))
        for event in self.heard.waiting():
            if isinstance(event, CampaignPulse):
                self.pulses.append(event)
                continue
            self.dialling.keeper.hear(event)  # type: ignore[arg-type]
            if type(event).__name__ in {"CallProgressed", "CallAnswered", "CallEnded"}:
                self.dialling.dialler.watch.hear(event)  # type: ignore[arg-type]
        await self.dialling.keeper.moves.flush()

    async def over(self) -> None:
        """Let every call come to its end."""
        while self.exchange.calls:
            for call_id in list(self.exchange.calls):
                self.exchange.go_on(call_id)
        await self.listen()
