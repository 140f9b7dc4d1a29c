"""Notes calls whose words are to be looked through, in the transaction that writes the words."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from speech.masking_tables import MaskJobRow

SETTLE = timedelta(seconds=15)
"""After the last words: a number is spoken over several texts."""


async def look_through(session: AsyncSession, call_ids: Iterable[str], *, at: datetime) -> None:
    """Have calls looked through at a moment, in the caller's transaction; the last moment counts."""
    rows = [
        {"call_id": one, "due_at": at, "claimed_by": None, "claimed_until": None, "tries": 0}
        for one in sorted(set(call_ids))
    ]
    if not rows:
        return
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(MaskJobRow) if on_sqlite else postgresql.insert(MaskJobRow)
    anew = {name: insert.excluded[name] for name in ("due_at", "claimed_by", "claimed_until", "tries")}
    await session.execute(insert.on_conflict_do_update(index_elements=["call_id"], set_=anew), rows)
