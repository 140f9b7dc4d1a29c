"""What customers said of a call right after it, with the keys; and what that comes to for each agent.

A call counts for the agent who had the customer last. Who was asked and hung up said nothing and is not
counted.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from telephony.agent_tables import AgentRow, QueueRow
from telephony.call_rating_tables import CallRatingRow
from telephony.tables import CallRow

MOST = 200


class Service(IntEnum):
    """What the customer said of the service; the key that was pressed."""

    CONTENT = 1
    SO_SO = 2
    NOT_CONTENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingView:
    """The answers to one call; ``None`` where nothing was pressed."""

    service: Service | None
    solved: bool | None
    rated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRating:
    """What customers said of an agent's calls of a period.

    Attributes:
        rated: calls of which the service was rated; ``content`` of them well.
        answered: calls of which was said whether the question was answered; ``solved`` of them yes.
    """

    number: str
    name: str
    rated: int
    content: int
    answered: int
    solved: int


class CallRatings:
    """Keeps the answers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def wanted(self, session: AsyncSession, queue: str) -> bool:
        """Tell whether customers of a queue are asked."""
        query = select(QueueRow.rating).where(QueueRow.name == queue, QueueRow.active)
        return bool(await session.scalar(query))

    async def note_service(self, call_id: str, service: Service) -> None:
        """Keep what was said of the service."""
        await self._note(call_id, service=service)

    async def note_solved(self, call_id: str, *, solved: bool) -> None:
        """Keep whether the question was answered."""
        await self._note(call_id, solved=solved)

    async def _note(
        self, call_id: str, *, service: Service | None = None, solved: bool | None = None
    ) -> None:
        async with self._database.transaction() as session:
            row = await session.get(CallRatingRow, call_id, with_for_update=True)
            if row is None:
                row = CallRatingRow(call_id=call_id)
                session.add(row)
            row.service = row.service if service is None else int(service)
            row.solved = row.solved if solved is None else solved
            row.rated_at = self._clock.now()


async def rating_of(session: AsyncSession, call_id: str) -> RatingView | None:
    """Return what the customer said of a call."""
    row = await session.get(CallRatingRow, call_id)
    if row is None:
        return None
    service = Service(row.service) if row.service is not None else None
    return RatingView(service=service, solved=row.solved, rated_at=row.rated_at)


async def read_ratings(session: AsyncSession, since: datetime, until: datetime) -> tuple[AgentRating, ...]:
    """Return the agents whose calls were rated, the most ratings first."""
    rating = CallRatingRow
    query = (
        select(
            CallRow.agent_number,
            func.max(AgentRow.name),
            func.count(rating.service),
            func.sum(case((rating.service == int(Service.CONTENT), 1), else_=0)),
            func.count(rating.solved),
            func.sum(case((rating.solved.is_(True), 1), else_=0)),
        )
        .join(rating, rating.call_id == CallRow.call_id)
        .outerjoin(AgentRow, AgentRow.number == CallRow.agent_number)
        .where(
            CallRow.started_at >= since,
            CallRow.started_at < until,
            CallRow.agent_number.is_not(None),
            CallRow.merged_into.is_(None),
        )
        .group_by(CallRow.agent_number)
        .limit(MOST)
    )
    found = [
        AgentRating(
            number=number, name=name or "", rated=rated, content=content, answered=answered, solved=solved
        )
        for number, name, rated, content, answered, solved in (await session.execute(query)).all()
    ]
    return tuple(sorted(found, key=lambda one: (-one.rated, one.number)))
