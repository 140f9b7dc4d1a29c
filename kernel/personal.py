"""Which columns hold what somebody said or is: found, and emptied, by what they hang on.

Every package says so of its own tables, and of every other text column why it holds nothing personal;
whoever erases works over all of them without knowing any (domain.md §6.4).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, String, Table, delete, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.db import Base
from kernel.traces import Trace

GONE = "（已按保存期限删除）"
"""Stands where a text was that may not be empty."""
CHUNK = 500


class Record(StrEnum):
    """What a place hangs on: with it, it goes."""

    CUSTOMER = "customer"
    NUMBER = "number"
    """The person's telephone number itself."""
    PROJECT = "project"
    CASE = "case"
    CONSENT = "consent"
    CALL = "call"
    CALLBACK = "callback"
    """A callback task with its talks, answers and recordings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Columns of one table that may speak of a person.

    Attributes:
        of, by: what they hang on, and the column that says on which.
        through: tables between, each ``(table, key, parent)``: ``by`` names a ``key``, whose row names its
            ``parent``.
        keeps: the class of ``retention.yaml`` after which they go at the latest.
        emptied: what to write where an empty text or nothing will not do.
        rows: the whole row goes.
        unless: rows with this value of a column stay: they are figures.
        by_hand: which function empties it, where a rule is not enough.
    """

    table: str
    columns: tuple[str, ...]
    of: Record
    by: str
    keeps: str
    through: tuple[tuple[str, str, str], ...] = ()
    emptied: Mapping[str, Any] = field(default_factory=dict)
    rows: bool = False
    unless: tuple[str, str] | None = None
    by_hand: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """How a record of some kind names its customer."""

    of: Record
    table: str
    key: str
    customer: str = "customer_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What one package, or all of them, say of their columns.

    Attributes:
        traces: what is left of anybody for a day.
        innocent: ``table.column`` patterns that hold nothing of a customer, by the reason.
    """

    places: tuple[Place, ...] = ()
    owned: tuple[Owned, ...] = ()
    traces: tuple[Trace, ...] = ()
    innocent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __add__(self, other: "Personal") -> "Personal":
        reasons = dict(self.innocent)
        for why, patterns in other.innocent.items():
            reasons[why] = (*reasons.get(why, ()), *patterns)
        return Personal(
            places=self.places + other.places,
            owned=self.owned + other.owned,
            traces=self.traces + other.traces,
            innocent=reasons,
        )

    def unsaid(self) -> Iterator[str]:
        """Yield every mapped text column that nobody has said anything about."""
        known = {f"{place.table}.{name}" for place in self.places for name in place.columns}
        patterns = [pattern for group in self.innocent.values() for pattern in group]
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                name = f"{table.name}.{column.name}"
                said = name in known or any(fnmatchcase(name, pattern) for pattern in patterns)
                if _is_text(column) and not said:
                    yield name

    async def empty(self, session: AsyncSession, record: Record, ids: Sequence[str]) -> None:
        """Empty every place that hangs on one of these records."""
        mine = [place for place in self.places if place.of is record and not place.by_hand]
        for start in range(0, len(ids), CHUNK):
            for place in mine:
                table = Base.metadata.tables[place.table]
                chosen = _chosen(table, place.by, place.through, ids[start : start + CHUNK])
                if place.unless is not None:
                    chosen &= table.c[place.unless[0]] != place.unless[1]
                await session.execute(_change(table, place, chosen))

    async def of_customers(
        self, session: AsyncSession, record: Record, customers: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the ids of all records of a kind that name one of the customers."""
        found: set[str] = set()
        for one in self.owned:
            if one.of is record:
                table = Base.metadata.tables[one.table]
                query = select(table.c[one.key]).where(table.c[one.customer].in_(customers))
                found |= {key for key in await session.scalars(query.distinct()) if key}
        return tuple(sorted(found))


COMMON = Personal(
    innocent={
        "names who works here, not a customer": (
            *("*.by", "*.*_by", "*.owner", "*.owner_name", "*.owner_id", "*.author", "*.specialist"),
            *("*.specialist_name", "*.project_manager", "*.designer", "*.inspector", "*.sales_person"),
        ),
        "a code, a state, a key or a number of our own": (
            *("*.code", "*.kind", "*.state", "*.status", "*.level", "*.scope", "*.channel", "*.direction"),
            *("*.result", "*.month", "*.node", "*.queue", "*.severity", "*.mode"),
            *(
                "*.department",
                "*.department_code",
                "*.record_kind",
                "*.record_id",
                "*.record_no",
                "*.line_id",
            ),
            *("*.user_id", "*.dedupe_key", "*.open_key", "*.receipt_no", "*.no", "*.verdict", "*.role"),
            *("*.satisfaction", "*.timeliness", "*.contacted_in_time", "*.subclass", "*.media_type"),
            *("*.sha256", "*.thumb_sha256", "*.departments"),
        ),
    }
)
"""What a column of this name is in every table."""


def _is_text(column: Column[Any]) -> bool:
    """Tell whether free words fit in; ids and keys of other rows are none."""
    if not isinstance(column.type, String | JSON) or column.foreign_keys:
        return False
    return getattr(column.type, "length", None) != 26


def _chosen(
    table: Table, by: str, through: Sequence[tuple[str, str, str]], ids: Sequence[str]
) -> ColumnElement[bool]:
    if not through:
        return table.c[by].in_(ids)
    (name, key, parent), *rest = through
    between = Base.metadata.tables[name]
    return table.c[by].in_(select(between.c[key]).where(_chosen(between, parent, rest, ids)))


def _change(table: Table, place: Place, chosen: ColumnElement[bool]) -> Any:
    if place.rows:
        change: Any = delete(table).where(chosen)
    else:
        values = {name: _empty(table.c[name]) for name in place.columns if name not in place.emptied}
        change = update(table).where(chosen).values({**values, **place.emptied})
    return change.execution_options(synchronize_session=False)


def _empty(column: Column[Any]) -> Any:
    if column.nullable:
        return null()
    usual = getattr(column.default, "arg", None)
    length = getattr(column.type, "length", None)
    return "" if usual == "" or (length is not None and length < len(GONE)) else GONE
