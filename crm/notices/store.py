"""Small pieces of SQL and sessions that the services of this package share."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


@cache
def _insert(dialect: str, table: Table) -> Any:
    made = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    # What was inserted is returned: a count of rows is not there for an INSERT on every driver.
    return made.on_conflict_do_nothing().returning(next(iter(table.primary_key)))


async def insert_new(session: AsyncSession, mapped: type[Any], values: dict[str, Any]) -> bool:
    """Insert a row unless one with the same key is there; return whether it was inserted."""
    dialect = session.get_bind().dialect.name
    result = await session.execute(_insert(dialect, mapped.__table__), values)
    return result.first() is not None


def once_committed(session: AsyncSession, action: Callable[[], None]) -> None:
    """Do something when the caller's transaction has been committed, and not at all if it is rolled back."""

    def act(_: object) -> None:
        action()

    event.listen(session.sync_session, "after_commit", act, once=True)
