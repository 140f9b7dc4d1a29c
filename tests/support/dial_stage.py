"""A dialler over a real Asterisk: our services around it, the wire between them, the network behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.early_media import EVENTS, EarlyEars
from callback_campaigns.attempt_keeper import StoredCalls
from callback_campaigns.exchange_ami import AmiExchange
from kernel.bus import Bus
from kernel.db import Database
from telephony.ami import AmiConfig, AmiLink
from telephony.ami.actions import AmiActions
from telephony.board_views import BoardView
from telephony.domain.call_book import CallBook
from telephony.domain.call_table import CallRules
from telephony.history import CallHistory
from telephony.ingest import IngestConfig, TelephonyIngest
from tests.support.calls import AGENTS, call_writer
from tests.support.dialling import Dialling, build, running
from tests.support.pbx import Pbx

QUICK_INGEST = IngestConfig(heartbeat=timedelta(milliseconds=50), retry=timedelta(milliseconds=20))


@dataclass
class DialStage:
    """A dialler at work, and what it works with."""

    dialling: Dialling
    ingest: TelephonyIngest
    link: AmiLink
    history: CallHistory


def ami_of(pbx: Pbx, port: int | None = None) -> AmiConfig:
    """Return how to reach a test's PBX, perhaps by a wire that the test may cut."""
    return AmiConfig(
        port=port or pbx.config.ami_port,
        username=pbx.config.ami_user,
        secret=pbx.config.ami_secret,
        backoff_first=timedelta(milliseconds=50),
        backoff_most=timedelta(milliseconds=200),
        ping_interval=timedelta(seconds=1),
        action_timeout=timedelta(seconds=2),
    )


@contextlib.asynccontextmanager
async def dial_stage(
    ami: AmiConfig,
    database: Database,
    folder: Path,
    clock: Any,
    *,
    dial: bool = True,
    board: Callable[[], BoardView] | None = None,
    exchange: Callable[[AmiExchange], Any] = lambda made: made,
    ingest_config: IngestConfig = QUICK_INGEST,
    early: Callable[[AmiActions], EarlyEars] | None = None,
    **more: Any,
) -> AsyncIterator[DialStage]:
    """Run the services for the length of the block; at its end they are gone as after a kill.

    Args:
        exchange: may put something between the dialler and the real exchange.
        early: makes the ears for what the network says before anybody answers.
        more: for :func:`tests.support.dialling.build`.
    """
    bus = Bus()
    link = AmiLink(ami, clock=clock, node="pbx1")
    writer = call_writer(database, folder)
    ingest = TelephonyIngest(
        link,
        CallBook("pbx1", CallRules(default_area="010")),
        bus=bus,
        writer=writer,
        database=database,
        clock=clock,
        agent_id_of=AGENTS.get,
        config=ingest_config,
    )
    made = AmiExchange(
        link.actions,
        ingest.book,
        status=lambda: ingest.status,
        board=board,
        bus=bus,
        clock=clock,
        answer_within=timedelta(seconds=2),
    )
    ingest.add_sink(made.sink, "OriginateResponse")
    history = CallHistory(database)
    ears = early(link.actions) if early is not None else None
    dialling = build(database, clock, exchange(made), StoredCalls(history), bus, early=ears, **more)
    if ears is not None:
        ingest.add_sink(ears.sink, *EVENTS)
        ears.follows = dialling.keeper.follows
    tasks = [asyncio.create_task(work) for work in (writer.run(), ingest.run())]
    try:
        async with link:
            await asyncio.wait_for(ingest.wait_live(), 20)
            async with running(dialling, dial=dial):
                yield DialStage(dialling, ingest, link, history)
    finally:
        for task in reversed(tasks):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, (asyncio.CancelledError, type(None))), result
