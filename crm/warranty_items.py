"""The items of warranties as they are stored, and what stages of a project do to a card (domain.md §1.10)."""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.project import Stage
from crm.domain.warranty import WarrantyFlag, WarrantyItem, excluded_words, flag_of, last_day
from crm.domain.warranty_terms import default_items
from crm.office import Office
from crm.people_tables import StageEventRow
from crm.repair_tables import WarrantyItemRow, WarrantyRow
from crm.tables import Project
from kernel.access import Actor


async def items_of(session: AsyncSession, project_id: str) -> tuple[WarrantyItem, ...]:
    """Return what a home is warranted for, in its order; empty where that is not written down."""
    query = select(WarrantyItemRow).where(WarrantyItemRow.project_id == project_id)
    rows = await session.scalars(query.order_by(WarrantyItemRow.position))
    return tuple(
        WarrantyItem(
            code=row.code,
            name=row.name,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            excluded=row.excluded,
            why=row.why,
        )
        for row in rows
    )


async def put_items(session: AsyncSession, project_id: str, items: Iterable[WarrantyItem]) -> None:
    """Store what a home is warranted for in place of what was there; its card is stored already."""
    await session.execute(delete(WarrantyItemRow).where(WarrantyItemRow.project_id == project_id))
    for position, item in enumerate(items):
        session.add(
            WarrantyItemRow(
                project_id=project_id,
                code=item.code,
                position=position,
                name=item.name,
                starts_on=item.starts_on,
                ends_on=item.ends_on,
                excluded=item.excluded,
                why=item.why,
            )
        )
    await session.flush()


async def ends_of(session: AsyncSession, project: Project) -> tuple[date, ...]:
    """Return the days on which something of a home's warranty ends, in their order.

    Where nothing is written down item by item, that is the end of the whole.
    """
    found = {item.ends_on for item in await items_of(session, project.id) if not item.excluded}
    if not found and project.warranty_until is not None:
        found.add(project.warranty_until)
    return tuple(sorted(found))


async def accepted_on(session: AsyncSession, project: Project) -> date | None:
    """Return the day on which a home's acceptance was passed: its completion, else the end of the work."""
    query = select(StageEventRow.happened_on).where(
        StageEventRow.project_id == project.id,
        StageEventRow.stage == int(Stage.COMPLETED),
        StageEventRow.voided_at.is_(None),
    )
    return await session.scalar(query) or project.finished_on


async def follow_stage(
    session: AsyncSession, office: Office, actor: Actor, project: Project, stage: Stage, on: date
) -> None:
    """Prepare a card when a home is handed over, issue it when the warranty begins.

    Whatever somebody has written on it stays.
    """
    if stage not in {Stage.DELIVERED, Stage.IN_WARRANTY}:
        return
    row = await session.get(WarrantyRow, project.id)
    items: Sequence[WarrantyItem] = await items_of(session, project.id)
    if row is None:
        items = default_items(office.warranty_terms, await accepted_on(session, project) or on)
        row = WarrantyRow(project_id=project.id, flag=WarrantyFlag.PRE.value, excluded=[])
        row.written_at, row.written_by, row.until = office.now(), actor.name, last_day(items)
        session.add(row)
        await session.flush()
        await put_items(session, project.id, items)
    if stage is Stage.IN_WARRANTY and row.flag == WarrantyFlag.PRE:
        flag = flag_of(items, on) if items else WarrantyFlag.FULL
        row.flag = (WarrantyFlag.PARTIAL if flag is WarrantyFlag.EXPIRED else flag).value
        row.no, row.issued_on = row.no or project.warranty_no, on
        row.until = max(filter(None, (last_day(items), project.warranty_until)), default=None)
        row.excluded = list(excluded_words(items))
        row.written_at, row.written_by = office.now(), actor.name
        await session.flush()
