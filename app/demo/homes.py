"""Further homes of the demo company, written in bulk: a company has hundreds, and few of them complain."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select

from app.demo.company import CREWS, MANAGER
from app.demo.stories import GIVEN, HOMES, SURNAMES
from crm.domain.project import Stage
from crm.tables import Crew, Customer, CustomerPhone, Project, Store
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.phone import PhoneKind

HOMES_WANTED = 720
BUILT = (Stage.STARTED, Stage.CONCEALED, Stage.MIDTERM, Stage.MID_PAID, Stage.CONCEALED)
FINISHED = (Stage.DELIVERED, Stage.IN_WARRANTY)
FIRST_PHONE = 13_801_380_200
CONTRACTS = "ZX-2026-1"
"""Contracts of these homes begin like that, followed by three digits."""
WORK_DAYS = 95
"""From the begin of the work to its end."""
_STAYS = {Stage.STARTED: 12, Stage.CONCEALED: 34, Stage.MIDTERM: 55, Stage.MID_PAID: 68}
"""Stage → days since the work began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreHome:
    """A customer with one project. ``crew`` is an index into CREWS."""

    name: str
    salutation: str
    level: str
    level_reason: str
    phone: str
    store: str
    contract_no: str
    community: str
    building: str
    unit: str
    room: str
    district: str
    stage: Stage
    crew: int
    manager: str
    designer: str
    amount: int
    started_days: int

    @property
    def address(self) -> str:
        """The address in one line."""
        return f"{self.district}{self.community}{self.building}{self.unit}{self.room}"


@dataclass(frozen=True, slots=True)
class Home:
    """A project with a customer, to complain about."""

    customer_id: str
    project_id: str
    stage: int
    crew_id: str | None
    crew_departed: bool


def more_homes(count: int = HOMES_WANTED) -> list[MoreHome]:
    """Return further homes, the same ones each time; one in six is finished."""
    dice = random.Random(2026)  # noqa: S311 - a play, the same one each time
    made = []
    for number in range(count):
        store, district, communities = HOMES[number % len(HOMES)]
        given = (number // len(SURNAMES) * 5 + number) % len(GIVEN)
        finished = number % 6 == 5
        stage = FINISHED[number // 6 % len(FINISHED)] if finished else BUILT[number % len(BUILT)]
        started = _finished_for(number) if finished else _STAYS[stage] + number % 14
        made.append(
            MoreHome(
                name=SURNAMES[number % len(SURNAMES)] + GIVEN[given],
                salutation="女士" if given % 2 else "先生",
                level="ABBBC"[number % 5],
                level_reason="普通家装" if number % 5 else "合同金额达到A级标准",
                phone=f"+86{FIRST_PHONE + number}",
                store=store,
                contract_no=f"{CONTRACTS}{number:03d}",
                district=district,
                community=dice.choice(communities),
                building=f"{dice.randint(1, 28)}号楼",
                unit=f"{dice.randint(1, 4)}单元",
                room=f"{dice.randint(2, 26)}{dice.randint(1, 4):02d}室",
                stage=stage,
                # Nobody gives a new home to a crew that has left.
                crew=number // 6 % len(CREWS) if finished else (0, 1, 3)[number % 3],
                manager=("刘铁柱", "马超群", "高志远")[number // 3 % 3],
                designer=("许菲", "唐宁")[number % 2],
                amount=dice.randrange(45, 420) * 1000,
                started_days=started,
            )
        )
    return made


def _finished_for(number: int) -> int:
    """Return how many days ago, when the month begins, the work on a finished home began.

    At its end, of ten one has fittings whose warranty ends within weeks, one fittings that are warranted no
    more, and one is warranted for little but what is concealed; their cards are issued.
    """
    place = number // 6
    match place % 10:
        case 3:
            return WORK_DAYS + 305 - place // 10 % 12
        case 5:
            return WORK_DAYS + 340 + place
        case 9:
            return WORK_DAYS + 710 + place
        case _:
            return 150 + number % 240


async def seed_homes(database: Database, homes: Sequence[MoreHome], *, now: datetime) -> None:
    """Add homes to the demo company, in one transaction and few statements."""
    async with database.transaction() as session:
        stores = {store.name: store.id for store in (await session.execute(select(Store))).scalars()}
        crews = {crew.name: crew.id for crew in (await session.execute(select(Crew))).scalars()}
        owners = [new_ulid() for _ in homes]
        pairs = list(zip(owners, homes, strict=True))
        await session.execute(
            insert(Customer),
            [
                {
                    "id": owner,
                    "name": home.name,
                    "salutation": home.salutation,
                    "level": home.level,
                    "level_reason": home.level_reason,
                    "level_set_by": MANAGER[1],
                    "level_set_at": now - timedelta(days=home.started_days + 20),
                    "store_id": stores[home.store],
                    "created_at": now - timedelta(days=home.started_days + 20),
                }
                for owner, home in pairs
            ],
        )
        await session.execute(
            insert(CustomerPhone),
            [
                {"customer_id": owner, "e164": home.phone, "position": 0, "kind": PhoneKind.MOBILE.value}
                for owner, home in pairs
            ],
        )
        # With its nulls written out, what is finished and what is not go in together.
        await session.execute(
            insert(Project).execution_options(render_nulls=True),
            [
                _project(home, owner, stores[home.store], crews[CREWS[home.crew][0]], now)
                for owner, home in pairs
            ],
        )


def _project(home: MoreHome, owner: str, store_id: str, crew_id: str, now: datetime) -> dict[str, Any]:
    started = (now - timedelta(days=home.started_days)).date()
    finished = started + timedelta(days=WORK_DAYS) if home.stage >= Stage.COMPLETED else None
    return {
        "id": new_ulid(),
        "contract_no": home.contract_no,
        "customer_id": owner,
        "address": home.address,
        "community": home.community,
        "building": home.building,
        "unit": home.unit,
        "room": home.room,
        "store_id": store_id,
        "stage": int(home.stage),
        "crew_id": crew_id,
        "project_manager": home.manager,
        "designer": home.designer,
        "amount": Decimal(home.amount),
        "signed_on": started - timedelta(days=18),
        "started_on": started,
        "finished_on": finished,
        "warranty_until": finished + timedelta(days=730) if finished else None,
    }


async def homes_of(database: Database) -> list[Home]:
    """Return the further homes in the order of their contracts."""
    query = (
        select(Project.customer_id, Project.id, Project.stage, Project.crew_id, Crew.status)
        .outerjoin(Crew, Crew.id == Project.crew_id)
        .where(Project.contract_no.like(f"{CONTRACTS}%"))
        .order_by(Project.contract_no)
    )
    async with database.session() as session:
        rows = (await session.execute(query)).all()
    return [
        Home(row.customer_id, row.id, row.stage, row.crew_id, crew_departed=row.status == "departed")
        for row in rows
    ]
