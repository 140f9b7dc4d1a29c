"""Dialling for tests: customers who wait to be called, a campaign, and the dialler over any exchange."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from callback_campaigns.attempt_keeper import AttemptKeeper, CallRecords, KeeperConfig
from callback_campaigns.campaign_store import put
from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.campaigns import CampaignBook, Lines
from callback_campaigns.dial_outcomes import EarlyMedia
from callback_campaigns.dialler import Dialler, DiallerConfig
from callback_campaigns.domain.attempt import AttemptLimits
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState, Trunk
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Origin
from callback_campaigns.events import CampaignPulse
from callback_campaigns.exchange import Exchange
from callback_campaigns.placing import Placing
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow, DialRefusalRow
from crm.tables import Customer, CustomerPhone
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.pbx import HOTLINE
from tests.unit.callback_campaigns.times import at

OFFICE_HOUR = at("2026-03-03 10:00")
QUICK = DiallerConfig(
    ring=timedelta(seconds=2), tick=timedelta(milliseconds=20), stale_after=timedelta(seconds=10)
)
LIMITS = AttemptLimits(
    ring=timedelta(seconds=2), margin=timedelta(seconds=3), settle=timedelta(milliseconds=1500)
)
KEEPER = KeeperConfig(look=timedelta(milliseconds=50), sweep=timedelta(milliseconds=200), limits=LIMITS)


class ShiftedClock:
    """The machine's clock, set to a moment of the test's choice; it may be set again."""

    def __init__(self, start: datetime = OFFICE_HOUR) -> None:
        self._real = SystemClock()
        self._shift = start - self._real.now()

    def now(self) -> datetime:
        """Return the present as the test has it."""
        return self._real.now() + self._shift

    def monotonic(self) -> float:
        """Return the machine's own: it cannot be set."""
        return self._real.monotonic()

    def set(self, to: datetime) -> None:
        """Jump."""
        self._shift = to - self._real.now()


def numbers(digit: str, count: int, first: int = 0) -> list[str]:
    """Return mobile numbers whose last digit says what whoever has them does."""
    return [f"+86138{first + index:07d}{digit}" for index in range(count)]


async def waiting_customers(
    database: Database, clock: Any, wanted: Iterable[str], **task: Any
) -> dict[str, str]:
    """Write a customer with a ready callback for each number; return number → task."""
    now = clock.now()
    people, phones, tasks = [], [], []
    found: dict[str, str] = {}
    for number in wanted:
        customer_id, task_id = new_ulid(), new_ulid()
        found[number] = task_id
        people.append({"id": customer_id, "name": "王建军", "level": "B", "created_at": now})
        phones.append({"customer_id": customer_id, "e164": number, "kind": "mobile"})
        tasks.append(
            {
                "id": task_id,
                "key": f"test:{task_id}",
                "current_key": f"{customer_id}:KG",
                "kind": CallbackType.START.value,
                "category": Category.SITE.value,
                "status": TaskStatus.READY.value,
                "customer_id": customer_id,
                "level": "B",
                "channel": Channel.IVR.value,
                "origin": Origin.MANUAL.value,
                "origin_ref": "test",
                "call_at": now - timedelta(hours=1),
                "tried": [],
                "created_at": now,
                "tries": 0,
                **task,
            }
        )
    async with database.transaction() as session:
        for model, rows in ((Customer, people), (CustomerPhone, phones), (CallbackTaskRow, tasks)):
            for start in range(0, len(rows), 500):
                await session.execute(insert(model), rows[start : start + 500])
    return found


