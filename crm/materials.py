"""The catalogue of materials, kept by the manager and the heads of two departments (domain.md §2.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.domain.lines import one_line
from crm.domain.material import Listed
from crm.domain.repair_cost import MOST, MaterialKind
from crm.domain.repair_point import amount
from crm.journal import Journal
from crm.material_tables import MaterialRow
from kernel.access import Actor, Permission, Role
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid

KEEPERS = frozenset({"ENG", "MAT"})
"""Departments whose heads keep the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialText:
    """A material as it is written down."""

    code: str
    name: str
    unit: str
    price: Decimal
    kind: MaterialKind
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueItem:
    """A material of the catalogue."""

    material_id: str
    code: str
    name: str
    unit: str
    price: Decimal
    kind: MaterialKind
    active: bool
    updated_at: datetime
    updated_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguePage:
    """A page of materials; ``next_cursor`` is the code to go on after."""

    items: tuple[CatalogueItem, ...]
    next_cursor: str | None


def may_keep(actor: Actor) -> bool:
    """Tell whether somebody keeps the catalogue; of the heads those of engineering and materials alone."""
    heads = actor.role is Role.DEPARTMENT_HEAD
    return actor.can(Permission.MATERIALS_EDIT) and (not heads or actor.department in KEEPERS)


class Materials:
    """Keeps the catalogue."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal

    async def page(
        self, actor: Actor, *, active_only: bool = False, cursor: str | None = None, limit: int = 100
    ) -> CataloguePage:
        """Return materials by code. Raises Forbidden, Invalid."""
        actor.need(Permission.PROJECTS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(MaterialRow).order_by(MaterialRow.code).limit(limit + 1)
        if active_only:
            query = query.where(MaterialRow.active.is_(True))
        if cursor is not None:
            query = query.where(MaterialRow.code > one_line(cursor, field="cursor", limit=20))
        async with self._database.session() as session:
            found = [_view(row) for row in await session.scalars(query)]
        more = len(found) > limit
        return CataloguePage(items=tuple(found[:limit]), next_cursor=found[limit - 1].code if more else None)

    async def put(
        self, actor: Actor, material_id: str | None, text: MaterialText, *, expected: int | None
    ) -> CatalogueItem:
        """Write a material down, or change one; sheets keep the price that they have.

        Raises:
            Forbidden: the role, or the department, does not keep the catalogue.
            Conflict: another one has the code or the name.
            Invalid, NotFound, StaleVersion: as everywhere.
        """
        actor.need(Permission.MATERIALS_EDIT)
        if not may_keep(actor):
            raise Forbidden("the heads of engineering and materials keep the catalogue")
        values = {
            "code": one_line(text.code, field="code", limit=20),
            "name": one_line(text.name, field="name", limit=80),
            "unit": one_line(text.unit, field="unit", limit=10),
            "price": amount(text.price, field="price"),
            "kind": text.kind.value,
            "active": text.active,
        }
        if values["price"] > MOST:  # type: ignore[operator]
            raise Invalid(f"at most {MOST}", field="price")
        async with self._database.transaction() as session:
            before = {}
            if material_id is None:
                row = MaterialRow(id=new_ulid(), **values)
                session.add(row)
            else:
                row = await self._locked(session, material_id, expected)
                before = {key: getattr(row, key) for key in values}
                for key, value in values.items():
                    setattr(row, key, value)
            row.updated_at, row.updated_by = self._clock.now(), actor.name
            try:
                await session.flush()
            except IntegrityError as error:
                raise Conflict("another material has this code or name", field="code") from error
            await self._journal.note(
                session,
                actor,
                "material.put",
                entity="material",
                entity_id=row.id,
                before=before,
                after=values,
            )
            return _view(row)

    async def _locked(self, session: AsyncSession, material_id: str, expected: int | None) -> MaterialRow:
        row = (
            await session.get(MaterialRow, material_id, with_for_update=True)
            if is_ulid(material_id)
            else None
        )
        if row is None:
            raise NotFound("no such material", field="material_id")
        if row.version != expected:
            raise StaleVersion("somebody else changed the material; read it again", field="If-Match")
        return row


async def catalogue_of(session: AsyncSession) -> dict[str, Listed]:
    """Return what may be picked now, by name."""
    rows = await session.scalars(select(MaterialRow).where(MaterialRow.active.is_(True)))
    return {
        row.name: Listed(
            code=row.code, name=row.name, unit=row.unit, price=row.price, kind=MaterialKind(row.kind)
        )
        for row in rows
    }


def _view(row: MaterialRow) -> CatalogueItem:
    return CatalogueItem(
        material_id=row.id,
        code=row.code,
        name=row.name,
        unit=row.unit,
        price=row.price,
        kind=MaterialKind(row.kind),
        active=row.active,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
    )
