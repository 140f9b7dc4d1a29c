"""Reading of agents: as pages see them, and as the queues must have them."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_records import machine_of
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.agent_views import AgentSnapshot
from telephony.domain.agent_state import AgentPolicy, AgentState
from telephony.domain.queue import MemberPlan, Membership


async def snapshots(session: AsyncSession, agent_ids: Collection[str] | None = None) -> list[AgentSnapshot]:
    """Return the active agents by number, or those asked for, active or not."""
    query = (
        select(AgentRow, AgentSessionRow)
        .outerjoin(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
        .where(AgentRow.agent_id.in_(agent_ids) if agent_ids is not None else AgentRow.active)
        .order_by(AgentRow.number)
        # Steps write past the session's memory of rows.
        .execution_options(populate_existing=True)
    )
    queues = await memberships(session, agent_ids)
    return [
        _snapshot(person, row, queues.get(person.agent_id, ()))
        for person, row in await session.execute(query)
    ]


def _snapshot(person: AgentRow, row: AgentSessionRow | None, queues: tuple[Membership, ...]) -> AgentSnapshot:
    return AgentSnapshot(
        agent_id=person.agent_id,
        number=person.number,
        name=person.name,
        state=AgentState(row.state) if row else AgentState.SIGNED_OUT,
        reason=row.reason if row else None,
        since=row.since if row else person.created_at,
        call_id=row.call_id if row else None,
        queue=row.queue if row else None,
        next_state=AgentState(row.next_state) if row and row.next_state else None,
        next_reason=row.next_reason if row else None,
        wrap_up_call_id=row.wrap_up_call_id if row else None,
        wrap_up_until=row.wrap_up_until if row else None,
        queues=queues,
        signed_in_at=row.signed_in_at if row else None,
        version=row.version if row else 0,
    )


async def plans(
    session: AsyncSession, *, policy: AgentPolicy, agent_ids: Collection[str] | None = None
) -> list[MemberPlan]:
    """Return how all agents (or some) must stand in their queues; who works here no more, in none."""
    query = (
        select(AgentRow, AgentSessionRow)
        .join(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
        .where(true() if agent_ids is None else AgentRow.agent_id.in_(agent_ids))
    )
    queues = await memberships(session, agent_ids)
    found: list[MemberPlan] = []
    for person, row in await session.execute(query):
        plan = MemberPlan(number=person.number, name=person.name, version=row.version)
        if person.active:
            plan = MemberPlan(
                number=person.number,
                name=person.name,
                version=row.version,
                memberships=queues.get(person.agent_id, ()),
                stance=machine_of(person, row, policy).stance,
            )
        found.append(plan)
    return found


async def memberships(
    session: AsyncSession, agent_ids: Collection[str] | None
) -> dict[str, tuple[Membership, ...]]:
    """Return agent id → the active queues they work in, in the queues' order."""
    chosen: ColumnElement[bool] = true() if agent_ids is None else QueueMemberRow.agent_id.in_(agent_ids)
    query = (
        select(QueueMemberRow.agent_id, QueueMemberRow.queue, QueueMemberRow.penalty)
        .join(QueueRow, QueueRow.name == QueueMemberRow.queue)
        .where(QueueRow.active, chosen)
        .order_by(QueueRow.position, QueueRow.name)
    )
    found: dict[str, tuple[Membership, ...]] = {}
    for agent_id, queue, penalty in await session.execute(query):
        found[agent_id] = (*found.get(agent_id, ()), Membership(queue, penalty))
    return found
