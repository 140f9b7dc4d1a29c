"""Names in the records that people say in conversations: hints for whatever listens."""

from sqlalchemy import func, select

from crm.material_tables import MaterialRow
from crm.repair_point_tables import RepairPoint
from crm.tables import Crew, Project
from kernel.db import Database

MOST = 150
"""Names of each kind; recognisers take a few hundred."""
MOST_DISTRICTS = 40


class SpokenNames:
    """Reads names of crews that work, communities with most projects, districts, and materials in use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self) -> tuple[str, ...]:
        """Return the names, those of crews first. For services; they name nobody's customer."""
        communities = (
            select(Project.community)
            .where(Project.community.is_not(None))
            .group_by(Project.community)
            .order_by(func.count().desc(), Project.community)
        )
        async with self._database.session() as session:
            crews = select(Crew.name).where(Crew.status == "active").order_by(Crew.name).limit(MOST)
            districts = (
                select(RepairPoint.district)
                .where(RepairPoint.active.is_(True))
                .distinct()
                .order_by(RepairPoint.district)
            )
            materials = (
                select(MaterialRow.name).where(MaterialRow.active.is_(True)).order_by(MaterialRow.name)
            )
            found = [
                *(await session.scalars(crews)),
                *(await session.scalars(communities.limit(MOST))),
                *(await session.scalars(districts.limit(MOST_DISTRICTS))),
                *(await session.scalars(materials.limit(MOST))),
            ]
        return tuple(dict.fromkeys(name for name in found if name))
