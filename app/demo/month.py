"""Plays a month of the demo company through the real services: cases of every kind in every state.

A clock that is set by hand goes through the month; each story takes its steps on it until the present is
reached, and stays where it is then. So what is open is open for the reason that it began lately, or that
somebody is late, and every limit, receipt and record is the one that the services wrote.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo.cases import Amount, stories
from app.demo.homes import HOMES_WANTED, homes_of, more_homes, seed_homes
from app.demo.people import open_office
from app.demo.playing import Progress, Scene, StoryClock, play
from app.demo.warranty import seed_warranties, tell_of_ends
from crm.limit_worker import LimitWorker
from crm.search import Kind
from crm.search_feed import SearchFeed
from crm.tables import Crew
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.outbox import OutboxRow
from web.crm_part import build_crm
from web.deps import WebSettings

DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the services of the month stand on."""

    settings: WebSettings
    database: Database
    clock: Clock
    bus: Bus


class _RestingFeed(SearchFeed):
    """Leaves the index alone while the month is played; it is rebuilt at the end, many times as fast."""

    async def put(self, session: AsyncSession, kind: Kind, ref_id: str) -> None:
        """Do nothing."""

    async def case(self, session: AsyncSession, case_id: str) -> None:
        """Do nothing."""


async def fill_month(
    database: Database,
    settings: WebSettings,
    *,
    until: datetime,
    homes: int = HOMES_WANTED,
    amount: Amount | None = None,
    progress: Progress | None = None,
) -> int:
    """Give the demo company its further customers and its last month; return how many stories were cut short.

    Needs the company and its users. What it wrote can be found by the search.
    """
    clock = StoryClock(until - timedelta(days=DAYS))
    await seed_homes(database, more_homes(homes), now=clock.now())
    await seed_warranties(database, now=clock.now(), zone=settings.timezone)
    office = await open_office(database)
    crm = build_crm(Ground(settings=settings, database=database, clock=clock, bus=Bus()), feed=_RestingFeed())
    dice = random.Random(7)  # noqa: S311 - a play, the same one each time
    scene = Scene(crm, clock, office, settings.timezone, dice, until)
    async with database.session() as session:
        crews = {crew.name: crew.id for crew in (await session.scalars(select(Crew))).all()}
    turns = stories(scene, await homes_of(database), crews, amount or Amount())
    limits = LimitWorker(database, clock, crm.limits, worker="demo")
    refused = await play(turns, scene, each_day=limits.run_once, progress=progress)
    async with database.transaction() as session:
        # Everybody has long been told of what happened before yesterday.
        await session.execute(delete(OutboxRow).where(OutboxRow.created_at < until - timedelta(days=1)))
    await tell_of_ends(database, now=until, zone=settings.timezone)
    await crm.feed.rebuild(database)
    return refused
