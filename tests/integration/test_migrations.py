"""The schema's history: up, down, the same as the code says, and never onto a newer database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import app.models
from app.schema import DatabaseNewer, check, current_revision, downgrade, newest_revision, upgrade
from crm.search import Document, Kind, SearchIndex
from crm.search_query import Search
from crm.search_tables import is_index_table
from kernel.access import Actor
from kernel.db import Base, Database, create_database
from kernel.errors import ConfigurationError
from tests.support.postgres import create_test_database, drop_test_database

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}" if on_sqlite else await create_test_database()
    database = create_database(url)
    yield database
    await database.dispose()
    if not on_sqlite:
        await drop_test_database(url)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _is_described(name: str | None, kind: str, _: object) -> bool:
    """The search's index is no table that metadata could describe; on SQLite it has tables of its own."""
    return kind != "table" or not is_index_table(name)


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return await connection.run_sync(_tables)


async def test_up_gives_what_the_code_says(empty: Database) -> None:
    await upgrade(empty)
    assert await current_revision(empty) == newest_revision()
    await check(empty)

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "include_name": _is_described}
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, Base.metadata)
        return [item for item in found if "test_" not in str(item)]

    async with empty.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    assert app.models.MODULES


async def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    await upgrade(empty)
    before = await tables(empty)
    await upgrade(empty)
    assert await tables(empty) == before


async def test_down_leaves_nothing(empty: Database) -> None:
    await upgrade(empty)
    await downgrade(empty, revision="base")
    assert await tables(empty) <= {"alembic_version"}
    await upgrade(empty)


async def test_a_rule_that_nobody_changed_gets_its_new_recipients(empty: Database) -> None:
    await upgrade(empty, revision="0022")
    first = '["role:finance", "role:manager"]'
    row = (
        "INSERT INTO notice_rule (code, recipients, channels, severity, active, version) VALUES "
        f"('deposit.short', '{first}', '[]', 'warn', true, 1), ('other', '{first}', '[]', 'warn', true, 1)"
    )
    async with empty.transaction() as session:
        await session.execute(text(row))
    await upgrade(empty)
    async with empty.session() as session:
        rows = await session.execute(text("SELECT code, recipients FROM notice_rule"))
        found = {row.code: row.recipients for row in rows}
    assert "department:ENG" in str(found["deposit.short"])
    assert "department:ENG" not in str(found["other"])


async def test_what_was_migrated_can_be_searched(empty: Database) -> None:
    await upgrade(empty)
    found = Document(
        kind=Kind.ARTICLE, ref_id="A1", title="水管漏水", updated_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    async with empty.transaction() as session:
        await SearchIndex().put(session, found)
    page = await Search(empty).search(Actor.system("test"), "漏水")
    assert [hit.ref_id for hit in page.items] == ["A1"]


async def test_an_old_database_must_be_upgraded_first(empty: Database) -> None:
    with pytest.raises(ConfigurationError, match="huifang db upgrade"):
        await check(empty)


async def test_a_newer_database_is_refused_and_left_alone(empty: Database) -> None:
    await upgrade(empty)
    async with empty.transaction() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (check, upgrade):
        with pytest.raises(DatabaseNewer, match="newer Huifang"):
            await attempt(empty)
    assert await current_revision(empty) == "9999"


async def test_the_audit_log_refuses_changes(empty: Database) -> None:
    await upgrade(empty)
    columns = "seq, at, actor, ip, action, entity, entity_id, detail, prev_hash, hash"
    row = "1, '2026-03-02 10:00:00', 'cli', '', 'x', '', '', '{}', '', ''"
    async with empty.transaction() as session:
        await session.execute(text(f"INSERT INTO audit_record ({columns}) VALUES ({row})"))
    for statement in ("UPDATE audit_record SET actor = 'me'", "DELETE FROM audit_record"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with empty.transaction() as session:
                await session.execute(text(statement))
