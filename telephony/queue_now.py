"""The queues at this moment, and who talked with somebody last: what routing asks before a caller waits."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select

from kernel.db import Database
from kernel.phone import Phone
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.domain.agent_state import AgentState
from telephony.domain.call import CallResult, CallState, Direction
from telephony.tables import CallRow

RECENT = timedelta(hours=12)
"""Conversations before say nothing of how long one takes now; calls before wait no more."""
ENOUGH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMoment:
    """A queue now; ``free`` are the numbers of agents whom a caller would be connected with at once."""

    waiting: int
    free: frozenset[str]
    working: int
    longest: timedelta | None


class QueueMoments:
    """Answers in few short queries: a caller waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, now: datetime) -> Mapping[str, QueueMoment]:
        """Return every queue there is."""
        members = (
            select(QueueMemberRow.queue, AgentRow.number, AgentSessionRow.state)
            .join(AgentRow, AgentRow.agent_id == QueueMemberRow.agent_id)
            .join(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
            .where(AgentSessionRow.signed_in, AgentRow.active)
        )
        waiting = (
            select(CallRow.queue, func.count())
            .where(
                CallRow.state.in_((CallState.QUEUED.value, CallState.RINGING.value)),
                CallRow.queue.is_not(None),
                CallRow.direction == Direction.IN.value,
                CallRow.started_at > now - RECENT,
            )
            .group_by(CallRow.queue)
        )
        queues = select(QueueRow.name, QueueRow.max_wait_seconds).where(QueueRow.active)
        async with self._database.session() as session:
            names = (await session.execute(queues)).all()
            people = (await session.execute(members)).all()
            counts = {row[0]: int(row[1]) for row in await session.execute(waiting)}
        free: defaultdict[str, set[str]] = defaultdict(set)
        working: defaultdict[str, int] = defaultdict(int)
        for row in people:
            working[row.queue] += row.state != AgentState.PAUSED.value
            if row.state == AgentState.AVAILABLE.value:
                free[row.queue].add(row.number)
        return {
            row.name: QueueMoment(
                waiting=counts.get(row.name, 0),
                free=frozenset(free[row.name]),
                working=working[row.name],
                longest=timedelta(seconds=row.max_wait_seconds) if row.max_wait_seconds else None,
            )
            for row in names
        }

    async def last_agent(self, phone: Phone, *, since: datetime) -> str:
        """Return the number of the agent who talked with this number last; empty where nobody did."""
        query = (
            select(CallRow.agent_number)
            .where(
                or_(CallRow.from_number == phone.e164, CallRow.to_number == phone.e164),
                CallRow.started_at >= since,
                CallRow.agent_number.is_not(None),
                CallRow.merged_into.is_(None),
                CallRow.result == CallResult.ANSWERED.value,
            )
            .order_by(CallRow.started_at.desc())
            .limit(1)
        )
        async with self._database.session() as session:
            return await session.scalar(query) or ""

    async def talk(self, queue: str, now: datetime) -> timedelta | None:
        """Return how long the last conversations of a queue took on average; ``None`` without any."""
        query = (
            select(CallRow.talk_ms)
            .where(
                CallRow.queue == queue,
                CallRow.started_at > now - RECENT,
                CallRow.result == CallResult.ANSWERED.value,
            )
            .order_by(CallRow.started_at.desc())
            .limit(ENOUGH)
        )
        async with self._database.session() as session:
            found = list(await session.scalars(query))
        return timedelta(milliseconds=sum(found) / len(found)) if found else None
