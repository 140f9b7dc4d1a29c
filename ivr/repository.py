"""Published flows in SQL."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ivr.tables import ActiveFlowRow, FlowVersionRow
from kernel.db import Database
from kernel.errors import Conflict, NotFound, StaleVersion
from kernel.ids import new_ulid

TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVersion:
    """A published version.

    Attributes:
        checksum: SHA-256 of the text.
        active: whether callers hear this one.
        why: what was changed, in words; "" where nobody said.
    """

    version_id: str
    name: str
    version: int
    checksum: str
    published_at: datetime
    published_by: str
    active: bool
    why: str = ""


class FlowRepository:
    """Reads and writes published flows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        *,
        name: str,
        yaml: str,
        checksum: str,
        published_by: str,
        now: datetime,
        why: str = "",
        expected: int | None = None,
    ) -> FlowVersion:
        """Store the next version, not yet active.

        Args:
            expected: the last version, as whoever publishes saw it; ``None`` where that is no matter.

        Raises:
            StaleVersion: somebody published meanwhile.
            Conflict: others published the same flow again and again meanwhile.
        """
        for _ in range(TRIES):
            try:
                async with self._database.transaction() as session:
                    last = await self._last(session, name)
                    if expected is not None and last != expected:
                        raise StaleVersion("it was published meanwhile; read it again", field="If-Match")
                    row = FlowVersionRow(
                        id=new_ulid(),
                        name=name,
                        version=last + 1,
                        yaml=yaml,
                        checksum=checksum,
                        published_at=now,
                        published_by=published_by[:80],
                        why=why,
                    )
                    session.add(row)
            except IntegrityError:
                continue
            return _view(row, active=False)
        raise Conflict("somebody else is publishing this flow; try again", flow=name)

    @staticmethod
    async def _last(session: AsyncSession, name: str) -> int:
        query = select(func.max(FlowVersionRow.version)).where(FlowVersionRow.name == name)
        return (await session.execute(query)).scalar_one_or_none() or 0

    async def activate(self, version_id: str, *, now: datetime) -> bool:
        """Put a stored version in force; false when a newer one was put in force meanwhile, which stays."""
        try:
            return await self._activate(version_id, now=now)
        except IntegrityError:
            # Somebody put this flow's first version in force between our look and our write.
            return await self._activate(version_id, now=now)

    async def _activate(self, version_id: str, *, now: datetime) -> bool:
        async with self._database.transaction() as session:
            row = await session.get_one(FlowVersionRow, version_id)
            active = await session.get(ActiveFlowRow, row.name, with_for_update=True)
            if active is None:
                session.add(ActiveFlowRow(name=row.name, version_id=row.id, activated_at=now))
                return True
            current = await session.get_one(FlowVersionRow, active.version_id)
            if current.version > row.version:
                return False
            active.version_id, active.activated_at = row.id, now
            return True

    async def active(self) -> dict[str, tuple[FlowVersion, str]]:
        """Return name → (version, text) of every flow in force."""
        query = select(FlowVersionRow).join(ActiveFlowRow, ActiveFlowRow.version_id == FlowVersionRow.id)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return {row.name: (_view(row, active=True), row.yaml) for row in rows}

    async def names(self) -> frozenset[str]:
        """Return the names of all flows in force."""
        async with self._database.session() as session:
            return frozenset((await session.scalars(select(ActiveFlowRow.name))).all())

    async def last(self, name: str) -> int:
        """Return the number of the newest version, 0 where nothing was published."""
        async with self._database.session() as session:
            return await self._last(session, name)

    async def versions(self, name: str, *, limit: int = 100) -> tuple[FlowVersion, ...]:
        """Return a flow's versions, newest first."""
        query = (
            select(FlowVersionRow, ActiveFlowRow.version_id)
            .outerjoin(ActiveFlowRow, ActiveFlowRow.version_id == FlowVersionRow.id)
            .where(FlowVersionRow.name == name)
            .order_by(FlowVersionRow.version.desc())
            .limit(limit)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(_view(row, active=active is not None) for row, active in rows)

    async def text(self, name: str, version: int) -> str:
        """Return the YAML of a version.

        Raises:
            NotFound: there is no such version.
        """
        query = select(FlowVersionRow.yaml).where(
            FlowVersionRow.name == name, FlowVersionRow.version == version
        )
        async with self._database.session() as session:
            found = (await session.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound(f"flow {name} has no version {version}")
        return found


def _view(row: FlowVersionRow, *, active: bool) -> FlowVersion:
    return FlowVersion(
        version_id=row.id,
        name=row.name,
        version=row.version,
        checksum=row.checksum,
        published_at=row.published_at,
        published_by=row.published_by,
        active=active,
        why=row.why,
    )
