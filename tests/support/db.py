"""Databases for tests: SQLite in a file, PostgreSQL from a private server.

To create all tables anew takes many times as long as most tests, and so does compiling every statement
again, which a new engine does. So a test gets the engine of the test before, with new connections: on
SQLite to a new copy of a file that was made once in its process, on PostgreSQL to a database whose rows
were deleted.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

import app.models  # noqa: F401  (every table)
from kernel.db import Base, Database, create_database
from tests.support import postgres


@dataclass(frozen=True, slots=True)
class Kept:
    """A database that no test uses now; it is empty, and nobody is connected."""

    engine: AsyncEngine
    url: str
    shape: str = ""


_kept: dict[tuple[str, str], list[Kept]] = {}
"""By kind of database and schema."""


def schema_name() -> str:
    """Return a name for the tables that are imported by now; more of them give another name."""
    tables = "\n".join(sorted(Base.metadata.tables))
    return hashlib.sha256(tables.encode()).hexdigest()[:16]


@cache
def _folder() -> Path:
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
async def sqlite_database() -> AsyncIterator[Database]:
    """Yield an empty SQLite database with every table."""
    name = schema_name()
    template = _folder() / f"{name}.db"
    if not template.exists():
        await _fill(f"sqlite+aiosqlite:///{template}")
    free = _kept.setdefault(("sqlite", name), [])
    if free:
        kept = free.pop()
    else:
        url = f"sqlite+aiosqlite:///{tempfile.mkdtemp(dir=_folder())}/test.db"
        kept = Kept(create_database(url).engine, url)
    path = Path(str(kept.engine.url.database))
    shutil.copyfile(template, path)
    try:
        yield Database(kept.engine)
    finally:
        await kept.engine.dispose()
        for leftover in path.parent.iterdir():
            leftover.unlink()
        free.append(kept)


async def filled(database: Database, key: str, fill: Callable[[], Awaitable[object]]) -> None:
    """Let ``fill`` write; if the database is SQLite and empty, what it wrote is kept and copied next time.

    Args:
        key: the same for fillings that may take each other's place.
    """
    path = Path(str(database.engine.url.database))
    log = path.with_name(path.name + "-wal")
    if database.dialect_name != "sqlite" or (log.exists() and log.stat().st_size):
        await fill()
        return
    made = _folder() / f"{schema_name()}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.db"
    if made.exists():
        await database.dispose()
        shutil.copyfile(made, path)
        return
    await fill()
    # The last connection that is closed writes everything into the file.
    await database.dispose()
    shutil.copyfile(path, made)


@asynccontextmanager
async def postgres_database() -> AsyncIterator[Database]:
    """Yield an empty database on the tests' private PostgreSQL."""
    name = schema_name()
    free = _kept.setdefault(("postgresql", name), [])
    if free:
        kept = free.pop()
    else:
        url = await postgres.create_test_database(template=name, prepare=_fill)
        kept = Kept(create_database(url).engine, url, postgres.shape(url))
    try:
        yield Database(kept.engine)
    finally:
        await kept.engine.dispose()
        # A test that changed a table takes its database with it.
        if postgres.empty_again(kept.url) == kept.shape:
            free.append(kept)
        else:
            await postgres.drop_test_database(kept.url)
