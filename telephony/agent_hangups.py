"""Who hung up: the share of calls that an agent ended, a signal of quality (domain.md §1.14).

The customer hangs up first. Calls of which nobody knows who ended them, and those that a transfer took away,
say nothing and are not counted.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_tables import AgentRow
from telephony.tables import CallRow

MOST = 200
CUSTOMERS = ("in", "out")
BY_AGENT, BY_CALLER = "agent", "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHangups:
    """An agent's talks with customers of a period, and how many of them the agent ended."""

    number: str
    name: str
    calls: int
    by_agent: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.by_agent / self.calls


async def read_hangups(session: AsyncSession, since: datetime, until: datetime) -> tuple[AgentHangups, ...]:
    """Return the agents who talked with customers, the largest share first."""
    by_agent = func.sum(case((CallRow.hangup_by == BY_AGENT, 1), else_=0))
    query = (
        select(CallRow.agent_number, func.max(AgentRow.name), func.count(), by_agent)
        .outerjoin(AgentRow, AgentRow.number == CallRow.agent_number)
        .where(
            CallRow.started_at >= since,
            CallRow.started_at < until,
            CallRow.direction.in_(CUSTOMERS),
            CallRow.answered_at.is_not(None),
            CallRow.agent_number.is_not(None),
            CallRow.merged_into.is_(None),
            CallRow.hangup_by.in_((BY_AGENT, BY_CALLER)),
        )
        .group_by(CallRow.agent_number)
        .limit(MOST)
    )
    found = [
        AgentHangups(number=number, name=name or "", calls=calls, by_agent=ended)
        for number, name, calls, ended in (await session.execute(query)).all()
    ]
    return tuple(sorted(found, key=lambda one: (-one.share, -one.calls, one.number)))
