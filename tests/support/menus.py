"""A whole IVR for tests: library, studio with a tone for a voice, runner, FastAGI server."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ivr.flow_book import FlowBook
from ivr.ports import Mailbox, RatingBook, Synthesiser
from ivr.prompts.stock import Stock
from ivr.prompts.store import PromptStore
from ivr.prompts.studio import Studio
from ivr.repository import FlowRepository
from ivr.runner import FlowRunner, RunnerConfig
from ivr.service import FlowLibrary
from ivr.traffic import FlowTally
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.business_time import SHANGHAI
from kernel.clock import Clock
from kernel.db import Database
from kernel.phone import Phone
from telephony.agi import AgiConfig, AgiServer
from tests.support.fake_agi import FakeChannel, call
from tests.support.fake_voice import ToneVoice


@dataclass(frozen=True)
class Case:
    """A complaint, as :class:`ivr.ports.OpenCase` wants it."""

    no: str = "TS20260302001"
    kind_label: str = "投诉"
    spoken_status: str = "负责部门已经受理"
    department: str | None = "工程部"


@dataclass(frozen=True)
class Customer:
    """A customer, as :class:`ivr.ports.KnownCaller` wants it."""

    customer_id: str = "01JD0000000000000000000009"
    greeting: str = "王先生"
    open_cases: tuple[Case, ...] = (Case(),)


@dataclass
class FakeDirectory:
    """Implements :class:`ivr.ports.CallerDirectory`."""

    customers: Sequence[Customer] = ()
    delay: float = 0
    broken: bool = False

    async def find_by_phone(self, phone: Phone) -> Sequence[Customer]:
        if self.broken:
            raise ConnectionError("the database is down")
        await asyncio.sleep(self.delay)
        return self.customers


@dataclass
class FakeCallbacks:
    """Implements :class:`ivr.ports.CallbackBook`."""

    noted: list[tuple[str, str, str | None, str]] = field(default_factory=list)
    broken: bool = False

    async def create(
        self, *, call_id: str, phone: Phone, customer_id: str | None = None, reason: str = ""
    ) -> str:
        if self.broken:
            raise ConnectionError("the database is down")
        self.noted.append((call_id, phone.e164, customer_id, reason))
        return "id"


class FakeQueues:
    """Implements :class:`ivr.ports.QueueNames`."""

    async def queue_names(self) -> Collection[str]:
        return {"complaint", "repair", "service"}


@dataclass
class Menus:
    """Everything of one IVR."""

    library: FlowLibrary
    studio: Studio
    voice: ToneVoice
    server: AgiServer
    directory: FakeDirectory
    callbacks: FakeCallbacks
    bus: Bus

    async def call(self, channel: FakeChannel, *, environment: bytes | None = None) -> FakeChannel:
        """Let a fake Asterisk place a call."""
        async with asyncio.timeout(10):
            return await call(self.server.port, channel, environment=environment)

    def heard(self, channel: FakeChannel, flow: str = "hotline") -> list[str]:
        """Names of the prompts that were played, texts of calls as ``…``; repeats folded."""
        voiced = self.library.named(flow)
        names = {str(sound.path): clip.prompt for clip, sound in voiced.clips.items()} if voiced else {}
        found = [names.get(path, "…") for path in channel.played]
        return [name for index, name in enumerate(found) if index == 0 or found[index - 1] != name]


class Library(NamedTuple):
    """A library and what it stands on."""

    flows: FlowLibrary
    studio: Studio
    store: PromptStore


def library(
    folder: Path,
    database: Database,
    clock: Clock,
    *,
    voice: Synthesiser | None = None,
    bus: Bus | None = None,
    zone: ZoneInfo = SHANGHAI,
    stock: Stock | None = None,
    constants: Mapping[str, str] | None = None,
) -> Library:
    """Return a library over a database; the voice is a tone unless one is given."""
    store = PromptStore(folder / "prompts", voice or ToneVoice(), stock=stock)
    studio = Studio(store, folder / "recordings")
    flows = FlowLibrary(
        FlowRepository(database),
        studio,
        queues=FakeQueues(),
        clock=clock,
        bus=bus or Bus(),
        zone=zone,
        constants=constants,
    )
    return Library(flows, studio, store)


def flow_book(
    folder: Path, database: Database, clock: Clock, *, voice: Synthesiser | None = None
) -> FlowBook:
    """Return what keeps the flows, with the tone for a voice."""
    flows, studio, _ = library(folder, database, clock, voice=voice, constants={"company": "慧家装饰"})

    async def look() -> None:
        """The tone is always there."""

    audit = AuditLog(database, clock)
    return FlowBook(database, clock, audit, library=flows, studio=studio, zone=SHANGHAI, look=look)


@asynccontextmanager
async def running_menus(
    folder: Path,
    database: Database,
    clock: Clock,
    *,
    mailbox: Mailbox | None = None,
    ratings: RatingBook | None = None,
    tally: FlowTally | None = None,
) -> AsyncIterator[Menus]:
    """Publish the delivered flows and serve them on a free port."""
    voice, bus = ToneVoice(), Bus()
    flows, studio, store = library(folder, database, clock, voice=voice, bus=bus)
    await store.open()
    await flows.load_active()
    directory, callbacks = FakeDirectory(), FakeCallbacks()
    runner = FlowRunner(
        flows,
        studio,
        directory=directory,
        callbacks=callbacks,
        clock=clock,
        mailbox=mailbox,
        ratings=ratings,
        tally=tally,
        config=RunnerConfig(default_area="010"),
    )
    server = AgiServer(AgiConfig(port=0, command_timeout=timedelta(seconds=1)), runner.routes())
    await server.start()
    try:
        yield Menus(flows, studio, voice, server, directory, callbacks, bus)
    finally:
        await server.stop(timedelta(0))
        await store.close()
