"""Reading of agents: as pages see them, and as the queues must have them.

Statements of plain columns, made once: they are asked for at nearly every change of every agent.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_records import AGENT, SESSION, machine_of, table_of
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.agent_views import AgentSnapshot
from telephony.domain.agent_state import AgentPolicy, AgentState
from telephony.domain.queue import MemberPlan, Membership

MEMBER, QUEUE = table_of(QueueMemberRow), table_of(QueueRow)

_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_AGENTS: Select[*tuple[Any, ...]] = (
    select(
        AGENT.c.agent_id,
        AGENT.c.number,
        AGENT.c.name,
        AGENT.c.created_at,
        SESSION.c.version,
        SESSION.c.state,
        SESSION.c.reason,
        SESSION.c.since,
        SESSION.c.call_id,
        SESSION.c.queue,
        SESSION.c.next_state,
        SESSION.c.next_reason,
        SESSION.c.wrap_up_call_id,
        SESSION.c.wrap_up_until,
        SESSION.c.signed_in_at,
        QUEUE.c.name.label("works_in"),
        MEMBER.c.penalty,
    )
    .outerjoin(SESSION, SESSION.c.agent_id == AGENT.c.agent_id)
    .outerjoin(MEMBER, MEMBER.c.agent_id == AGENT.c.agent_id)
    .outerjoin(QUEUE, (QUEUE.c.name == MEMBER.c.queue) & QUEUE.c.active)
    .order_by(AGENT.c.number, QUEUE.c.position, QUEUE.c.name)
)
_ALL_AGENTS = _AGENTS.where(AGENT.c.active)
_SOME_AGENTS = _AGENTS.where(AGENT.c.agent_id.in_(_KEYS))
_MEMBERSHIPS: Select[*tuple[Any, ...]] = (
    select(MEMBER.c.agent_id, MEMBER.c.queue, MEMBER.c.penalty)
    .join(QUEUE, QUEUE.c.name == MEMBER.c.queue)
    .where(QUEUE.c.active)
    .order_by(QUEUE.c.position, QUEUE.c.name)
)
_SOME_MEMBERSHIPS = _MEMBERSHIPS.where(MEMBER.c.agent_id.in_(_KEYS))


async def snapshots(session: AsyncSession, agent_ids: Collection[str] | None = None) -> list[AgentSnapshot]:
    """Return the active agents by number, or those asked for, active or not."""
    if agent_ids is None:
        found = await session.execute(_ALL_AGENTS)
    else:
        found = await session.execute(_SOME_AGENTS, {"keys": list(agent_ids)})
    rows: dict[str, list[Any]] = {}
    for row in found:
        rows.setdefault(row.agent_id, []).append(row)
    return [_snapshot(of_agent) for of_agent in rows.values()]


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
    if agent_ids is None:
        rows = await session.execute(_MEMBERSHIPS)
    else:
        rows = await session.execute(_SOME_MEMBERSHIPS, {"keys": list(agent_ids)})
    found: dict[str, tuple[Membership, ...]] = {}
    for agent_id, queue, penalty in rows:
        found[agent_id] = (*found.get(agent_id, ()), Membership(queue, penalty))
    return found
