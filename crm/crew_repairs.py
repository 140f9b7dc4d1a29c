"""Repairs per crew, and those that came back: which homes' work does not last (domain.md §2.4).

A repair counts for the crew that built the home, and in the period in which it was registered. It repeats
when the same place of the same home was registered within :data:`AGAIN` before it, whoever repaired it then;
costs are those that are computed so far.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseFilter, conditions
from crm.domain.case import CaseKind
from crm.domain.repair_cost import CostKind
from crm.figure_period import Asked
from crm.repair_tables import RepairCostRow, RepairRow
from crm.tables import ServiceCase

AGAIN = timedelta(days=90)
NOTHING = Decimal("0.00")


@dataclass(slots=True, kw_only=True)
class CrewRepairs:
    """A crew's repairs; ``crew_id`` is missing where nobody knows who built the home.

    Attributes:
        normal, abnormal: those whose cost is computed; abnormal ones needed material.
        cost: of both.
        repeats: the same place of the same home within :data:`AGAIN`.
    """

    crew_id: str | None
    crew: str
    repairs: int = 0
    normal: int = 0
    abnormal: int = 0
    cost: Decimal = NOTHING
    repeats: int = 0


async def read_crew_repairs(session: AsyncSession, asked: Asked) -> tuple[CrewRepairs, ...]:
    """Return the crews with repairs in a period, those with most of them first."""
    chosen = conditions(CaseFilter(kind=CaseKind.REPAIR, department=asked.department))
    if asked.store is not None:
        chosen.append(ServiceCase.store == asked.store)
    query = (
        select(
            ServiceCase.project_id,
            ServiceCase.customer_id,
            ServiceCase.opened_at,
            RepairRow.place,
            RepairRow.original_crew_id,
            RepairRow.original_crew_name,
            RepairCostRow.kind,
            RepairCostRow.total,
        )
        .join(RepairRow, RepairRow.case_id == ServiceCase.id)
        .outerjoin(RepairCostRow, RepairCostRow.case_id == ServiceCase.id)
        .where(*chosen, ServiceCase.opened_at >= asked.since - AGAIN, ServiceCase.opened_at < asked.until)
        .order_by(ServiceCase.opened_at, ServiceCase.id)
    )
    crews: dict[str | None, CrewRepairs] = {}
    last: dict[tuple[str, str], datetime] = {}
    for row in await session.execute(query):
        place = (row.project_id or row.customer_id, row.place.strip().casefold())
        before, last[place] = last.get(place), row.opened_at
        if row.opened_at < asked.since:
            continue
        crew = crews.setdefault(
            row.original_crew_id,
            CrewRepairs(crew_id=row.original_crew_id, crew=row.original_crew_name or ""),
        )
        crew.repairs += 1
        crew.repeats += before is not None and row.opened_at - before <= AGAIN
        if row.kind is not None:
            crew.normal += row.kind == CostKind.NORMAL.value
            crew.abnormal += row.kind == CostKind.ABNORMAL.value
            crew.cost += row.total
    return tuple(sorted(crews.values(), key=lambda one: (-one.repairs, one.crew, one.crew_id or "")))
