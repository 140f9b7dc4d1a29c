"""Moves what belongs to one customer to another, and back: rows of every table, and numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, UniqueConstraint, and_, exists, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.people_tables import MergeRow
from crm.tables import Customer, CustomerPhone
from kernel.db import Base
from kernel.ids import new_ulid

APART = frozenset({"customer_phone", "customer_merge"})
"""Tables that are not simply moved."""
CHUNK = 500
_PHONE = ("e164", "position", "label", "ref", "kind", "preferred", "verified_at", "bad_since", "bad_reason")


@dataclass(frozen=True, slots=True)
class _Owned:
    """A column of some table that names a customer."""

    table: Table
    column: Column[Any]

    @property
    def key(self) -> list[Column[Any]]:
        return list(self.table.primary_key.columns)

    def clashes(self, kept_id: str) -> ColumnElement[bool] | None:
        """Rows that cannot move, because the kept customer has the same already."""
        other = self.table.alias()
        found: list[ColumnElement[bool]] = []
        for rule in self.table.constraints:
            if isinstance(rule, UniqueConstraint) and self.column.name in rule.columns:
                same = [
                    other.c[column.name] == column for column in rule.columns if column is not self.column
                ]
                found.append(exists().where(other.c[self.column.name] == kept_id, *same))
        return found[0] if len(found) == 1 else None


def owned_columns() -> Iterator[_Owned]:
    """Yield every column of the CRM with a key to the customer's table, in a stable order."""
    for table in Base.metadata.sorted_tables:
        if table.name in APART or table.name == Customer.__tablename__:
            continue
        for column in table.columns:
            if any(key.column.table.name == Customer.__tablename__ for key in column.foreign_keys):
                yield _Owned(table, column)


async def move_rows(session: AsyncSession, kept_id: str, gone_id: str) -> dict[str, list[list[Any]]]:
    """Move everything that names the customer; return the keys of what was moved, by table and column."""
    moved: dict[str, list[list[Any]]] = {}
    for owned in owned_columns():
        mine = owned.column == gone_id
        clash = owned.clashes(kept_id)
        if clash is not None:
            mine = and_(mine, ~clash)
        keys = [list(row) for row in (await session.execute(select(*owned.key).where(mine))).all()]
        for chunk in _chunks(keys):
            change = update(owned.table).where(_is_one_of(owned, chunk)).values({owned.column: kept_id})
            await session.execute(change)
        if keys:
            moved[f"{owned.table.name}.{owned.column.name}"] = keys
    return moved


async def return_rows(session: AsyncSession, merge: MergeRow) -> None:
    """Move back what the merge moved and the kept customer still has."""
    for owned in owned_columns():
        keys = merge.moved["rows"].get(f"{owned.table.name}.{owned.column.name}", [])
        for chunk in _chunks(keys):
            still = and_(_is_one_of(owned, chunk), owned.column == merge.kept_id)
            change = update(owned.table).where(still).values({owned.column: merge.gone_id})
            await session.execute(change)


async def move_phones(session: AsyncSession, kept_id: str, gone_id: str) -> list[dict[str, Any]]:
    """Move the numbers behind the kept customer's; one that both have is only remembered."""
    query = select(CustomerPhone).where(CustomerPhone.customer_id.in_([kept_id, gone_id]))
    rows = (await session.execute(query.order_by(CustomerPhone.position, CustomerPhone.e164))).scalars().all()
    mine = {row.e164: row for row in rows if row.customer_id == kept_id}
    theirs = [row for row in rows if row.customer_id == gone_id]
    kept_prefers = any(row.preferred for row in mine.values())
    remembered = []
    for row in theirs:
        item = {name: plain_value(getattr(row, name)) for name in _PHONE}
        remembered.append(item | {"shared": row.e164 in mine})
        await session.delete(row)
    await session.flush()
    for item in remembered:
        if item["shared"]:
            continue
        values = {name: _timely(name, item[name]) for name in _PHONE}
        values["position"] = len(mine)
        values["preferred"] = values["preferred"] and not kept_prefers
        mine[item["e164"]] = CustomerPhone(customer_id=kept_id, **values)
        session.add(mine[item["e164"]])
    await session.flush()
    return remembered


async def return_phones(session: AsyncSession, merge: MergeRow) -> None:
    """Give the numbers back as they were; nobody is left without one."""
    query = select(CustomerPhone).where(CustomerPhone.customer_id == merge.kept_id)
    mine = {row.e164: row for row in (await session.execute(query)).scalars()}
    back = []
    for item in merge.moved["phones"]:
        if not item["shared"]:
            row = mine.pop(item["e164"], None)
            if row is not None:
                await session.delete(row)
        back.append({name: _timely(name, item[name]) for name in _PHONE})
    await session.flush()
    session.add_all(CustomerPhone(customer_id=merge.gone_id, **values) for values in back)
    if not mine and back:
        # All numbers of the kept customer's own were taken away meanwhile.
        session.add(CustomerPhone(customer_id=merge.kept_id, **(back[0] | {"ref": new_ulid()})))
    await session.flush()


def plain_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _timely(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in {"verified_at", "bad_since"} and value else value


def _chunks(keys: Sequence[list[Any]]) -> Iterator[Sequence[list[Any]]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _is_one_of(owned: _Owned, keys: Sequence[list[Any]]) -> ColumnElement[bool]:
    key = owned.key
    if len(key) == 1:
        return key[0].in_([item[0] for item in keys])
    return tuple_(*key).in_([tuple(item) for item in keys])
