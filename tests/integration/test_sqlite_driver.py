"""The SQLite driver: results as SQLAlchemy expects them, writers in a queue, nothing left open."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from kernel.db import Database, create_database
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


async def add_twice(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO person (name) VALUES ('王芳')"))
        await session.execute(text("INSERT INTO person (name) VALUES ('张三')"))


async def test_rows_counts_and_errors(tmp_path: Path) -> None:
    database = create_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    try:
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
            names = [{"name": name} for name in ("张三", "李四", "王五")]
            await session.execute(text("INSERT INTO person (name) VALUES (:name)"), names)
            added = await session.execute(
                text("INSERT INTO person (name) VALUES (:name) RETURNING id"), {"name": "赵六"}
            )
            assert added.scalar_one() == 4
            changed = await session.execute(text("UPDATE person SET name = name || '。' WHERE id > 2"))
            assert changed.rowcount == 2  # type: ignore[attr-defined]
        async with database.session() as session:
            found = await session.execute(text("SELECT name FROM person ORDER BY id"))
            assert found.scalars().all() == ["张三", "李四", "王五。", "赵六。"]
            rows = await session.stream(text("SELECT id FROM person ORDER BY id"))
            assert [row.id async for row in rows] == [1, 2, 3, 4]
        with pytest.raises(IntegrityError):
            await add_twice(database)
        async with database.session() as session:
            count = await session.execute(text("SELECT count(*) FROM person WHERE name = '王芳'"))
            assert count.scalar_one() == 0
            with pytest.raises(OperationalError):
                await session.execute(text("SELECT nothing FROM nowhere"))
    finally:
        await database.dispose()


async def test_writers_take_turns_in_their_order(tmp_path: Path) -> None:
    database = create_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    order: list[int] = []

    async def write(number: int) -> None:
        async with database.transaction() as session:
            order.append(number)
            await session.execute(text("INSERT INTO entry VALUES (:number)"), {"number": number})

    try:
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE entry (number INTEGER)"))
        tasks = []
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO entry VALUES (0)"))
            for number in range(1, 6):
                tasks.append(asyncio.create_task(write(number)))
                await asyncio.sleep(0)
            # One that gives up while it waits takes nobody's turn.
            tasks[1].cancel()
            assert order == []
        await asyncio.wait(tasks)
        assert order == [1, 3, 4, 5]
    finally:
        await database.dispose()


async def test_a_cancelled_writer_leaves_no_lock_behind(tmp_path: Path) -> None:
    database = create_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    begun = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO entry VALUES (1)"))
            begun.set()
            await asyncio.Event().wait()

    try:
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE entry (number INTEGER)"))
        task = asyncio.create_task(hang())
        await begun.wait()
        task.cancel()
        await eventually(task.done)
        async with database.transaction() as session:
            count = await session.execute(text("SELECT count(*) FROM entry"))
            assert count.scalar_one() == 0
    finally:
        await database.dispose()
