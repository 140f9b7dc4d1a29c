"""Finds words wherever they are kept: in every table of a database, and in every file of some folders."""

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import insert, inspect, text

from kernel.db import Base, Database


async def put(database: Database, table: str, plain: Mapping[str, Any], **values: Any) -> None:
    """Write a row down; ``plain`` gives what else it must have by the name of a column's type."""
    mapped = Base.metadata.tables[table]
    for column in mapped.columns:
        given = column.name in values or column.nullable or column.default is not None
        if not given and column.server_default is None:
            values[column.name] = plain.get(type(column.type).__name__, "x")
    async with database.transaction() as session:
        await session.execute(insert(mapped).values(**values))


def forms(words: Iterable[str]) -> dict[bytes, str]:
    """Return each word as it may be written down, by those bytes."""
    found: dict[bytes, str] = {}
    for word in words:
        plain = word.encode()
        ways = [plain, json.dumps(word)[1:-1].encode()]
        ways += [word.encode(f"utf-16-{order}") for order in ("le", "be")]
        # In the middle of a longer text base64 has three ways to write a word, whole groups of it at least.
        ways += [base64.b64encode(bytes(shift) + plain)[4 if shift else 0 : -4] for shift in range(3)]
        found |= dict.fromkeys(ways, word)
    return found


async def found_in_tables(database: Database, words: Iterable[str]) -> dict[str, set[str]]:
    """Return the words that stand in any column of any table, index tables included, by ``table.column``."""
    sought, found = forms(words), dict[str, set[str]]()
    async with database.engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        for table in tables:
            if f"{table}_data" in tables:
                continue  # a face of FTS5: what it holds lies in the tables behind it
            result = await connection.execute(text(f'SELECT * FROM "{table}"'))
            for row in result.mappings():
                for name, value in row.items():
                    if there := _words_in(_bytes(value), sought):
                        found.setdefault(f"{table}.{name}", set()).update(there)
    return found


def count_in(content: bytes, words: Iterable[str]) -> int:
    """Return how often the words stand in some bytes, in whichever form."""
    return sum(content.count(way) for way in forms(words))


async def count_in_table(database: Database, table: str, words: Iterable[str]) -> int:
    """Return how often the words stand in a table."""
    async with database.engine.connect() as connection:
        rows = (await connection.execute(text(f'SELECT * FROM "{table}"'))).all()
    return sum(count_in(_bytes(value), words) for row in rows for value in row)


def found_in_files(folders: Iterable[Path], words: Iterable[str]) -> dict[str, set[str]]:
    """Return the words that stand in any file, or in its name, by the file's name."""
    sought, found = forms(words), dict[str, set[str]]()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            there = _words_in(path.name.encode(), sought)
            if path.is_file():
                there |= _words_in(path.read_bytes(), sought)
            if there:
                found[str(path.relative_to(folder))] = there
    return found


def _words_in(content: bytes, sought: Mapping[bytes, str]) -> set[str]:
    return {word for way, word in sought.items() if way in content}


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).encode()
    return str(value).encode()
