"""Takes numbers and names out of calls that are not to be kept any more; their figures stay."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.tables import CallEventRow, CallLegRow, CallRow

INWARD, OUTWARD = "in", "out"


class CallShelf:
    """The stored calls, as whoever decides how long they stay looks at them."""

    async def older(
        self, session: AsyncSession, before: datetime, after: str, limit: int
    ) -> Sequence[tuple[str, str | None, datetime]]:
        """Return id, customer and moment of calls that still name somebody, in the order of their ids."""
        query = (
            select(CallRow.call_id, CallRow.customer_id, CallRow.started_at)
            .where(
                CallRow.call_id > after,
                CallRow.started_at < before,
                CallRow.ended_at.is_not(None),
                or_(
                    (CallRow.direction == INWARD) & (CallRow.from_number != ""),
                    (CallRow.direction == OUTWARD) & (CallRow.to_number != ""),
                ),
            )
            .order_by(CallRow.call_id)
            .limit(limit)
        )
        return [(row.call_id, row.customer_id, row.started_at) for row in await session.execute(query)]

    async def erase(self, session: AsyncSession, call_ids: Sequence[str]) -> None:
        """Take numbers and names out of calls, their legs and their time lines."""
        mine = CallRow.call_id.in_(call_ids)
        changes = (
            update(CallRow)
            .where(mine, CallRow.direction == INWARD)
            .values(from_number="", from_name="", customer_id=None),
            update(CallRow)
            .where(mine, CallRow.direction == OUTWARD)
            .values(to_number="", from_name="", customer_id=None),
            update(CallLegRow)
            .where(CallLegRow.call_id.in_(call_ids), CallLegRow.agent_number.is_(None))
            .values(number=""),
            update(CallEventRow).where(CallEventRow.call_id.in_(call_ids)).values(detail={}),
        )
        for change in changes:
            await session.execute(change, execution_options={"synchronize_session": False})
