"""Keeps the rules of routing: every version, and what callers are sent by now."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from ivr.domain.routing import RoutingRules
from ivr.domain.routing_file import RoutingInvalid, parse_routing, shipped_routing
from ivr.ports import QueueNames
from ivr.tables import RoutingRuleRow
from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI, HolidayClosing, OpeningHours, SiteHolidays
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, StaleVersion
from kernel.paging import MAX_PAGE, Page

log = structlog.get_logger(__name__)

ENTITY = "routing_rule"
MAX_WHY = 200
LOOK = timedelta(seconds=5)
"""Between two looks for a new version: no caller waits for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingVersion:
    """The rules as they were published once; 0 is what comes with the product."""

    version: int
    text: str
    why: str = ""
    created_at: datetime | None = None
    created_by: str = ""


class RoutingBook:
    """Reads and publishes the rules.

    Args:
        queues: which queues a rule may name.
        zone, closing: the site's, for hours of queues.
        site: its calendar with what was changed in it.
        always_open: hours of queues are not looked at (demonstrations, tests).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditLog,
        *,
        queues: QueueNames,
        zone: ZoneInfo = SHANGHAI,
        closing: HolidayClosing = HolidayClosing.STATUTORY,
        site: SiteHolidays | None = None,
        always_open: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._queues = queues
        self._zone = zone
        self._closing = closing
        self._site = site
        self._always_open = always_open

    async def current(self, actor: Actor) -> RoutingVersion:
        """Return the rules in force. Raises Forbidden."""
        actor.need(Permission.ROUTING_VIEW)
        return await self.in_force()

    async def in_force(self) -> RoutingVersion:
        """Return the rules in force; nobody asks but the service itself."""
        query = select(RoutingRuleRow).order_by(RoutingRuleRow.version.desc()).limit(1)
        async with self._database.session() as session:
            row = await session.scalar(query)
        return _shown(row) if row is not None else RoutingVersion(version=0, text=shipped_routing())

    async def versions(
        self, actor: Actor, *, cursor: str | None = None, limit: int = 50
    ) -> Page[RoutingVersion]:
        """Return a page of what was published, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.ROUTING_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(RoutingRuleRow).order_by(RoutingRuleRow.version.desc()).limit(limit + 1)
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
                raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
            query = query.where(RoutingRuleRow.version < int(cursor))
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        more = str(rows[limit - 1].version) if len(rows) > limit else None
        return Page(tuple(_shown(row) for row in rows[:limit]), more)

    async def check(self, text: str) -> RoutingRules:
        """Prove a text. Raises RoutingInvalid, with every mistake."""
        queues = await self._queues.queue_names()
        return await asyncio.to_thread(
            parse_routing, text, queues=queues, zone=self._zone, closing=self._closing
        )

    def read(self, version: RoutingVersion) -> RoutingRules:
        """Return the rules of a version, whatever queues there are now. Raises RoutingInvalid."""
        rules = parse_routing(version.text, zone=self._zone, closing=self._closing, version=version.version)
        queues = {name: replace(one, hours=self._here(one.hours)) for name, one in rules.queues.items()}
        return replace(rules, queues=queues)

    def _here(self, hours: OpeningHours | None) -> OpeningHours | None:
        return None if hours is None or self._always_open else replace(hours, site=self._site)

    async def publish(self, actor: Actor, text: str, *, why: str, expected: int) -> RoutingVersion:
        """Put rules in force for the next caller.

        Raises:
            Forbidden: the role sets no rules of routing.
            RoutingInvalid: with every mistake.
            Invalid: no reason, or a too long one.
            StaleVersion: somebody published meanwhile.
        """
        actor.need(Permission.ROUTING_EDIT)
        text, why = text.replace("\r\n", "\n"), " ".join(why.split())
        if not 1 <= len(why) <= MAX_WHY:
            raise Invalid(f"1 to {MAX_WHY} characters: say what was changed", field="why")
        await self.check(text)
        async with self._database.transaction() as session:
            before = await _latest(session)
            if before != expected:
                raise StaleVersion("the rules were changed meanwhile; read them again", field="If-Match")
            row = RoutingRuleRow(
                version=before + 1,
                text=text,
                why=why,
                created_at=self._clock.now(),
                created_by=actor.name[:80],
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion(
                    "the rules were changed meanwhile; read them again", field="If-Match"
                ) from error
            await self._audit.record(
                "routing.rules_set",
                actor=actor.name,
                ip=actor.ip,
                entity=ENTITY,
                entity_id=str(row.version),
                detail={"user_id": actor.user_id, "why": why},
                session=session,
            )
            return _shown(row)


class RoutingNow:
    """The rules in force, in memory: what cannot be read leaves the ones before.

    Until the first look the product's own are in force.
    """

    def __init__(self, book: RoutingBook) -> None:
        self._book = book
        self._rules = book.read(RoutingVersion(version=0, text=shipped_routing()))
        self._refused = -1

    @property
    def rules(self) -> RoutingRules:
        """The rules for the next caller."""
        return self._rules

    async def look(self) -> None:
        """Take over a newer version."""
        try:
            version = await self._book.in_force()
            if version.version in (self._rules.version, self._refused):
                return
            self._rules = await asyncio.to_thread(self._book.read, version)
            log.info("routing_rules_in_force", version=version.version)
        except RoutingInvalid as error:
            self._refused = version.version
            log.error("routing_rules_not_read", version=version.version, error=str(error)[:500])
        except (SQLAlchemyError, OSError) as error:
            log.warning("routing_rules_not_looked_at", error=type(error).__name__)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK.total_seconds())


async def _latest(session: AsyncSession) -> int:
    return await session.scalar(select(func.max(RoutingRuleRow.version))) or 0


def _shown(row: RoutingRuleRow) -> RoutingVersion:
    return RoutingVersion(
        version=row.version,
        text=row.text,
        why=row.why,
        created_at=row.created_at,
        created_by=row.created_by,
    )
