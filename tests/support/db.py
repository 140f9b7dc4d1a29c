"""Databases for tests: SQLite in a file, PostgreSQL from a private server.

Each test gets a copy of a database that was made once in its process: to create all tables anew takes many
times as long as most tests.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from kernel.db import Base, Database, create_database
from tests.support.postgres import create_test_database, drop_test_database


def schema_name() -> str:
    """Return a name for the tables that are imported by now; more of them give another name."""
    tables = "\n".join(sorted(Base.metadata.tables))
    return hashlib.sha256(tables.encode()).hexdigest()[:16]


@cache
def _templates() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="huifang-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


async def _fill(url: str) -> None:
    database = create_database(url)
    try:
        await database.create_all()
    finally:
        await database.dispose()


@asynccontextmanager
async def sqlite_database(folder: Path) -> AsyncIterator[Database]:
    """Yield an empty SQLite database with every table that is imported."""
    template = _templates() / f"{schema_name()}.db"
    if not template.exists():
        await _fill(f"sqlite+aiosqlite:///{template}")
    shutil.copyfile(template, folder / "test.db")
    database = create_database(f"sqlite+aiosqlite:///{folder / 'test.db'}")
    try:
        yield database
    finally:
        await database.dispose()


@asynccontextmanager
async def postgres_database() -> AsyncIterator[Database]:
    """Yield an empty database on the tests' private PostgreSQL."""
    url = await create_test_database(template=schema_name(), prepare=_fill)
    database = create_database(url)
    try:
        yield database
    finally:
        await database.dispose()
        await drop_test_database(url)
