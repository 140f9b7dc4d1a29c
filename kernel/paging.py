"""Pages of lists in an order of their own, such as by name: a cursor is the id of the last row shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from kernel.db import Base
from kernel.errors import Invalid
from kernel.ids import is_ulid

MAX_PAGE = 200

T = TypeVar("T")
S = TypeVar("S", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list; ``next_cursor`` leads on, ``None`` at its end."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class By:
    """A column that a list is ordered by; the last one of an order is the row's id."""

    column: InstrumentedAttribute[Any]
    falling: bool = False


async def ordered(
    session: AsyncSession, query: S, table: type[Base], order: Sequence[By], *, cursor: str | None
) -> S:
    """Return a query in an order, from behind the row that a cursor names.

    Its columns that order are never null, and its rows are never deleted: one that was renamed meanwhile
    leads on from where it stands now.

    Raises:
        Invalid: the cursor names no row of the table.
    """
    by = (item.column.desc() if item.falling else item.column.asc() for item in order)
    query = query.order_by(*by)
    if cursor is None:
        return query
    last = await session.get(table, cursor) if is_ulid(cursor) else None
    if last is None:
        raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
    return query.where(_behind(last, order))


def cut(items: Sequence[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """Return a page of what was found, which is one more than ``limit`` where the list goes on."""
    shown = tuple(items[:limit])
    return Page(shown, key(shown[-1]) if len(items) > limit else None)


def _behind(last: Base, order: Sequence[By]) -> ColumnElement[bool]:
    ways, same = list[ColumnElement[bool]](), list[ColumnElement[bool]]()
    for item in order:
        value = getattr(last, item.column.key)
        further = item.column < value if item.falling else item.column > value
        ways.append(and_(*same, further))
        same.append(item.column == value)
    return or_(*ways)
