"""The demo company's warranties, item by item: most hold, some are partly run out, some leave things out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo.company import MANAGER
from crm.domain.project import Stage
from crm.domain.warranty import WarrantyFlag, WarrantyItem, excluded_words, flag_of, last_day
from crm.domain.warranty_terms import default_items, shipped_terms
from crm.events_people import StageReached
from crm.people_tables import StageEventRow
from crm.repair_tables import WarrantyItemRow, WarrantyRow
from crm.tables import Project
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.outbox import add_fact

HANDED_OVER = timedelta(days=7)
"""After the work was finished."""
SOON = timedelta(days=45)
"""Items that end so soon are called about: the project's stage is told again, and the callbacks planned."""
OWN_GOODS = {"fittings": "五金由业主自购", "woodwork": "柜体由业主自行定做"}
LASTS = timedelta(days=730)
"""What the further homes and most of the named customers were promised as a whole."""


async def seed_warranties(database: Database, *, now: datetime, zone: ZoneInfo) -> int:
    """Write the cards of all finished homes, with their items; return how many."""
    today = now.astimezone(zone).date()
    async with database.transaction() as session:
        query = select(Project).where(Project.stage.in_([int(Stage.DELIVERED), int(Stage.IN_WARRANTY)]))
        homes = (await session.scalars(query.order_by(Project.contract_no))).all()
        cards = [(home, _accepted(home), _items(home, place)) for place, home in enumerate(homes)]
        written = [card for card in cards if card[2]]
        await session.execute(
            insert(WarrantyRow).execution_options(render_nulls=True),
            [_card(home, items, today, now) for home, _, items in written],
        )
        await session.execute(
            insert(WarrantyItemRow), [row for home, _, items in written for row in _rows(home, items)]
        )
        for home, accepted, items in written:
            assert accepted is not None, "without a day of acceptance there are no items"
            await _stages(session, home, accepted, now)
            ends = {"warranty_until": last_day(items)}
            await session.execute(update(Project).where(Project.id == home.id).values(ends))
    return len(written)


async def tell_of_ends(database: Database, *, now: datetime, zone: ZoneInfo) -> int:
    """Let the callbacks be planned of homes of which an item ends soon; return how many homes."""
    today = now.astimezone(zone).date()
    ending = select(WarrantyItemRow.project_id).where(
        WarrantyItemRow.ends_on > today,
        WarrantyItemRow.ends_on <= today + SOON,
        WarrantyItemRow.excluded.is_(False),
    )
    query = (
        select(StageEventRow, Project)
        .join(Project, Project.id == StageEventRow.project_id)
        .where(StageEventRow.stage == int(Stage.DELIVERED), StageEventRow.project_id.in_(ending))
    )
    async with database.transaction() as session:
        found = (await session.execute(query)).all()
        for event, home in found:
            add_fact(
                session,
                StageReached(
                    at=now,
                    project_id=home.id,
                    customer_id=home.customer_id,
                    contract_no=home.contract_no,
                    stage=event.stage,
                    happened_on=event.happened_on,
                    planned_on=None,
                    stage_event_id=event.id,
                    recorded_by=event.recorded_by,
                ),
            )
    return len(found)


def _accepted(home: Project) -> date | None:
    return home.finished_on or (home.warranty_until - LASTS if home.warranty_until else None)


def _items(home: Project, place: int) -> Sequence[WarrantyItem]:
    """Return what a home is warranted for; now and then the customer bought something themselves."""
    accepted = _accepted(home)
    if accepted is None:
        return ()
    items = default_items(shipped_terms(), accepted)
    if place % 5 != 2:
        return items
    code = ("fittings", "woodwork")[place % 2]
    return [
        replace(item, excluded=True, why=OWN_GOODS[code]) if item.code == code else item for item in items
    ]


def _card(home: Project, items: Sequence[WarrantyItem], today: date, now: datetime) -> dict[str, object]:
    issued = home.stage == Stage.IN_WARRANTY
    flag = flag_of(items, today) if issued else WarrantyFlag.PRE
    begins = items[0].starts_on + HANDED_OVER
    return {
        "project_id": home.id,
        "flag": flag.value,
        "no": home.warranty_no or (f"BX-{home.contract_no}" if issued else None),
        "issued_on": begins if issued else None,
        "until": last_day(items),
        "excluded": list(excluded_words(items)) if flag is WarrantyFlag.PARTIAL else [],
        "written_at": now,
        "written_by": MANAGER[1],
        "version": 1,
    }


def _rows(home: Project, items: Sequence[WarrantyItem]) -> list[dict[str, object]]:
    return [
        {
            "project_id": home.id,
            "code": item.code,
            "position": position,
            "name": item.name,
            "starts_on": item.starts_on,
            "ends_on": item.ends_on,
            "excluded": item.excluded,
            "why": item.why,
        }
        for position, item in enumerate(items)
    ]


async def _stages(session: AsyncSession, home: Project, accepted: date, now: datetime) -> None:
    """Write when a home was finished, handed over, and its warranty begun."""
    reached = [(Stage.COMPLETED, accepted), (Stage.DELIVERED, accepted + HANDED_OVER)]
    if home.stage == Stage.IN_WARRANTY:
        reached.append((Stage.IN_WARRANTY, accepted + HANDED_OVER))
    await session.execute(
        insert(StageEventRow),
        [
            {
                "id": new_ulid(),
                "project_id": home.id,
                "stage": int(stage),
                "happened_on": on,
                "recorded_at": now,
                "recorded_by": home.project_manager or MANAGER[1],
                "photos": 0,
            }
            for stage, on in reached
        ],
    )
