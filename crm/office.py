"""What the services of customers and projects share: the store, the site's day, the journal, the search."""

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.warranty_terms import Terms, shipped_terms
from crm.journal import Journal
from crm.search_feed import SearchFeed
from crm.tables import Customer, Project, Store
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid

LONGEST_CHAIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What every service here is given.

    Attributes:
        zone: the site's; days are its days.
        default_area: area code of numbers that are written without one.
        warranty_terms: what a home is warranted for, and how long.
    """

    database: Database
    clock: Clock
    journal: Journal
    zone: ZoneInfo
    default_area: str = "010"
    warranty_terms: Terms = field(default_factory=shipped_terms)
    search: SearchFeed = field(default_factory=SearchFeed)

    def now(self) -> datetime:
        """Return the present."""
        return self.clock.now()

    def today(self) -> date:
        """Return the site's day."""
        return self.clock.now().astimezone(self.zone).date()


_NOW = select(Customer.id, Customer.merged_into).where(Customer.id == bindparam("seen"))


async def current_id(session: AsyncSession, customer_id: str) -> str:
    """Return the id that a customer has now: that of the one they were merged into.

    Raises:
        NotFound: no such customer.
    """
    seen = customer_id
    for _ in range(LONGEST_CHAIN):
        row = (await session.execute(_NOW, {"seen": seen})).one_or_none() if is_ulid(seen) else None
        if row is None:
            raise NotFound("no such customer", field="customer_id")
        if row.merged_into is None:
            return str(row.id)
        seen = row.merged_into
    raise Conflict("merged in a circle", field="customer_id")


async def customer_for_change(session: AsyncSession, customer_id: str, expected: int | None) -> Customer:
    """Return a customer locked for a change; an old id leads to the customer it was merged into.

    Raises:
        NotFound: no such customer.
        StaleVersion: somebody changed them since ``expected`` was read.
    """
    found = await current_id(session, customer_id)
    query = select(Customer).where(Customer.id == found).with_for_update(of=Customer)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        raise NotFound("no such customer", field="customer_id")
    if expected is not None and row.version != expected:
        raise StaleVersion("the customer was changed by somebody else; read it again", field="If-Match")
    return row


async def project_for_change(session: AsyncSession, project_id: str, expected: int | None) -> Project:
    """Return a project locked for a change.

    Raises:
        NotFound: no such project.
        StaleVersion: somebody changed it since ``expected`` was read.
    """
    query = select(Project).where(Project.id == project_id).with_for_update(of=Project)
    row = (await session.execute(query)).scalar_one_or_none() if is_ulid(project_id) else None
    if row is None:
        raise NotFound("no such project", field="project_id")
    if expected is not None and row.version != expected:
        raise StaleVersion("the project was changed by somebody else; read it again", field="If-Match")
    return row


async def known_store(session: AsyncSession, store_id: str | None) -> str | None:
    """Return the id of a store that exists. Raises Invalid."""
    if store_id is None:
        return None
    if not is_ulid(store_id) or await session.get(Store, store_id) is None:
        raise Invalid("no such store", field="store_id")
    return store_id
