"""Tells the supervisors' board and the big screens how the campaigns that dial today are doing.

What is stored of them is read every few seconds while somebody looks; what moves comes with the dialler's
pulse.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from callback_campaigns.campaign_figures import CampaignBrief
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.events import CampaignPulse
from kernel.bus import Bus
from kernel.clock import Clock
from web.live_hub import LiveHub
from web.pop import iso

log = structlog.get_logger(__name__)

KIND = "running"
EVENT = "running"
READ_EVERY_SECONDS = 5.0
LONGEST_GAP_SECONDS = 1.0
SHORTEST_GAP_SECONDS = 0.5
MOST = 50
"""Campaigns that are shown; whoever runs more looks at the list."""

Running = Sequence[tuple[Campaign, CampaignBrief]]


class RunningFeed:
    """One task for all boards; it asks the database for nothing while nobody looks."""

    def __init__(
        self, *, bus: Bus, clock: Clock, hub: LiveHub, read: Callable[[], Awaitable[Running]]
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._hub = hub
        self._read = read
        self._known: Running = ()
        self._as_of: str | None = None
        self._due = clock.monotonic()
        self._pulses: dict[str, CampaignPulse] = {}
        hub.provide(KIND, self.snapshot, latest_only=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws the campaigns as they were read last; before the first time none."""
        return [(EVENT, self._payload())] if self._as_of is not None else []

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(CampaignPulse, name="running_feed", maxsize=500) as pulses:
            while True:
                try:
                    async with asyncio.timeout(LONGEST_GAP_SECONDS):
                        first = await pulses.get()
                    for item in (first, *pulses.waiting()):
                        if isinstance(item, CampaignPulse):
                            self._pulses[item.campaign_id] = item
                except TimeoutError:
                    pass
                await self.push()
                await asyncio.sleep(SHORTEST_GAP_SECONDS)

    async def push(self) -> None:
        """Read what is due, and tell whoever looks."""
        if not self._hub.has_readers(KIND):
            return
        if self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + READ_EVERY_SECONDS
            try:
                self._known = (await self._read())[:MOST]
                self._as_of = iso(self._clock.now())
            except (SQLAlchemyError, OSError) as error:
                log.warning("running_campaigns_not_read", error=type(error).__name__)
            there = {one.campaign_id for one, _ in self._known}
            self._pulses = {key: pulse for key, pulse in self._pulses.items() if key in there}
        if self._as_of is not None:
            self._hub.publish(KIND, EVENT, self._payload())

    def _payload(self) -> dict[str, object]:
        return {"as_of": self._as_of, "campaigns": [self._row(one, brief) for one, brief in self._known]}

    def _row(self, campaign: Campaign, brief: CampaignBrief) -> dict[str, object]:
        pulse = self._pulses.get(campaign.campaign_id)
        return {
            "campaign_id": campaign.campaign_id,
            "name": campaign.name,
            "mode": campaign.mode.value,
            "waiting": brief.waiting,
            "done": brief.done,
            "abandoned_share": brief.abandoned_share if campaign.mode.needs_queue else None,
            "cap": campaign.abandon_cap,
            "dialling": pulse.dialling if pulse else None,
            "talking": pulse.talking if pulse else None,
            "moved_at": iso(pulse.as_of) if pulse else None,
        }
