"""Tells pages of campaigns how each one is doing this moment; they mark what has grown old themselves."""

from callback_campaigns.events import CampaignPulse
from kernel.bus import Bus, Lagged
from web.live_hub import LiveHub
from web.pop import iso

KIND = "campaigns"
EVENT = "campaign"
MOST = 500
"""Campaigns that are remembered."""


class CampaignFeed:
    """One task for all pages of campaigns; everybody who may read one may read all."""

    def __init__(self, *, bus: Bus, hub: LiveHub) -> None:
        self._bus = bus
        self._hub = hub
        self._last: dict[str, dict[str, object]] = {}
        hub.provide(KIND, self.snapshot)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the last that is known of every campaign."""
        return [(EVENT, pulse) for pulse in self._last.values()]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(CampaignPulse, name="campaign_feed", maxsize=500) as pulses:
            async for item in pulses:
                if isinstance(item, Lagged):
                    self._hub.resync(KIND)
                elif isinstance(item, CampaignPulse):
                    shown = payload(item)
                    self._last.pop(item.campaign_id, None)
                    self._last[item.campaign_id] = shown
                    while len(self._last) > MOST:
                        del self._last[next(iter(self._last))]
                    self._hub.publish(KIND, EVENT, shown)


def payload(pulse: CampaignPulse) -> dict[str, object]:
    """Return a pulse for the page."""
    return {
        "campaign_id": pulse.campaign_id,
        "dialling": pulse.dialling,
        "talking": pulse.talking,
        "agents_free": pulse.agents_free,
        "lines_used": pulse.lines_used,
        "abandoned_share": pulse.abandoned_share,
        "cap": pulse.cap,
        "decision": pulse.decision,
        "as_of": iso(pulse.as_of),
    }
