"""Reading of agents: as pages see them, and as the queues must have them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_records import machine_of
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.agent_views import AgentSnapshot
from telephony.domain.agent_state import AgentPolicy, AgentState
from telephony.domain.queue import MemberPlan, Membership


async def snapshots(session: AsyncSession, agent_ids: Collection[str] | None = None) -> list[AgentSnapshot]:
    """Return the active agents by number, or those asked for, active or not.

    One statement of plain columns: it is asked for at every change of every agent.
    """
    step = AgentSessionRow
    query = (
        select(
            AgentRow.agent_id,
            AgentRow.number,
            AgentRow.name,
            AgentRow.created_at,
            step.version,
            step.state,
            step.reason,
            step.since,
            step.call_id,
            step.queue,
            step.next_state,
            step.next_reason,
            step.wrap_up_call_id,
            step.wrap_up_until,
            step.signed_in_at,
            QueueRow.name.label("works_in"),
            QueueMemberRow.penalty,
        )
        .outerjoin(step, step.agent_id == AgentRow.agent_id)
        .outerjoin(QueueMemberRow, QueueMemberRow.agent_id == AgentRow.agent_id)
        .outerjoin(QueueRow, (QueueRow.name == QueueMemberRow.queue) & QueueRow.active)
        .where(AgentRow.agent_id.in_(agent_ids) if agent_ids is not None else AgentRow.active)
        .order_by(AgentRow.number, QueueRow.position, QueueRow.name)
    )
    rows: dict[str, list[Any]] = {}
    for row in await session.execute(query):
        rows.setdefault(row.agent_id, []).append(row)
    return [_snapshot(found) for found in rows.values()]


def _snapshot(rows: Sequence[Any]) -> AgentSnapshot:
    """Return an agent from their rows, one for each queue; no session yet means signed out."""
    row = rows[0]
    return AgentSnapshot(
        agent_id=row.agent_id,
        number=row.number,
        name=row.name,
        state=AgentState(row.state) if row.state else AgentState.SIGNED_OUT,
        reason=row.reason,
        since=row.since or row.created_at,
        call_id=row.call_id,
        queue=row.queue,
        next_state=AgentState(row.next_state) if row.next_state else None,
        next_reason=row.next_reason,
        wrap_up_call_id=row.wrap_up_call_id,
        wrap_up_until=row.wrap_up_until,
        queues=tuple(Membership(each.works_in, each.penalty) for each in rows if each.works_in is not None),
        signed_in_at=row.signed_in_at,
        version=row.version or 0,
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
