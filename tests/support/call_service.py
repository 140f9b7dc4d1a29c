"""The call model's services around a PBX, real or fake: link, ingest, writer, history."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.events import Event
from telephony.ami import AmiConfig, AmiLink
from telephony.domain.call_book import CallBook
from telephony.domain.call_table import CallRules
from telephony.event_log import EventLog
from telephony.history import CallHistory
from telephony.ingest import IngestConfig, TelephonyIngest
from telephony.views import CallView
from tests.support.calls import AGENTS, call_writer
from tests.support.waiting import eventually

CALL = "01JNA0000000000000000000CA"
QUICK = IngestConfig(heartbeat=timedelta(milliseconds=50), retry=timedelta(milliseconds=20))


@dataclass
class Service:
    """Our side."""

    ingest: TelephonyIngest
    link: AmiLink
    heard: list[Event]
    database: Database
    seen: list[tuple[Any, datetime]] = field(default_factory=list)

    def of(self, kind: type[Event]) -> list[Any]:
        """The events of a kind so far."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def stored(self, call_id: str) -> CallView:
        return await CallHistory(self.database).get(call_id)

    async def ended(self, call_id: str = CALL) -> CallView:
        """Wait until a call is stored as ended."""

        async def over() -> CallView | None:
            calls = (await CallHistory(self.database).page()).items
            known = any(call.call_id == call_id and call.state == "ended" for call in calls)
            return await self.stored(call_id) if known else None

        found = await eventually(over)
        assert found is not None
        return found

    async def in_state(self, state: str, call_id: str = CALL) -> None:
        """Wait until a call is in a state, in memory."""

        def there() -> bool:
            call = self.ingest.live_call(call_id)
            return call is not None and call.state == state

        await eventually(there, what=state)


@asynccontextmanager
async def service(
    database: Database,
    folder: Path,
    ami: AmiConfig,
    config: IngestConfig = QUICK,
    *,
    live: bool = True,
    rules: CallRules | None = None,
    event_log: EventLog | None = None,
) -> AsyncIterator[Service]:
    """Run the call model's services over ``ami`` for the length of the block."""
    clock, bus = SystemClock(), Bus()
    link = AmiLink(ami, clock=clock, node="pbx1")
    writer = call_writer(database, folder)
    ingest = TelephonyIngest(
        link,
        CallBook("pbx1", rules),
        bus=bus,
        writer=writer,
        database=database,
        clock=clock,
        agent_id_of=AGENTS.get,
        event_log=event_log,
        config=config,
    )
    found = Service(ingest, link, [], database)

    async def listen() -> None:
        async with bus.subscribe(name="test", maxsize=100_000) as events:
            async for event in events:
                assert isinstance(event, Event)
                found.heard.append(event)

    tasks = [asyncio.create_task(work) for work in (listen(), writer.run(), ingest.run())]
    try:
        async with link:
            if live:
                await asyncio.wait_for(ingest.wait_live(), 20)
            yield found
    finally:
        for task in reversed(tasks):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, (asyncio.CancelledError, type(None))), result
