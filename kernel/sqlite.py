"""aiosqlite with one trip to the connection's thread per statement.

aiosqlite goes to its thread to make a cursor, to run the statement, to fetch the rows and to close the
cursor. Each trip costs two changes of thread and a turn of the event loop, which under load is most of a
small statement's time; and inside a transaction all other writers wait for it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Self

import aiosqlite

Rows = list[tuple[Any, ...]]


class QuickCursor:
    """A cursor whose rows are here as soon as the statement has run. SQLAlchemy is its only user."""

    arraysize = 1

    def __init__(self, connection: "QuickConnection") -> None:
        self._connection = connection
        self._rows: Rows = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        """Run a statement and fetch all its rows."""
        await self._connection.in_thread(self._run, sqlite3.Cursor.execute, operation, parameters)
        return self

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> Self:
        """Run a statement once for each set of parameters."""
        await self._connection.in_thread(self._run, sqlite3.Cursor.executemany, operation, parameters)
        return self

    def _run(self, run: Callable[..., object], operation: str, parameters: Sequence[Any]) -> None:
        """Do all of it; called in the connection's thread."""
        cursor = self._connection._conn.cursor()
        try:
            run(cursor, operation, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> Rows:
        """Return the rows that are left."""
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int | None = None) -> Rows:
        """Return some rows."""
        size = self.arraysize if size is None else size
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchone(self) -> tuple[Any, ...] | None:
        """Return one row."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Forget the rows."""
        self._rows = []


class QuickConnection(aiosqlite.Connection):
    """A connection that makes quick cursors, and rolls nothing back where nothing was begun."""

    def cursor(self) -> QuickCursor:  # type: ignore[override]
        """Return a cursor; its first statement is its first work."""
        return QuickCursor(self)

    async def in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        """Do some work in the connection's thread."""
        await self._execute(work, *arguments)  # type: ignore[no-untyped-call]

    async def rollback(self) -> None:
        """Roll back the transaction, if there is one."""
        if self._conn.in_transaction:
            await super().rollback()


class LoneConnection(QuickConnection):
    """A connection whose statements run in the caller's thread, for who has the database to themselves.

    The event loop stands still meanwhile. Nobody else may want it, nor the database: a start that fills it.
    """

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)


async def connect(*args: Any, alone: bool = False, **options: Any) -> QuickConnection:
    """Open a connection; takes what ``sqlite3.connect`` takes."""
    kind = LoneConnection if alone else QuickConnection
    connection = kind(lambda: sqlite3.connect(*args, **options), iter_chunk_size=64)
    # A process that is being killed does not wait for its readers.
    connection._thread.daemon = True
    await connection
    return connection
