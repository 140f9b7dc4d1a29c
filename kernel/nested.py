"""Lists within a row: the rows of a correlated select as one column, by the databases' JSON.

Each statement is a trip to the database, and a trip costs more than most statements do. What belongs to a
record and is shown with it comes along in the record's own row.
"""

from collections import namedtuple
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Dialect, Integer, ScalarSelect, Select, String, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from kernel.db import UtcDateTime

_Reader = Callable[[Any], Any]


def nested(rows: Select[*tuple[Any, ...]], *, of: Any) -> ScalarSelect[Any]:
    """Return a column whose value is the tuple of a select's rows: named tuples, in the select's order.

    Args:
        rows: must have ``order_by`` and ``limit``: without a limit SQLite need not keep the order.
        of: the table of the enclosing statement that ``rows`` refers to.
    """
    inner = rows.correlate(of).subquery()
    columns = list(inner.c)
    form = _Rows(
        namedtuple("Nested", [column.key for column in columns]),
        tuple(_reader(column.type) for column in columns),
    )
    return select(_JsonRows(*columns, type_=form)).correlate(of).scalar_subquery()


def _moment(text: str) -> datetime:
    """PostgreSQL writes the zone; what SQLite stored is UTC."""
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _reader(kind: TypeEngine[Any]) -> _Reader | None:
    """Return what makes a value of JSON into one of this type; ``None`` when it is one already."""
    match kind:
        case UtcDateTime():
            return _moment
        case Date():
            return date.fromisoformat
        case Boolean():
            return bool
        case String() | Integer():
            return None
    raise TypeError(f"{kind!r} cannot be nested")


class _Rows(TypeDecorator[tuple[Any, ...]]):
    """Rows in JSON: an array of arrays, or nothing."""

    impl = JSON
    cache_ok = True

    def __init__(self, row: Any, readers: tuple[_Reader | None, ...]) -> None:
        super().__init__()
        self.row = row
        self.readers = readers
        self._read = [(place, read) for place, read in enumerate(readers) if read is not None]

    def process_result_value(self, value: list[list[Any]] | None, dialect: Dialect) -> tuple[Any, ...]:
        rows = value or ()
        for place, read in self._read:
            for row in rows:
                if row[place] is not None:
                    row[place] = read(row[place])
        return tuple(map(self.row._make, rows))


class _JsonRows(FunctionElement[tuple[Any, ...]]):
    """The aggregate; each database has a name of its own for it."""

    name = "json_rows"
    inherit_cache = True

    def __init__(self, *columns: Any, type_: _Rows) -> None:
        super().__init__(*columns)
        self.type = type_


@compiles(_JsonRows, "sqlite")
def _on_sqlite(rows: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array(json_array({compiler.process(rows.clauses, **options)}))"


@compiles(_JsonRows, "postgresql")
def _on_postgresql(rows: _JsonRows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_agg(json_build_array({compiler.process(rows.clauses, **options)}))"
