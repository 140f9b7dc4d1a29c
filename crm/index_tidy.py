"""What was taken out of the search leaves its files too.

FTS5 notes beside its tokens that they are gone, and drops both when it merges its parts one day; after a
deletion they are merged at once, a little at a time, so that nobody waits long to write. PostgreSQL keeps
house by itself.
"""

from sqlalchemy import TextClause, text

from kernel.db import Database

PAGES = 500
"""Merged in one transaction: some megabytes."""
MOST_STEPS = 10_000
_MERGE = (
    text("INSERT INTO search_fts(search_fts, rank) VALUES ('merge', :pages)"),
    text("INSERT INTO said_fts(said_fts, rank) VALUES ('merge', :pages)"),
)
_CHANGES = text("SELECT total_changes()")


async def merge_indexes(database: Database) -> int:
    """Merge the parts of both indexes; return in how many steps."""
    if database.dialect_name != "sqlite":
        return 0
    return sum([await _merge(database, work) for work in _MERGE])


async def _merge(database: Database, work: TextClause) -> int:
    pages = -PAGES  # begins with all parts, whatever their sizes; then it goes on
    for step in range(1, MOST_STEPS):
        async with database.transaction() as session:
            before = (await session.execute(_CHANGES)).scalar_one()
            await session.execute(work, {"pages": pages})
            after = (await session.execute(_CHANGES)).scalar_one()
        if after - before < 2:
            return step
        pages = PAGES
    return MOST_STEPS
