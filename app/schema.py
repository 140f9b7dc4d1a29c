"""Brings the database to this version's schema, and refuses one that is newer.

A whole upgrade is one transaction on both databases: after a kill in the middle the old schema stands.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kernel.db import Database
from kernel.errors import ConfigurationError

LOCK_KEY = 72_849_101


class DatabaseNewer(ConfigurationError):
    """The database was written by a later version of Huifang."""

    code = "database_newer"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest_revision() -> str:
    """Return the revision that this version of the code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise ConfigurationError("the installation is damaged: no database migrations found; install again")
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseNewer(
            f"the database is at revision {revision}, which this version does not know: it was used by a "
            "newer Huifang; start that version, or restore a backup made before its upgrade"
        )


async def current_revision(database: Database) -> str | None:
    """Return the database's revision; ``None`` for an empty one."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_current)


async def check(database: Database) -> None:
    """Make sure that the database is exactly at this version's schema.

    Raises:
        DatabaseNewer: it is from a later version.
        ConfigurationError: it must be upgraded first.
    """
    revision = await current_revision(database)
    _refuse_newer(revision)
    if revision != newest_revision():
        raise ConfigurationError("the database must be upgraded first: run «huifang db upgrade»")


async def upgrade(database: Database, *, revision: str = "head") -> None:
    """Upgrade the schema; one process at a time, others wait for it.

    Raises:
        DatabaseNewer: the database is from a later version; nothing was changed.
    """
    await _migrate(database, revision, down=False)


async def downgrade(database: Database, *, revision: str) -> None:
    """Take the schema back to ``revision`` (``base`` for empty)."""
    await _migrate(database, revision, down=True)


async def _migrate(database: Database, revision: str, *, down: bool) -> None:
    def run(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        _refuse_newer(_current(connection))
        config = _config()
        config.attributes["connection"] = connection
        if down:
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)

    async with database.engine.connect() as connection:
        try:
            await connection.run_sync(run)
            await connection.commit()
        except BaseException:
            await connection.rollback()
            raise
