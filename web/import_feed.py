"""Tells pages of imports how far each one is; on a change of state they read themselves again."""

from crm.importing.events import ImportProgressed
from kernel.bus import Bus, Lagged
from web.live_hub import LiveHub

KIND = "imports"
EVENT = "imports"


class ImportFeed:
    """One task for all pages of imports; everybody who may read one may read all."""

    def __init__(self, *, bus: Bus, hub: LiveHub) -> None:
        self._bus = bus
        self._hub = hub
        hub.provide(KIND, self.snapshot)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that makes a page read itself again: it cannot know what it missed."""
        return [(EVENT, {"all": True})]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(ImportProgressed, name="import_feed", maxsize=500) as news:
            async for item in news:
                if isinstance(item, Lagged):
                    self._hub.resync(KIND)
                elif isinstance(item, ImportProgressed):
                    job = {
                        "job_id": item.job_id,
                        "state": item.state,
                        "step": item.step,
                        "done": item.done,
                        "total": item.total,
                    }
                    self._hub.publish(KIND, EVENT, {"all": False, "job": job})
