"""Tells pages that show cases which ones changed; they read those again, with their own permissions."""

import asyncio
from collections import defaultdict

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from crm.case_watch import CaseChanged
from crm.tables import CaseParty
from kernel.access import Actor, Permission
from kernel.bus import Bus, Lagged
from kernel.db import Database
from web.live_hub import LiveHub

log = structlog.get_logger(__name__)

KIND = "cases"
EVENT = "cases"
EVERYTHING = f"{KIND}:*"
GATHER_SECONDS = 0.2
"""A case changes several times in a moment; pages are told once."""

_PARTIES = select(CaseParty.case_id, CaseParty.department_code).where(
    CaseParty.case_id.in_(bindparam("cases", expanding=True))
)


def topic_of(actor: Actor) -> str:
    """Return the live topic of the cases that somebody may see."""
    return EVERYTHING if actor.can(Permission.CASES_VIEW_ALL) else f"{KIND}:{actor.department or ''}"


class CaseFeed:
    """One task for all pages with cases. Frames hold ids alone: what a page may see it asks for itself."""

    def __init__(self, *, bus: Bus, hub: LiveHub, database: Database) -> None:
        self._bus = bus
        self._hub = hub
        self._database = database
        hub.provide(KIND, self.snapshot)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that makes a page read everything again: it cannot know what it missed."""
        return [(EVENT, {"all": True, "cases": []})]

    async def run(self) -> None:
        """Push until cancelled."""
        async with self._bus.subscribe(CaseChanged, name="case_feed", maxsize=2000) as changes:
            async for first in changes:
                await asyncio.sleep(GATHER_SECONDS)
                gathered = [first, *changes.waiting()]
                if any(isinstance(item, Lagged) for item in gathered):
                    self._hub.resync(KIND)
                    continue
                await self._tell({item.case_id for item in gathered if isinstance(item, CaseChanged)})

    async def _tell(self, cases: set[str]) -> None:
        if not self._hub.has_readers_of(KIND):
            return
        self._hub.publish(EVERYTHING, EVENT, {"all": False, "cases": sorted(cases)})
        try:
            async with self._database.session() as session:
                rows = (await session.execute(_PARTIES, {"cases": sorted(cases)})).all()
        except SQLAlchemyError as error:
            log.warning("case_feed_without_departments", error=type(error).__name__)
            self._hub.resync(KIND)
            return
        by_department: dict[str, list[str]] = defaultdict(list)
        for case_id, department in rows:
            by_department[department].append(case_id)
        for department, ids in by_department.items():
            self._hub.publish(f"{KIND}:{department}", EVENT, {"all": False, "cases": sorted(ids)})
