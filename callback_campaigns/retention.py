"""Tells which calls were callbacks, and about which project: they stay longer than others."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow


class CallbackCalls:
    """The dialler's calls: an attempt's id is the call's."""

    async def projects(self, session: AsyncSession, call_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return those of the calls that were made to ask how things are, with their project."""
        query = (
            select(DialAttemptRow.id, CallbackTaskRow.project_id)
            .outerjoin(CallbackTaskRow, CallbackTaskRow.id == DialAttemptRow.task_id)
            .where(DialAttemptRow.id.in_(call_ids))
        )
        return {row.id: row.project_id for row in await session.execute(query)}