async def start_campaign(database: Database, clock: Any, **changes: Any) -> Campaign:
    """Write a campaign that runs."""
    known: dict[str, Any] = {
        "campaign_id": new_ulid(),
        "name": "开工回访",
        "mode": CampaignMode.IVR,
        "state": CampaignState.RUNNING,
        "kinds": frozenset({CallbackType.START}),
        "trunk": "main",
        "carrier": "own",
        "caller_id": HOTLINE,
        "lines": 30,
        "per_second": 50,
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2027, 12, 31),
    }
    campaign = Campaign(**(known | changes))
    now = clock.now()
    row = CampaignRow(
        id=campaign.campaign_id, created_at=now, created_by="test", updated_at=now, updated_by="test"
    )
    put(row, campaign)
    async with database.transaction() as session:
        session.add(row)
    return campaign


async def set_state(database: Database, campaign: Campaign, state: CampaignState) -> None:
    """Pause it, stop it, let it run again."""
    async with database.transaction() as session:
        row = await session.get_one(CampaignRow, campaign.campaign_id)
        row.state = state.value


@dataclass
class Dialling:
    """A dialler at work."""

    centre: CallbackCentre
    exchange: Exchange
    keeper: AttemptKeeper
    dialler: Dialler
    bus: Bus
    pulses: list[CampaignPulse] = field(default_factory=list)

    async def attempts(self) -> list[DialAttemptRow]:
        """Return every attempt, oldest first."""
        async with self.centre.database.session() as session:
            return list(await session.scalars(select(DialAttemptRow).order_by(DialAttemptRow.id)))

    async def outcomes(self) -> dict[str, str | None]:
        """Return how the last attempt at each number ended."""
        return {row.number: row.outcome for row in await self.attempts()}

    async def settled(self, count: int) -> bool:
        """Tell whether so many attempts were made and all are over."""
        rows = await self.attempts()
        return len(rows) >= count and all(row.state == "ended" for row in rows)

    async def statuses(self) -> dict[str, str]:
        """Return where each task stands."""
        async with self.centre.database.session() as session:
            rows = await session.scalars(select(CallbackTaskRow))
            return {row.id: row.status for row in rows}

    async def refusals(self) -> list[tuple[str | None, str]]:
        """Return the refusals that were written down."""
        async with self.centre.database.session() as session:
            rows = await session.scalars(select(DialRefusalRow).order_by(DialRefusalRow.id))
            return [(row.task_id, row.code) for row in rows]


def build(
    database: Database,
    clock: Any,
    exchange: Exchange,
    records: CallRecords,
    bus: Bus,
    *,
    config: DiallerConfig = QUICK,
    keeper: KeeperConfig = KEEPER,
    trunk_lines: int = 60,
    trunk_per_second: int = 50,
    centre: CallbackCentre | None = None,
    early: EarlyMedia | None = None,
) -> Dialling:
    """Return a dialler that does not run yet."""
    centre = centre or make_centre(database, clock)
    office = centre.desk.office
    lines = Lines(
        trunks={
            "main": Trunk(name="main", lines=trunk_lines, caller_ids=(HOTLINE,), per_second=trunk_per_second)
        },
        carriers=frozenset({"own"}),
    )
    book = CampaignBook(office, lines, bus)
    kept = AttemptKeeper(centre.attempts, exchange, records, bus=bus, clock=clock, early=early, config=keeper)
    placing = Placing(exchange, kept, clock)
    dialler = Dialler(office, centre.attempts, book, exchange, kept, placing, bus=bus, config=config)
    return Dialling(centre, exchange, kept, dialler, bus)


@contextlib.asynccontextmanager
async def running(dialling: Dialling, *, dial: bool = True) -> AsyncIterator[Dialling]:
    """Let it work for the length of the block; then it is ended as a kill would, without a last word."""

    async def listen() -> None:
        async with dialling.bus.subscribe(CampaignPulse, name="test-pulse") as heard:
            async for event in heard:
                assert isinstance(event, CampaignPulse)
                dialling.pulses.append(event)

    works = [dialling.keeper.run, dialling.keeper.moves.run, dialling.dialler.watch.run, listen]
    if dial:
        works.append(dialling.dialler.run)
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        yield dialling
    finally:
        for task in reversed(tasks):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, (asyncio.CancelledError, type(None))), result
