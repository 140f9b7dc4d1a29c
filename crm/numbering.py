"""Numbers that run within a day: each is given once, whoever asks at the same time."""

from typing import Any

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm.tables import CaseNumber


async def next_number(session: AsyncSession, dialect: str, prefix: str, column: Any) -> str:
    """Return the next number that begins so; gaps stay where a transaction failed.

    Args:
        column: where such numbers stand: the first goes on from those that came otherwise, in an import or
            with an earlier version.
    """
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    newest = select(func.max(column)).where(column > prefix, column < prefix + ":").scalar_subquery()
    first = func.coalesce(cast(func.substr(newest, len(prefix) + 1), Integer), 0) + 1
    statement = (
        insert(CaseNumber)
        .values(prefix=prefix, last=first)
        .on_conflict_do_update(index_elements=["prefix"], set_={"last": CaseNumber.last + 1})
        .returning(CaseNumber.last)
    )
    last = (await session.execute(statement)).scalar_one()
    return f"{prefix}{last:04d}"
