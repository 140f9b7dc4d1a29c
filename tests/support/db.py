"""Databases for tests: SQLite in a file, PostgreSQL from a private server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kernel.db import Database, create_database


@asynccontextmanager
async def sqlite_database(folder: Path) -> AsyncIterator[Database]:
    """Yield an empty SQLite database with every table that is imported."""
    database = create_database(f"sqlite+aiosqlite:///{folder / 'test.db'}")
    try:
        await database.create_all()
        yield database
    finally:
        await database.dispose()


@asynccontextmanager
async def postgres_database() -> AsyncIterator[Database]:
    """Yield an empty database on the tests' private PostgreSQL."""
    from tests.support.postgres import create_test_database, drop_test_database

    url = await create_test_database()
    database = create_database(url)
    try:
        await database.create_all()
        yield database
    finally:
        await database.dispose()
        await drop_test_database(url)
