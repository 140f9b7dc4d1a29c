"""The SQL database: engine, sessions, column types and the naming of constraints.

SQLite (WAL) is the embedded default, PostgreSQL 15+ the large one; both through SQLAlchemy's asyncio API.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import JSON, DateTime, Executable, MetaData, String, event, text
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from kernel import sqlite
from kernel.errors import ConfigurationError

SQLITE_CONNECTIONS = 16
SQLITE_WAIT_SECONDS = 10.0
# Transactions begin by hand: a reading session is none, which saves it two trips to the server, and psycopg
# forgets the statements it has prepared whenever a transaction is rolled back.
# A server that vanished with its machine is noticed in about twenty seconds, not in hours.
POSTGRES_CONNECTION = {
    "autocommit": True,
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every mapped class; one metadata for the whole product."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, on both databases. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_BEGIN, _BEGIN_WRITING = text("BEGIN"), text("BEGIN IMMEDIATE")
Ulid = String(26)
Json = JSON(none_as_null=True)


class Database:
    """An engine and its sessions.

    ``session()`` is for reading, each statement by itself; ``transaction()`` begins, and commits at the end
    of the block or rolls back on any exception. On SQLite a transaction takes the write lock at its begin, so
    that it never fails half way with «database is locked».
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # A class of our own, so that who listens to this database's sessions hears no other's.
        self.session_class: type[Session] = type("DatabaseSession", (Session,), {})
        self._sessions = async_sessionmaker(
            engine, expire_on_commit=False, sync_session_class=self.session_class
        )
        # SQLite has one writer, and waits for its turn by sleeping up to 0.1 s at a time, in no order. The
        # writers of this process queue here instead; only those of other processes meet in SQLite.
        self._turn = asyncio.Lock() if self.dialect_name == "sqlite" else None

    @property
    def dialect_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a session for reading; it is in no transaction."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def tuned_session(self, settings: Executable) -> AsyncIterator[AsyncSession]:
        """Open a session for reading under PostgreSQL's ``set_config(…, true)``; SQLite needs none."""
        async with self._sessions() as session:
            if self.dialect_name == "sqlite":
                yield session
                return
            await session.execute(_BEGIN)
            async with _committing(session):
                await session.execute(settings)
                yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a session in a transaction that commits when the block ends well.

        Raises:
            TimeoutError: another transaction of this process does not end (SQLite).
        """
        async with self._writing(), self._sessions() as session:
            await session.execute(_BEGIN_WRITING if self.dialect_name == "sqlite" else _BEGIN)
            async with _committing(session):
                yield session

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        async with asyncio.timeout(SQLITE_WAIT_SECONDS):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def create_all(self) -> None:
        """Create every table of the metadata (tests; production migrates)."""
        async with self.engine.begin() as connection:
            await connection.execute(_BEGIN)
            await connection.run_sync(Base.metadata.create_all)

    async def ping(self) -> None:
        """Run ``SELECT 1``. Raises what the driver raises."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def settle(self) -> bool:
        """Have what was deleted leave SQLite's log of writes too; return whether it did.

        Somebody who reads meanwhile may hold it back: then it is for another time. PostgreSQL keeps house
        by itself (autovacuum).
        """
        if self.dialect_name != "sqlite":
            return True
        async with self._writing(), self.engine.connect() as connection:
            found = (await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))).one()
        return not found[0]

    async def product(self) -> str:
        """Return what serves the database, with its version: ``PostgreSQL 15.18``."""
        if self.dialect_name == "sqlite":
            return f"SQLite {sqlite3.sqlite_version}"
        async with self.engine.connect() as connection:
            # «15.18 (Debian 15.18-0+deb12u1)»: what it was built of says nothing here.
            found = str((await connection.execute(text("SHOW server_version"))).scalar_one())
        return f"PostgreSQL {found.split(' ', 1)[0]}"

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


@asynccontextmanager
async def _committing(session: AsyncSession) -> AsyncIterator[None]:
    try:
        yield
        await session.commit()
    except BaseException:
        await session.rollback()
        raise


def create_database(url: str, *, pool_size: int = 10, alone: bool = False) -> Database:
    """Return a database for an SQLAlchemy URL (``sqlite+aiosqlite:///…``, ``postgresql+psycopg://…``).

    Args:
        alone: nobody else wants it meanwhile, nor the event loop: SQLite works in the caller's thread.

    Raises:
        ConfigurationError: the URL is malformed or names another database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            f"database_url: not a database URL: {error}", field="database_url"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        engine = _sqlite_engine(parsed.set(drivername="sqlite+aiosqlite"), alone=alone)
        _prepare_sqlite(engine)
    elif backend == "postgresql":
        engine = create_async_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=10,
            pool_pre_ping=True,
            # Parameters are people's numbers and names; an error's text ends in the log.
            hide_parameters=True,
            connect_args=POSTGRES_CONNECTION,
        )
    else:
        raise ConfigurationError(
            f"database_url: {backend} is not supported; use sqlite or postgresql", field="database_url"
        )
    return Database(engine)


def _sqlite_engine(url: URL, *, alone: bool) -> AsyncEngine:
    if url.database in {None, "", ":memory:"}:
        return create_async_engine(url, hide_parameters=True)
    arguments, options = SQLiteDialect_aiosqlite().create_connect_args(url)
    options["timeout"] = SQLITE_WAIT_SECONDS
    return create_async_engine(
        url,
        async_creator=partial(sqlite.connect, *arguments, alone=alone, **options),
        hide_parameters=True,
        # Each connection is a thread: they are kept, not made and thrown away under load.
        pool_size=SQLITE_CONNECTIONS,
        max_overflow=0,
        pool_timeout=SQLITE_WAIT_SECONDS,
    )


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # The driver's own BEGIN is deferred and fails late under contention: transactions begin by hand.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={SQLITE_WAIT_SECONDS * 1000:.0f}",
            # What is deleted is overwritten, whatever the library was built with: people are erased.
            "secure_delete=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
