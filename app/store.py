"""The installation's database, opened for a command."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url

import app.models  # noqa: F401 - relationships between tables need all of them
from app.said import refresh
from app.schema import check, upgrade
from app.settings import Settings
from crm.search_whole import whole_feed
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database, create_database
from kernel.errors import ConfigurationError
from telephony.roster import Roster


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, sure of its schema, for the length of the block.

    Raises:
        ConfigurationError: there is none yet, or it is not at this version's schema.
    """
    if not settings.database_url and not settings.data_dir.is_dir():
        raise ConfigurationError(
            f"there is no database in {settings.data_dir} yet: start with «huifang up», or run "
            "«huifang db upgrade»"
        )
    database = create_database(settings.sql_url)
    try:
        await check(database)
        yield database
    finally:
        await database.dispose()


async def bring_up_to_date(settings: Settings) -> None:
    """Make or upgrade the database, with the pause reasons and dispositions that every centre starts with.

    Raises:
        DatabaseNewer: it is from a later version; nothing was changed.
    """
    _make_room(settings)
    database = create_database(settings.sql_url)
    try:
        await complete(database)
    finally:
        await database.dispose()


async def complete(database: Database) -> None:
    """Bring an open database up to date, with what every centre starts with and its index.

    Raises:
        DatabaseNewer: it is from a later version; nothing was changed.
    """
    await upgrade(database)
    await Roster(database, SystemClock(), Bus()).seed_codes()
    await whole_feed().fill(database)
    await refresh(database)


def _make_room(settings: Settings) -> None:
    """Make the data folder, and in it a database file that only its owner may read.

    The folder itself may be passed through: an Asterisk of another user reads its prompts there.

    Raises:
        ConfigurationError: the folder cannot be used.
    """
    try:
        settings.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        url = make_url(settings.sql_url)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            os.close(os.open(url.database, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"{settings.data_dir} cannot be used ({error.strerror}): choose another with HUIFANG_DATA_DIR=…"
        ) from error
